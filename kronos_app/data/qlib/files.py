"""The files of a Qlib folder: `calendars/*.txt`, `instruments/*.txt` and `features/SYMBOL/FIELD.FREQUENCY.bin`.

A calendar has one time a line; a list of instruments has symbol, first and last day, apart by tabs; a field is float32,
the place of its first value in the calendar before the values themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kronos_app.errors import Unavailable
from kronos_app.i18n import text

Parsed = TypeVar("Parsed")

# Windows cannot name a folder so; Qlib puts something before it everywhere.
_RESERVED = re.compile(r"con|prn|aux|nul|com\d|lpt\d")
_ESCAPE = "_qlib_"


def find_folders(named: Mapping[str, Path], home: Path | None = None) -> dict[str, Path]:
    """Return the folders there are by name: those that were named, else those that Qlib downloads to by default."""
    if named:
        return {name: path.expanduser() for name, path in named.items()}
    usual = (home or Path.home()) / ".qlib" / "qlib_data"
    found = sorted(usual.iterdir()) if usual.is_dir() else []
    return {path.name: path for path in found if (path / "calendars").is_dir()}


class QlibFiles:
    """One folder; texts are read again only after they changed. Threads may share it.

    Every method raises `Unavailable` where the folder is not there, or not in Qlib's layout.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        self._known: dict[Path, tuple[int, Any]] = {}
        self._lock = Lock()

    def frequencies(self) -> list[str]:
        """Return what there are calendars of, as Qlib writes it: `day`, `1min`, ..."""
        return self._names("calendars")

    def markets(self) -> list[str]:
        """Return what there are lists of instruments of."""
        return self._names("instruments")

    def calendar(self, frequency: str) -> pd.DatetimeIndex:
        """Return the times of a calendar, strictly ascending."""
        return self._parsed(self._folder / "calendars" / f"{frequency}.txt", self._times)

    def spans(self, market: str) -> Mapping[str, tuple[str, str]]:
        """Return the instruments of a market, each with the first and the last day it belongs to it, as written."""
        return self._parsed(self._folder / "instruments" / f"{market}.txt", _spans)

    def field(self, symbol: str, name: str, frequency: str, length: int) -> NDArray[np.float64] | None:
        """Return a field along a calendar of `length` times, NaN where nothing is stored; None without such a field.

        `symbol` must be one that a list of instruments has.
        """
        folder = symbol.lower()
        folder = _ESCAPE + folder if _RESERVED.fullmatch(folder) else folder
        path = self._folder / "features" / folder / f"{name}.{frequency}.bin"
        if not path.is_file():
            return None
        content = path.read_bytes()
        raw = np.frombuffer(content, dtype="<f4") if len(content) % 4 == 0 else np.empty(0, dtype="<f4")
        start = float(raw[0]) if len(raw) else -1.0
        if not (start >= 0 and start.is_integer() and start + len(raw) - 1 <= length):
            raise Unavailable(
                "damaged_folder",
                text(
                    "The file {file} of {symbol} in the Qlib folder “{name}” is damaged or does not fit its calendar.",
                    file=path.name, symbol=symbol, name=self.name,
                ),
                text("Whoever runs this desk must have the data dumped again."),
            )  # fmt: skip
        values = np.full(length, np.nan)
        values[int(start) : int(start) + len(raw) - 1] = raw[1:]
        return values

    def _names(self, part: str) -> list[str]:
        names = sorted(path.stem for path in (self._folder / part).glob("*.txt"))
        if not names:
            raise self._unusable(part)
        return names

    def _parsed(self, path: Path, parse: Callable[[Sequence[str]], Parsed]) -> Parsed:
        try:
            changed = path.stat().st_mtime_ns
            with self._lock:
                known = self._known.get(path)
            if known is None or known[0] != changed:
                known = changed, parse(path.read_text(encoding="utf-8-sig").split("\n"))
                with self._lock:
                    self._known[path] = known
        except (OSError, UnicodeDecodeError) as error:
            raise self._unusable(path.parent.name) from error
        found: Parsed = known[1]
        return found

    def _times(self, lines: Sequence[str]) -> pd.DatetimeIndex:
        try:
            times = pd.DatetimeIndex([line.strip() for line in lines if line.strip()]).as_unit("ns")
        except ValueError as error:
            raise self._unusable("calendars") from error
        if times.tz is not None or not times.is_monotonic_increasing or not times.is_unique:
            raise self._unusable("calendars")
        return times

    def _unusable(self, part: str) -> Unavailable:
        return Unavailable(
            "no_folder",
            text("The Qlib folder “{name}” is not there, or its part “{part}” is not in Qlib's layout.",
                 name=self.name, part=part),
            text("Whoever runs this desk sets KRONOS_QLIB_FOLDERS to what Qlib calls provider_uri; see docs/qlib.md."),
        )  # fmt: skip


def _spans(lines: Sequence[str]) -> Mapping[str, tuple[str, str]]:
    spans: dict[str, tuple[str, str]] = {}
    for line in lines:
        symbol, first, last = [*(cell.strip() for cell in re.split(r"[\t,]", line)), "", ""][:3]
        if symbol:
            known = spans.get(symbol, (first, last))  # it may have left and come back
            spans[symbol] = min(known[0], first), max(known[1], last)
    return spans
