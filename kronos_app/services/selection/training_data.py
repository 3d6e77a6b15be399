"""Candles to learn from, copied from the store into files that a trainer reads.

The files are `tuning_data/DIGEST/candles/MARKET/INTERVAL.parquet` in the home folder. The digest depends on the
selection and on the stored candles, so equal candles are written once.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kronos_app.errors import CHECK_HOME, InvalidInput, TooLarge, explain_os_errors
from kronos_app.i18n import Text, text
from kronos_app.services.selection.series import NAMED, SeriesSelector
from kronos_app.services.selection.training_files import Part, check_room, write

if TYPE_CHECKING:
    from kronos_app.services.selection.request import DataChoice

BYTES_A_CANDLE = 200  # at most: the files and the prepared corpus
KEEP_SECONDS = 24 * 3600  # candles that no run uses


@dataclass(frozen=True)
class TrainingFiles:
    """The candles of a run: `data` of its config, their digest, and what to know about them."""

    data: Mapping[str, Any]
    digest: str
    notes: tuple[Text, ...] = ()


class TrainingData:
    """Writes candles to files; every thread may use it."""

    def __init__(self, selector: SeriesSelector) -> None:
        self._settings = selector.settings
        self._selector = selector
        self.folder = self._settings.home / "tuning_data"

    def write(self, choice: DataChoice) -> TrainingFiles:
        """Return the chosen candles as files; files that exist already are used again.

        Raises InvalidInput (nothing was chosen), NotFound (A data set, series, watchlist or Qlib folder does not
        exist), TooLarge (there are more candles than this deployment allows) or Unavailable (the disk is full, or a
        source does not answer).
        """
        if choice.kind == "qlib":
            return self._qlib(choice)
        parts, notes = self._selector.find(choice)
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
        """Delete old files whose digests are not in `used`, and incomplete ones."""
        oldest = time.time() - KEEP_SECONDS
        for folder in self.folder.iterdir() if self.folder.is_dir() else ():
            with suppress(OSError):
                if folder.name not in used and folder.stat().st_mtime < oldest:
                    shutil.rmtree(folder)

    def _qlib(self, choice: DataChoice) -> TrainingFiles:
        folder = self._selector.qlib_folder(choice.qlib_folder)
        self._selector.open_qlib(choice).instruments(choice.qlib_market)  # raises if folder or market is unusable
        data = {
            "source": "qlib",
            "folder": str(folder),
            "market": choice.qlib_market,
            "frequency": choice.qlib_frequency,
            "start": choice.qlib_start.isoformat() if choice.qlib_start else None,
            "end": choice.qlib_end.isoformat() if choice.qlib_end else None,
        }
        return TrainingFiles(data, _digest([("qlib", *data.values(), *_modification_times(folder))]))

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
        message = text("The training candles could not be written: {reason}.")
        try:
            with explain_os_errors("tuning_data_not_kept", message, CHECK_HOME):
                draft.mkdir(parents=True)
                check_room(draft, self._settings, sum(part.rows for part in parts) * BYTES_A_CANDLE)
                write(parts, draft / "candles")
                folder.parent.mkdir(exist_ok=True)
                _rename(draft / "candles", folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _rename(draft: Path, folder: Path) -> None:
    try:
        draft.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another thread has written the same candles
            raise


def _modification_times(folder: Path) -> list[int]:
    """Return the modification times of a Qlib folder's texts: adding candles adds days to the calendar."""
    files = sorted(path for part in ("calendars", "instruments") for path in (folder / part).glob("*.txt"))
    return [path.stat().st_mtime_ns for path in files]


def _digest(parts: Sequence[tuple[Any, ...]]) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()[:24]
