"""What the checks found, in words and as places in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kronos_app.data.checks.returns import Mask
from kronos_app.data.checks.runs import Run
from kronos_app.data.checks.suspects import Suspects
from kronos_app.data.draft import Finding, Severity
from kronos_app.i18n import Text, text

MOST_MARKS = 100  # of a kind: beyond that a figure shows a wall, whatever is drawn
FIRST_ROWS = 5


@dataclass(frozen=True)
class Mark:
    """Where something was found: its code and the times of the first and the last candle."""

    code: str
    first: pd.Timestamp
    last: pd.Timestamp

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {"code": self.code, "first": self.first.isoformat(), "last": self.last.isoformat()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Mark:
        """Rebuild what `to_dict` returned."""
        return cls(data["code"], pd.Timestamp(data["first"]), pd.Timestamp(data["last"]))


def findings(frame: pd.DataFrame, suspects: Suspects) -> Iterator[Finding]:
    """Yield a finding for each kind of suspicion; `frame` is what was checked, its index the rows of the file."""
    if not suspects.any:
        return
    times, rows = frame["timestamp"], frame.index
    for split in suspects.splits:
        new, old = split.shares
        message = text(
            "Not adjusted for a split of {new} for {old}: from {time} on the price is another one.",
            new=new, old=old, time=_said(times.iloc[split.position]),
        )  # fmt: skip
        yield Finding("splits", "warning", message, (int(rows[split.position]),))
    yield from _candles("outliers", "warning", _OUTLIERS, frame, suspects.outliers)
    yield from _candles("jumps", "info", _JUMPS, frame, suspects.jumps)
    yield from _runs("stale", "warning", _STALE, frame, suspects.stale)
    yield from _runs("silent", "info", _SILENT, frame, suspects.silent)
    yield from _runs("mixed", "warning", _MIXED, frame, suspects.mixed)
    if suspects.unfinished:
        message = text("The last candle, of {time}, had not ended when it was read.", time=_said(times.iloc[-1]))
        yield Finding("unfinished", "warning", message, (int(rows[-1]),))


_OUTLIERS = text(
    "{count} candle(s) stand out: a price far from its neighbours that is gone with the next candle; first at {time}."
)
_JUMPS = text(
    "{count} leap(s) of the price to another level, for which no split accounts; first at {time}. Check whether the"
    " market really moved."
)
_STALE = text(
    "{candles} candle(s) repeat the prices before them without new volume, in {count} stretch(es); the longest,"
    " {longest} candle(s), begins at {time}."
)
_SILENT = text(
    "{candles} candle(s) have no volume in {count} stretch(es) longer than usual here; the longest,"
    " {longest} candle(s), begins at {time}."
)
_MIXED = text(
    "{candles} candle(s) in {count} stretch(es) have another interval than the rest; the longest, {longest} candle(s),"
    " begins at {time}."
)


def _candles(code: str, severity: Severity, message: Text, frame: pd.DataFrame, mask: Mask) -> Iterator[Finding]:
    found = np.flatnonzero(mask)
    if len(found):
        said = text(message.msgid, count=len(found), time=_said(frame["timestamp"].iloc[found[0]]))
        yield Finding(code, severity, said, tuple(int(frame.index[at]) for at in found[:FIRST_ROWS]))


def _runs(code: str, severity: Severity, message: Text, frame: pd.DataFrame, runs: list[Run]) -> Iterator[Finding]:
    if runs:
        longest = max(runs, key=len)
        said = text(
            message.msgid,
            candles=sum(map(len, runs)), count=len(runs), longest=len(longest),
            time=_said(frame["timestamp"].iloc[longest.first]),
        )  # fmt: skip
        yield Finding(code, severity, said, tuple(int(frame.index[run.first]) for run in runs[:FIRST_ROWS]))


def _said(time: pd.Timestamp) -> str:
    return time.strftime("%Y-%m-%d" if time == time.normalize() else "%Y-%m-%d %H:%M")


def marks(frame: pd.DataFrame, suspects: Suspects) -> list[Mark]:
    """Return where the suspicions are, at most a hundred of a kind."""
    if not suspects.any:
        return []
    times = pd.DatetimeIndex(frame["timestamp"])
    places: dict[str, list[Run]] = {
        "splits": [Run(split.position, split.position) for split in suspects.splits],
        "outliers": _single(suspects.outliers),
        "jumps": _single(suspects.jumps),
        "stale": suspects.stale,
        "silent": suspects.silent,
        "mixed": suspects.mixed,
        "unfinished": [Run(len(times) - 1, len(times) - 1)] if suspects.unfinished else [],
    }
    return [Mark(code, times[run.first], times[run.last]) for code, runs in places.items() for run in runs[:MOST_MARKS]]


def _single(mask: Mask) -> list[Run]:
    return [Run(int(at), int(at)) for at in np.flatnonzero(mask)[:MOST_MARKS]]
