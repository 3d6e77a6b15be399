"""Repairs of what can be read and yet is suspicious: each is a choice, and is reported as a sentence and as cells."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from kronos_app.data.candle_frame import PRICES
from kronos_app.data.checks import suspect
from kronos_app.data.checks.returns import Mask
from kronos_app.data.checks.runs import cover
from kronos_app.errors import InvalidInput
from kronos_app.i18n import Text, text


@dataclass(frozen=True)
class Step:
    """One change of the candles, beyond the repair of faults."""

    kind: str  # one of `FIXES`, or `resample`
    count: int  # candles changed or left out; splits, for `adjust_splits`
    message: Text

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form with a message that can still be translated."""
        return {"kind": self.kind, "count": self.count, "message": self.message.to_dict()}


@dataclass(frozen=True)
class Clock:
    """The zone and calendar of a series, and the present: they decide whether the last candle had ended."""

    timezone: str | None = None
    calendar: str | None = None
    now: pd.Timestamp | None = None


@dataclass(frozen=True)
class Fixed:
    """Candles after a fix, its step, and the file rows that were left out or changed; none where nothing was."""

    frame: pd.DataFrame
    step: Step | None = None
    action: str = ""
    rows: pd.Index[int] = field(default_factory=lambda: pd.Index([], dtype="int64"))


def check(fixes: Collection[str]) -> list[str]:
    """Return `fixes` in the order in which they are applied.

    Raises InvalidInput: one is unknown, or outliers are to be both capped and left out.
    """
    for name in fixes:
        if name not in FIXES:
            raise InvalidInput(
                "unknown_fix",
                text("There is no fix “{name}”.", name=str(name)[:40]),
                text("Choose among {fixes}.", fixes=", ".join(FIXES)),
            )
    if {"drop_outliers", "cap_outliers"} <= set(fixes):
        raise InvalidInput(
            "two_fixes",
            text("Outliers cannot be capped and left out at once."),
            text("Choose one of drop_outliers and cap_outliers."),
        )
    return [name for name in FIXES if name in fixes]


def apply(frame: pd.DataFrame, name: str, clock: Clock) -> Fixed:
    """Return candles, fault-free and in the order of time, with one fix applied; the index is unchanged."""
    return FIXES[name](frame, clock)


def _drop_unfinished(frame: pd.DataFrame, clock: Clock) -> Fixed:
    if not suspect(frame, timezone=clock.timezone, calendar=clock.calendar, now=clock.now).unfinished:
        return Fixed(frame)
    message = text("The last candle, which had not ended, was left out.")
    return Fixed(frame.iloc[:-1], Step("drop_unfinished", 1, message), "unfinished", frame.index[-1:])


def _adjust_splits(frame: pd.DataFrame, _clock: Clock) -> Fixed:
    splits = suspect(frame).splits
    if not splits:
        return Fixed(frame)
    ratios = np.ones(len(frame))
    for split in splits:
        ratios[: split.position] *= split.ratio
    adjusted = frame.copy()
    for name in PRICES:
        adjusted[name] = frame[name] / ratios
    if "volume" in frame:
        adjusted["volume"] = frame["volume"] * ratios
    names = [
        f"{split.shares[0]}:{split.shares[1]} {frame['timestamp'].iloc[split.position]:%Y-%m-%d}" for split in splits
    ]
    message = text("Prices were adjusted for {count} split(s): {splits}.", count=len(splits), splits=", ".join(names))
    # All candles before a split change alike: only the last of them is listed.
    rows = frame.index[[split.position - 1 for split in splits]]
    return Fixed(adjusted, Step("adjust_splits", len(splits), message), "split", rows)


def _drop_stale(frame: pd.DataFrame, _clock: Clock) -> Fixed:
    message = text("{count} candle(s) that repeat the prices before them without new volume were left out.")
    return _without(frame, cover(suspect(frame).stale, len(frame)), "drop_stale", "stale", message)


def _drop_outliers(frame: pd.DataFrame, _clock: Clock) -> Fixed:
    message = text("{count} outlier(s) were left out.")
    return _without(frame, suspect(frame).outliers, "drop_outliers", "outlier", message)


def _without(frame: pd.DataFrame, mask: Mask, kind: str, action: str, message: Text) -> Fixed:
    count = int(mask.sum())
    if not count:
        return Fixed(frame)
    return Fixed(frame[~mask], Step(kind, count, text(message.msgid, count=count)), action, frame.index[mask])


def _cap_outliers(frame: pd.DataFrame, _clock: Clock) -> Fixed:
    """Clip the prices of outliers to the range of the candles beside them."""
    mask = suspect(frame).outliers
    if not mask.any():
        return Fixed(frame)
    # Of two outliers in a row neither is a measure for the other.
    high, low = frame["high"].where(~mask), frame["low"].where(~mask)
    top = np.fmax(high.ffill().shift(1), high.bfill().shift(-1))
    bottom = np.fmin(low.ffill().shift(1), low.bfill().shift(-1))
    capped = frame.copy()
    for name in PRICES:
        capped[name] = frame[name].where(~mask, frame[name].clip(bottom, top))
    count = int(mask.sum())
    message = text("{count} outlier(s) were capped at the range of their neighbours.", count=count)
    return Fixed(capped, Step("cap_outliers", count, message), "cap", frame.index[mask])


FIXES: dict[str, Callable[[pd.DataFrame, Clock], Fixed]] = {
    "drop_unfinished": _drop_unfinished,
    "adjust_splits": _adjust_splits,
    "drop_stale": _drop_stale,
    "drop_outliers": _drop_outliers,
    "cap_outliers": _cap_outliers,
}
"""In the order in which they are applied: an unadjusted split would hide outliers, and stale candles would make all
moves look large."""
