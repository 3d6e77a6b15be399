"""A run of any kind: a folder such as `evaluations/ID`, and one model of it for the page and the API.

`desk.json` is written last. A folder without it was not completed and is deleted after an hour.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, Self, TypeVar
from uuid import uuid4

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from kronos_app.errors import Conflict, InvalidInput, NotFound, Unavailable
from kronos_app.i18n import Text, text
from kronos_app.jsonable import localised
from kronos_app.services.core.training_errors import to_text, training_errors, unreadable_error
from kronos_app.services.core.view import View
from kronos_app.store.records import UnreadableRecord, UnreadableRecords, now
from training.errors import Unreadable
from training.saved import load_json, load_saved, parse_saved

DESK, REPORT = "desk.json", "report.json"
SECONDS_TO_COMPLETE = 3600

RunState = Literal["queued", "running", "paused", "finished", "failed", "cancelled", "interrupted"]
Request = TypeVar("Request", bound=BaseModel)


class Summary(BaseModel):
    """The fields of a report that a list shows."""

    notes: tuple[Text, ...] = ()


class Run(View, Generic[Request]):
    """A run, its state and its summary.

    Attributes
    ----------
    kind, noun, nouns
        Name of the kind in folders and error codes, and what messages call one and several of them.
    ids
        The names of the folders.
    summary
        The part of the report that is copied to fields of the run.
    private
        Fields of the report that the API leaves out.
    report
        `report.json`, None until the run has finished.
    """

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    kind: ClassVar[str]
    noun: ClassVar[Text]
    nouns: ClassVar[Text]
    ids: ClassVar[re.Pattern[str]] = re.compile(r"[a-f0-9]{12}")
    summary: ClassVar[type[Summary]]
    private: ClassVar[frozenset[str]] = frozenset()

    id: str
    path: SkipJsonSchema[Path] = Field(exclude=True)
    created: Annotated[datetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
    request: Request
    notes: tuple[Text, ...] = Field((), description="What to know about the candles.")
    state: RunState = Field("interrupted", description="interrupted: its process is gone; resume it.")
    progress: float = Field(0.0, description="0 to 1")
    error: Text | None = None
    report: SkipJsonSchema[dict[str, Any] | None] = Field(None, exclude=True)

    @property
    def active(self) -> bool:
        """Return whether the run is queued or running."""
        return self.state in {"queued", "running"}

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the run in a folder, as far as the folder alone shows its state.

        Raises Unreadable (`desk.json` is damaged, or of a version that this one does not understand).
        """
        run = load_saved(cls, path / DESK, id=path.name, path=path)
        file = path / REPORT
        if not file.exists():
            return run
        try:
            report = _read_report(file, file.stat().st_mtime_ns)
            summary = dict(parse_saved(cls.summary, report, file, partial=True))
        except Unreadable as error:
            return run.model_copy(update={"error": to_text(error.message)})
        summary["notes"] = (*run.notes, *summary["notes"])
        return run.model_copy(update={**summary, "state": "finished", "progress": 1.0, "report": report})

    def report_in(self, language: str) -> dict[str, Any] | None:
        """Return the report as the API has it, messages in `language`; None until the run has finished."""
        if self.report is None:
            return None
        return {name: localised(value, language) for name, value in self.report.items() if name not in self.private}

    @classmethod
    def not_saved(cls, error: OSError) -> Unavailable:
        """Return the error of a folder that cannot be written to."""
        return Unavailable(
            f"{cls.kind}_not_kept",
            text("The {kind} could not be saved: {reason}.", kind=cls.noun, reason=error.strerror or str(error)),
            text("Check the free space and the permissions of the app's home."),
        )

    @classmethod
    def finished(cls, run_id: str) -> Conflict:
        """Return the error of resuming or stopping a run that has finished."""
        return Conflict(
            f"{cls.kind}_finished",
            text("The {kind} {id} is finished.", kind=cls.noun, id=run_id),
            text("Start a new one instead."),
        )

    @classmethod
    def too_many(cls, count: int) -> Conflict:
        """Return the error of starting one more run than is allowed."""
        return Conflict(
            f"too_many_{cls.kind}s",
            text("{count} {kinds} are saved already.", count=count, kinds=cls.nouns),
            text("Delete some; {setting} sets the limit.", setting=f"KRONOS_MAX_{cls.kind.upper()}S"),
        )

    @classmethod
    def not_comparable(cls, fewest: int, most: int) -> InvalidInput:
        """Return the error of comparing too few runs or too many."""
        return InvalidInput(
            f"{cls.kind}s_to_compare",
            text("From {fewest} to {most} {kinds} can be compared.", fewest=fewest, most=most, kinds=cls.nouns),
            text("Choose others."),
        )


AnyRun = TypeVar("AnyRun", bound=Run[Any])
Listed = list[AnyRun]


class RunFolders(Generic[AnyRun]):
    """The folders of all runs of one kind, `KINDs/ID` in the home folder; every thread may use it."""

    def __init__(self, home: Path, run: type[AnyRun]) -> None:
        self.folder = home / f"{run.kind}s"
        self.run = run

    def list(self) -> Listed[AnyRun]:
        """Return the runs that can be read, newest first."""
        return self.read_all()[0]

    def read_all(self) -> tuple[Listed[AnyRun], UnreadableRecords]:
        """Return the runs, newest first, and the folders whose `desk.json` this version cannot read."""
        return self._read(self._paths())

    def any(self) -> bool:
        """Return whether there is a run, readable or not."""
        return any(self._paths())

    def get(self, run_id: str) -> AnyRun:
        """Return a run.

        Raises NotFound (there is no run of this id) or Conflict (this version cannot read it).
        """
        path = self.path(run_id)
        try:
            return self.run.read(path)
        except Unreadable as error:
            raise unreadable_error(run_id, to_text(error.message)) from error

    def path(self, run_id: str) -> Path:
        """Return the folder of an id, whether or not it can be read.

        Raises NotFound (there is no run of this id).
        """
        path = self.folder / run_id
        if self.run.ids.fullmatch(run_id) and (path / DESK).exists():
            return path
        raise NotFound(
            f"{self.run.kind}_not_found",
            text("There is no {kind} {id}.", kind=self.run.noun, id=run_id[:100]),
            text("It may have been deleted. Open the list again."),
        )

    def make(self, request: BaseModel, write: Callable[[Path], dict[str, Any]], run_id: str | None = None) -> AnyRun:
        """Create the folder of a new run and return the run.

        Parameters
        ----------
        write
            Writes the files of the run to the given folder; returns the other fields of `desk.json`.

        Raises Unavailable (the disk is full, or the folder cannot be written to).
        """
        from training.run.folder import write_json

        self.tidy()
        path = self.folder / (run_id or uuid4().hex[:12])
        saved = {"created": now().isoformat(), "request": request.model_dump(mode="json")}
        try:
            path.mkdir(parents=True)
            saved |= write(path)
            with training_errors():
                write_json(path / DESK, saved)
        except OSError as error:
            raise self.run.not_saved(error) from error
        finally:
            if not (path / DESK).exists():
                shutil.rmtree(path, ignore_errors=True)
        return self.get(path.name)

    def remove(self, run_id: str) -> None:
        """Delete a folder. It is renamed first, so that it is gone at once."""
        deleted = self.folder / f".gone-{uuid4().hex}"
        with suppress(FileNotFoundError):
            (self.folder / run_id).rename(deleted)
        shutil.rmtree(deleted, ignore_errors=True)

    def tidy(self) -> None:
        """Delete folders whose creation or deletion was interrupted."""
        oldest = time.time() - SECONDS_TO_COMPLETE
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            incomplete = self.run.ids.fullmatch(path.name) and not (path / DESK).exists()
            if path.name.startswith(".gone-") or (incomplete and path.stat().st_mtime < oldest):
                shutil.rmtree(path, ignore_errors=True)

    def _read(self, paths: Iterable[Path]) -> tuple[Listed[AnyRun], UnreadableRecords]:
        runs: Listed[AnyRun] = []
        unreadable: UnreadableRecords = []
        for path in paths:
            try:
                runs.append(self.run.read(path))
            except Unreadable as error:
                unreadable.append(UnreadableRecord(path.name, to_text(error.message)))
        return sorted(runs, key=lambda run: run.created, reverse=True), unreadable

    def _paths(self) -> Iterator[Path]:
        for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else ():
            if self.run.ids.fullmatch(path.name) and (path / DESK).exists():
                yield path


@lru_cache(maxsize=192)
def _read_report(path: Path, _modified: int) -> dict[str, Any]:
    return load_json(path)
