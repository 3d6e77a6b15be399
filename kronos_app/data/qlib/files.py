"""The files of a Qlib folder: `calendars/*.txt`, `instruments/*.txt` and `features/SYMBOL/FIELD.FREQUENCY.bin`.

A calendar has one time per line; a list of instruments has symbol, first and last day, separated by tabs; a field is
float32, starting with the position of its first value in the calendar.
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

# Windows does not allow these folder names; Qlib adds a prefix on every system.
_RESERVED = re.compile(r"con|prn|aux|nul|com\d|lpt\d")


def find_folders(named: Mapping[str, Path], home: Path | None = None) -> dict[str, Path]:
    """Return the folders by name: the configured ones, else those in Qlib's default download folder."""
    if named:
        return {name: path.expanduser() for name, path in named.items()}
    default = (home or Path.home()) / ".qlib" / "qlib_data"
    paths = sorted(default.iterdir()) if default.is_dir() else []
    return {path.name: path for path in paths if (path / "calendars").is_dir()}


def feature_folder(symbol: str) -> str:
    """Return the name of the folder with the fields of an instrument."""
    name = symbol.lower()
    return f"_qlib_{name}" if _RESERVED.fullmatch(name) else name


class QlibFiles:
    """One folder, shared by threads; text files are read again only after they changed.

    Every method raises `Unavailable` where the folder does not exist or does not have Qlib's layout.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        self._cache: dict[Path, tuple[int, Any]] = {}
        self._lock = Lock()

    def frequencies(self) -> list[str]:
        """Return the frequencies that have a calendar: `day`, `1min`, ..."""
        return self._names("calendars")

    def markets(self) -> list[str]:
        """Return the names of the lists of instruments."""
        return self._names("instruments")

    def calendar(self, frequency: str) -> pd.DatetimeIndex:
        """Return the times of a calendar, strictly ascending."""
        return self._parsed(self._folder / "calendars" / f"{frequency}.txt", self._times)

    def spans(self, market: str) -> Mapping[str, tuple[str, str]]:
        """Return the instruments of a market, each with its first and last day in it as text."""
        return self._parsed(self._folder / "instruments" / f"{market}.txt", _spans)

    def field(self, symbol: str, name: str, frequency: str, length: int) -> NDArray[np.float64] | None:
        """Return a field along a calendar of `length` times, NaN where nothing is stored; None if it does not exist.

        `symbol` must be in a list of instruments.
        """
        path = self._folder / "features" / feature_folder(symbol) / f"{name}.{frequency}.bin"
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
                text("The administrator must dump the data again."),
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
                cached = self._cache.get(path)
            if cached is None or cached[0] != changed:
                cached = changed, parse(path.read_text(encoding="utf-8-sig").split("\n"))
                with self._lock:
                    self._cache[path] = cached
        except (OSError, UnicodeDecodeError) as error:
            raise self._unusable(path.parent.name) from error
        parsed: Parsed = cached[1]
        return parsed

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
            text("The Qlib folder “{name}” does not exist, or its part “{part}” does not have Qlib's layout.",
                 name=self.name, part=part),
            text("The administrator must set KRONOS_QLIB_FOLDERS to Qlib's provider_uri; see docs/qlib.md."),
        )  # fmt: skip


def _spans(lines: Sequence[str]) -> Mapping[str, tuple[str, str]]:
    spans: dict[str, tuple[str, str]] = {}
    for line in lines:
        symbol, first, last = [*(cell.strip() for cell in re.split(r"[\t,]", line)), "", ""][:3]
        if symbol:
            earlier = spans.get(symbol, (first, last))  # it may have left the market and returned
            spans[symbol] = min(earlier[0], first), max(earlier[1], last)
    return spans
