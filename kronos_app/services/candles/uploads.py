"""Uploads of many series, saved by a job that can be followed and cancelled."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from pydantic import TypeAdapter

from kronos_app.data.calendars import with_calendar
from kronos_app.data.upload.mapping import ColumnMapping
from kronos_app.errors import AppError, InvalidInput, Unavailable
from kronos_app.i18n import text
from kronos_app.services.candles.series_choices import Refusal, SeriesChoice, read_choices, write_choices
from training.saved import parse_saved

if TYPE_CHECKING:
    from kronos_app.data.draft import Draft
    from kronos_app.jobs import Job, JobRunner
    from kronos_app.services.candles.service import CandleService
    from kronos_app.store import CandleSet

log = logging.getLogger(__name__)

KIND = "upload"
# An upload of more series takes longer than a caller waits for an answer.
MOST_AT_ONCE = 200
KEEP_SECONDS = 7 * 24 * 3600
OPTIONS, SERIES, RESULT = "upload.json", "series.zip", "result.json"
File = tuple[str, bytes]
"""Name and content."""


class _Stored:
    """A dataclass that is written to a file of the upload; messages in it can still be translated."""

    def to_json(self) -> str:
        """Return the fields as JSON."""
        return TypeAdapter(type(self)).dump_json(self).decode()

    @classmethod
    def from_json(cls, content: str) -> Self:
        """Return what `to_json` wrote."""
        return parse_saved(cls, json.loads(content), cls.__name__)


@dataclass(frozen=True)
class UploadOptions(_Stored):
    """How to read and repair the files of an upload; the fields are those of the form."""

    repair: str | None = None
    start: datetime | None = None
    interval: str | None = None
    calendar: str | None = None
    fixes: Sequence[str] = ()
    resample: str | None = None
    columns: str | None = None
    time_format: str | None = None
    timezone: str | None = None
    units: str | None = None


@dataclass(frozen=True)
class SavedSeries(_Stored):
    """The ids of candle sets, each once, and the series that could not be saved."""

    ids: tuple[str, ...]
    refused: tuple[Refusal, ...] = ()

    @classmethod
    def of(cls, saved: Sequence[CandleSet], refused: Sequence[Refusal] = ()) -> SavedSeries:
        """Return the result of what was saved and refused."""
        return cls(tuple(dict.fromkeys(candle_set.id for candle_set in saved)), tuple(refused))


class UploadService:
    """Saves what was uploaded: at once, or by a job where it is of many series."""

    def __init__(self, folder: Path, candles: CandleService, jobs: JobRunner) -> None:
        self._folder = folder
        self._candles = candles
        self._jobs = jobs

    def save(self, files: Sequence[File], options: UploadOptions) -> list[CandleSet] | Job:
        """Save all series of the files, or none; return them, or the job that does it.

        Raises
        ------
        InvalidInput, TooLarge
            A file is not candles, needs a repair, or is over a limit.
        Conflict
            Too many jobs wait.
        Unavailable
            The store or the disk fails.
        """
        drafts = read_files(self._candles, files, options)
        if len(drafts) <= MOST_AT_ONCE:
            return self._candles.keep_all(drafts, options.repair, options.fixes, options.resample)
        return self._submit(len(drafts), lambda path: _write_files(path, files, options))

    def save_series(self, choices: Sequence[SeriesChoice]) -> SavedSeries | Job:
        """Save the series that can be saved, and name the others; return both, or the job that does it.

        Raises
        ------
        Conflict
            Too many jobs wait.
        Unavailable
            The store or the disk fails.
        """
        if len(choices) <= MOST_AT_ONCE:
            return SavedSeries.of(*self._candles.keep_possible(choices))
        return self._submit(len(choices), lambda path: write_choices(path / SERIES, choices))

    def saved(self, job: Job) -> SavedSeries:
        """Return what a job of this service saved and refused, once it succeeded.

        The refusals are kept for a week, the candle sets until they are deleted.
        """
        ids = tuple(filter(None, (job.result_id or "").split(",")))
        return _result(self._folder / job.request["key"]) or SavedSeries(ids)

    def _submit(self, series: int, write: Callable[[Path], None]) -> Job:
        """Write an upload to the disk, where it outlives this process, and queue the job that reads it."""
        path = self._folder / uuid4().hex
        try:
            self._prune()
            path.mkdir(parents=True)
            write(path)
            return self._jobs.submit(KIND, {"key": path.name, "series": series})
        except OSError as error:
            shutil.rmtree(path, ignore_errors=True)
            raise Unavailable(
                "upload_not_kept",
                text("The upload could not be written to the disk: {reason}.", reason=error.strerror or str(error)),
                text("Check the free space and the permissions of {folder}.", folder=str(self._folder)),
            ) from error
        except AppError:
            shutil.rmtree(path, ignore_errors=True)
            raise

    def _prune(self) -> None:
        """Delete the files of uploads that were cancelled or never ended."""
        oldest = time.time() - KEEP_SECONDS
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    shutil.rmtree(path, ignore_errors=True)


class UploadWorker:
    """Saves what `UploadService` queued; several threads may run it."""

    def __init__(self, folder: Path, candles: CandleService) -> None:
        self._folder = folder
        self._candles = candles

    def run(self, job: Mapping[str, Any], on_step: Callable[[int, int], None]) -> str:
        """Save the series of an upload and return their ids, separated by commas; `on_step` may raise to cancel."""
        on_step(0, job["series"])
        path = self._folder / job["key"]
        saved = _result(path)
        if saved is None:
            saved = self._save(path, on_step)
        return ",".join(saved.ids)

    def _save(self, path: Path, on_step: Callable[[int, int], None]) -> SavedSeries:
        try:
            if (path / SERIES).exists():
                saved = SavedSeries.of(*self._candles.keep_possible(_read_choices(path), on_step))
            else:
                files, options = _read_files(path)
                drafts = read_files(self._candles, files, options)
                sets = self._candles.keep_all(drafts, options.repair, options.fixes, options.resample, on_step)
                saved = SavedSeries.of(sets)
        except InvalidInput:
            shutil.rmtree(path, ignore_errors=True)
            raise
        try:
            # A process that ends before the job is recorded as done finds the result here and does not miss the files.
            (path / RESULT).write_text(saved.to_json(), encoding="utf-8")
            for file in path.iterdir():
                if file.name != RESULT:
                    file.unlink()
        except OSError as error:
            log.warning("The files of an upload that is saved cannot be deleted: %s", error)
        return saved


def read_files(candles: CandleService, files: Sequence[File], options: UploadOptions) -> list[Draft]:
    """Return the series in files, one draft each."""
    mapping = ColumnMapping.from_form(options.columns, options.time_format, options.timezone, options.units)
    drafts: list[Draft] = []
    for name, content in files:
        drafts += candles.read_all(content, name, start=options.start, interval=options.interval, mapping=mapping)
    return drafts if options.calendar is None else [with_calendar(draft, options.calendar) for draft in drafts]


def _write_files(path: Path, files: Sequence[File], options: UploadOptions) -> None:
    for number, (name, content) in enumerate(files):
        (path / str(number)).write_bytes(content)
        (path / f"{number}.name").write_text(name, encoding="utf-8", errors="replace")
    (path / OPTIONS).write_text(options.to_json(), encoding="utf-8")


def _read_files(path: Path) -> tuple[list[File], UploadOptions]:
    try:
        options = UploadOptions.from_json((path / OPTIONS).read_text(encoding="utf-8"))
        names = sorted(path.glob("*.name"), key=lambda name: int(name.stem))
        return [(name.read_text(encoding="utf-8"), name.with_suffix("").read_bytes()) for name in names], options
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _lost() from error


def _read_choices(path: Path) -> list[SeriesChoice]:
    try:
        return read_choices(path / SERIES)
    except (OSError, ValueError) as error:
        raise _lost() from error


def _result(path: Path) -> SavedSeries | None:
    """Return what was saved of an upload, None while it is not."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return SavedSeries.from_json((path / RESULT).read_text(encoding="utf-8"))
    return None


def _lost() -> InvalidInput:
    return InvalidInput(
        "upload_lost", text("The files of this upload are not there any more."), text("Upload them again.")
    )
