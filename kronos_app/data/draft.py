"""Candles as a source reads them, before their faults are repaired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd
from pydantic import InstanceOf

from kronos_app.data.about import About
from kronos_app.i18n import Text

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One remark about a file: a stable `code`, a sentence for people, the first file rows it is about (1-based)."""

    code: str
    severity: Severity
    message: Text
    rows: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form with a message that can still be translated."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message.to_dict(),
            "rows": list(self.rows),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Finding:
        """Rebuild what `to_dict` returned."""
        return cls(data["code"], data["severity"], Text.from_dict(data["message"]), tuple(data["rows"]))


@dataclass(frozen=True)
class BadCell:
    """A cell whose text is neither empty nor a number or time: file row (1-based), column of the file, and the text."""

    row: int
    column: str
    text: str


@dataclass(frozen=True)
class Draft:
    """Candles as read, in the order of the file and with its faults.

    `frame` has the column `timestamp` (naive datetime64[ns], NaT where unreadable; absent while `needs_timestamps`),
    float64 `open high low close` and, where the file has them, `volume amount`. NaN stands for an empty or unreadable
    cell; infinities and impossible values stay. The index, named `row`, is the 1-based row in the file (the header of a
    CSV is row 1).
    """

    frame: InstanceOf[pd.DataFrame]
    name: str  # file name or instrument, safe to show
    source: str  # `upload`, `sample`, ...
    timezone: str | None = None  # IANA name, `UTC` or an offset such as `UTC+08:00` that the times are local to
    columns: Mapping[str, str] = field(default_factory=dict)  # canonical name to the header in the file
    needs_timestamps: bool = False  # the file has no time column: start and interval must be stated first
    bad_cells: tuple[BadCell, ...] = ()  # the first unreadable cells
    unreadable: int = 0  # how many there are
    findings: tuple[Finding, ...] = ()  # choices of the reader (day/month order, offsets, encodings)
    unused: tuple[str, ...] = ()  # headers of the file that have no role
    about: About = field(default_factory=About)

    def __len__(self) -> int:
        return len(self.frame)
