"""Candles to learn from, out of the store into files that a trainer reads while the store goes on.

They lie in `tuning_data/DIGEST/candles/MARKET/INTERVAL.parquet` of the home folder. The digest is that of the choice
and of what was stored then, so equal candles are laid down once.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kronos_app.errors import InvalidInput, TooLarge, Unavailable
from kronos_app.i18n import Text, text
from kronos_app.services.selection.training_files import Part, check_room, write
from kronos_app.store.series import SeriesKey

if TYPE_CHECKING:
    from kronos_app.data.candle_frame import CandleFrame
    from kronos_app.services.candles.series import SeriesService
    from kronos_app.services.candles.service import CandleService
    from kronos_app.services.selection.request import DataChoice
    from kronos_app.settings import Settings

NAMED = 5  # series that an origin or a message lists before it only counts
BYTES_A_CANDLE = 200  # as files and prepared, at most
KEEP_SECONDS = 24 * 3600  # what no run uses


@dataclass(frozen=True)
class TrainingFiles:
    """Candles laid down: `data` of the run's config, what names them, and what to know about them."""

    data: Mapping[str, Any]
    digest: str
    notes: tuple[Text, ...] = ()


class TuningData:
    """Lays candles down; every thread may use it."""

    def __init__(self, settings: Settings, candles: CandleService, series: SeriesService) -> None:
        self._settings = settings
        self._candles = candles
        self._series = series
        self.folder = settings.home / "tuning_data"

    def lay(self, choice: DataChoice) -> TrainingFiles:
        """Return the chosen candles as files; nothing is written where they were laid down before.

        Raises
        ------
        InvalidInput
            Nothing was chosen.
        NotFound
            A data set, series, watchlist or Qlib folder is not there.
        TooLarge
            More candles than this deployment allows.
        Unavailable
            The disk is full, or a source does not answer.
        """
        if choice.kind == "qlib":
            return self._qlib(choice)
        parts, notes = self.parts(choice)
        if not parts:
            raise InvalidInput(
                "no_training_data",
                text("No candles were chosen to learn from."),
                text("Choose at least one data set or stored series."),
            )
        self._check_size(parts)
        digest = _digest([part.state for part in parts])
        folder = self.folder / digest / "candles"
        if not folder.is_dir():
            self._write(parts, folder)
        with suppress(OSError):
            folder.parent.touch()
        names = [part.name for part in parts]
        origin = ", ".join(names[:NAMED]) + (f" + {len(names) - NAMED}" if len(names) > NAMED else "")
        return TrainingFiles({"source": "files", "paths": [str(folder)], "origin": origin}, digest, tuple(notes))

    def prune(self, used: Sequence[str]) -> None:
        """Remove what was laid down, prepared or half written long ago and that no run uses; `used` are digests."""
        oldest = time.time() - KEEP_SECONDS
        for folder in self.folder.iterdir() if self.folder.is_dir() else ():
            with suppress(OSError):
                if folder.name not in used and folder.stat().st_mtime < oldest:
                    shutil.rmtree(folder)

    def parts(self, choice: DataChoice) -> tuple[list[Part], list[Text]]:
        """Return the chosen series, nothing read yet, and what to know about them; raises as `lay` does."""
        if choice.kind == "candle_sets":
            return list(self._of_sets(choice.candle_sets)), []
        keys = [SeriesKey(**one.model_dump()) for one in choice.series]
        if choice.kind == "series":
            return [self._of_series(key) for key in dict.fromkeys(keys)], []
        return self._of_watchlist(choice.watchlist or "")

    def _of_sets(self, ids: Sequence[str]) -> Iterator[Part]:
        known = {info.id: info for info in self._candles.list()}
        for candles_id in dict.fromkeys(ids):
            info = known.get(candles_id)
            if info is None:
                self._candles.get(candles_id)  # says that there is none
                raise AssertionError(candles_id)
            yield Part(info.name, info.rows, ("set", candles_id), partial(self._read_set, candles_id))

    def _read_set(self, candles_id: str) -> CandleFrame:
        return self._candles.get(candles_id).candles

    def _of_series(self, key: SeriesKey) -> Part:
        info = self._series.get(key)
        state = ("series", *vars(key).values(), info.rows, str(info.first), str(info.last), str(info.state.checked))
        return Part(key.symbol, info.rows, state, lambda: self._series.read(key))

    def _of_watchlist(self, name: str) -> tuple[list[Part], list[Text]]:
        among = self._series.list()
        entries = self._series.watchlist(name).entries
        found = [(entry, self._series.stored(entry, among)) for entry in entries]
        parts = [self._of_series(info.key) for _entry, info in found if info is not None]
        lacking = [entry.symbol for entry, info in found if info is None]
        if not parts:
            raise InvalidInput(
                "watchlist_not_stored",
                text("Nothing on the watchlist “{name}” is stored yet.", name=name),
                text("Bring the watchlist up to date first: what it names is then fetched."),
            )
        if not lacking:
            return parts, []
        note = text(
            "{count} series of the watchlist are not stored and left out: {symbols}.",
            count=len(lacking),
            symbols=", ".join(lacking[:NAMED]),
        )
        return parts, [note]

    def _qlib(self, choice: DataChoice) -> TrainingFiles:
        from kronos_app.data.qlib.source import QlibFolder
        from kronos_app.services.selection.candles import qlib_path

        folder = qlib_path(self._settings, choice.qlib_folder)
        QlibFolder(choice.qlib_folder or "", folder).instruments(choice.qlib_market)  # says what is wrong with either
        data = {
            "source": "qlib",
            "folder": str(folder),
            "market": choice.qlib_market,
            "frequency": choice.qlib_frequency,
            "start": choice.qlib_start.isoformat() if choice.qlib_start else None,
            "end": choice.qlib_end.isoformat() if choice.qlib_end else None,
        }
        return TrainingFiles(data, _digest([("qlib", *data.values(), *_changed(folder))]))

    def _check_size(self, parts: Sequence[Part]) -> None:
        rows, most = sum(part.rows for part in parts), self._settings.max_training_candles
        if rows > most:
            raise TooLarge(
                "too_many_training_candles",
                text("{rows} candles are more than the {most} that a run may learn from here.", rows=rows, most=most),
                text("Choose fewer series; KRONOS_MAX_TRAINING_CANDLES sets the limit."),
            )

    def _write(self, parts: Sequence[Part], folder: Path) -> None:
        draft = self.folder / f".{uuid4().hex}"
        try:
            draft.mkdir(parents=True)
            check_room(draft, self._settings, sum(part.rows for part in parts) * BYTES_A_CANDLE)
            write(parts, draft / "candles")
            folder.parent.mkdir(exist_ok=True)
            _move(draft / "candles", folder)
        except OSError as error:
            raise _unwritable(error) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _move(draft: Path, folder: Path) -> None:
    try:
        draft.rename(folder)
    except OSError:
        if not folder.is_dir():  # else somebody laid down the same in the meantime
            raise


def _changed(folder: Path) -> list[int]:
    """Return when the texts of a Qlib folder changed: whoever adds candles adds days to the calendar."""
    files = sorted(path for part in ("calendars", "instruments") for path in (folder / part).glob("*.txt"))
    return [path.stat().st_mtime_ns for path in files]


def _digest(parts: Sequence[tuple[Any, ...]]) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()[:24]


def _unwritable(error: OSError) -> Unavailable:
    return Unavailable(
        "tuning_data_not_kept",
        text("The candles to learn from could not be written: {reason}.", reason=error.strerror or str(error)),
        text("Check the free space and the permissions of the app's home."),
    )
