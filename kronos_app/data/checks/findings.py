"""Suspicions about candles as findings and as marks in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kronos_app.data.checks.runs import Run
from kronos_app.data.checks.suspects import Suspects
from kronos_app.data.draft import Finding, Severity
from kronos_app.i18n import Text, text

MOST_MARKS = 100  # of a kind: with more, a figure is solid colour
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


_KINDS: Mapping[str, tuple[Severity, Text]] = {
    "outliers": ("warning", text(
        "{count} candle(s) stand out: a price far from its neighbours that is gone with the next candle; first at "
        "{time}."
    )),
    "jumps": ("info", text(
        "{count} jump(s) of the price to another level, for which no split accounts; first at {time}. Check whether "
        "the market really moved."
    )),
    "stale": ("warning", text(
        "{candles} candle(s) repeat the prices before them without new volume, in {count} stretch(es); the longest,"
        " {longest} candle(s), begins at {time}."
    )),
    "silent": ("info", text(
        "{candles} candle(s) have no volume in {count} stretch(es) longer than usual here; the longest,"
        " {longest} candle(s), begins at {time}."
    )),
    "mixed": ("warning", text(
        "{candles} candle(s) in {count} stretch(es) have another interval than the rest; the longest, {longest}"
        " candle(s), begins at {time}."
    )),
}  # fmt: skip
_SINGLE = ("outliers", "jumps")  # single candles, not runs


def findings(frame: pd.DataFrame, suspects: Suspects) -> Iterator[Finding]:
    """Yield a finding for each kind of suspicion; `frame` is what was checked, its index the rows of the file."""
    if not suspects.any:
        return
    times, index = frame["timestamp"], frame.index
    for split in suspects.splits:
        new, old = split.shares
        message = text(
            "Not adjusted for a split of {new} for {old} at {time}: prices before and after are on different scales.",
            new=new, old=old, time=_format(times.iloc[split.position]),
        )  # fmt: skip
        yield Finding("splits", "warning", message, (int(index[split.position]),))
    places = _places(suspects)
    for code, (severity, message) in _KINDS.items():
        if runs := places[code]:
            first = max(runs, key=len)  # of equally long runs the first
            values = {"count": len(runs), "time": _format(times.iloc[first.first])}
            if code not in _SINGLE:
                values |= {"candles": sum(map(len, runs)), "longest": len(first)}
            rows = tuple(int(index[run.first]) for run in runs[:FIRST_ROWS])
            yield Finding(code, severity, text(message.msgid, **values), rows)
    if suspects.unfinished:
        message = text("The last candle, of {time}, had not ended when it was read.", time=_format(times.iloc[-1]))
        yield Finding("unfinished", "warning", message, (int(index[-1]),))


def marks(frame: pd.DataFrame, suspects: Suspects) -> list[Mark]:
    """Return where the suspicions are, at most a hundred of a kind."""
    if not suspects.any:
        return []
    times = pd.DatetimeIndex(frame["timestamp"])
    places = {"splits": [Run(split.position, split.position) for split in suspects.splits], **_places(suspects)}
    if suspects.unfinished:
        places["unfinished"] = [Run(len(times) - 1, len(times) - 1)]
    return [Mark(code, times[run.first], times[run.last]) for code, runs in places.items() for run in runs[:MOST_MARKS]]


def _places(suspects: Suspects) -> dict[str, list[Run]]:
    single = {code: np.flatnonzero(getattr(suspects, code)).tolist() for code in _SINGLE}
    runs = {code: [Run(at, at) for at in positions] for code, positions in single.items()}
    return runs | {"stale": suspects.stale, "silent": suspects.silent, "mixed": suspects.mixed}


def _format(time: pd.Timestamp) -> str:
    return time.strftime("%Y-%m-%d" if time == time.normalize() else "%Y-%m-%d %H:%M")
