"""What a source hands over before anyone decided about its faults."""

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

    Attributes
    ----------
    frame
        Column `timestamp` (naive datetime64[ns], NaT where unreadable; absent while `needs_timestamps`), float64
        `open high low close` and, where the file has them, `volume amount`. NaN stands for an empty or unreadable
        cell; infinities and impossible values stay. The index, named `row`, is the 1-based row in the file (the
        header of a CSV is row 1).
    name
        File name or instrument, safe to show.
    source
        `upload`, `sample`, ...
    timezone
        IANA name, `UTC` or an offset such as `UTC+08:00` where the source stated one; the times are local to it.
    columns
        Canonical name to the header found in the file.
    needs_timestamps
        The file has no time column: nothing can be done before the user states start and interval.
    bad_cells
        The first unreadable cells; `unreadable` counts all of them.
    findings
        What the reader decided on the way (day/month order, offsets, encodings), so that no choice is silent.
    unused
        Headers of the file that have no role.
    about
        What else is known of the series.
    """

    frame: InstanceOf[pd.DataFrame]
    name: str
    source: str
    timezone: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    needs_timestamps: bool = False
    bad_cells: tuple[BadCell, ...] = ()
    unreadable: int = 0
    findings: tuple[Finding, ...] = ()
    unused: tuple[str, ...] = ()
    about: About = field(default_factory=About)

    def __len__(self) -> int:
        return len(self.frame)
