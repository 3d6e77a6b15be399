"""Repairs of what can be read and yet is suspicious: each a choice, each told in a sentence and in changed cells."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from kronos_app.data.candle_frame import PRICES
from kronos_app.data.checks import suspect
from kronos_app.data.checks.runs import cover
from kronos_app.errors import InvalidInput
from kronos_app.i18n import Text, text

# In the order in which they are applied, whatever order they are asked for in: a split not adjusted for would hide
# outliers, and stale candles would make all moves look large.
FIXES = ("drop_unfinished", "adjust_splits", "drop_stale", "drop_outliers", "cap_outliers")
PARTNERS = {"drop_outliers", "cap_outliers"}  # one excludes the other


@dataclass(frozen=True)
class Step:
    """One thing done to the candles, beyond the repair of faults.

    Attributes
    ----------
    kind
        One of `FIXES`, or `resample`.
    count
        Candles changed or left out; splits, for `adjust_splits`.
    message
        What was done, for people.
    """

    kind: str
    count: int
    message: Text

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form with a message that can still be translated."""
        return {"kind": self.kind, "count": self.count, "message": self.message.to_dict()}


@dataclass(frozen=True)
class Clock:
    """What tells whether the last candle had ended: the series' zone and calendar, and the present."""

    timezone: str | None = None
    calendar: str | None = None
    now: pd.Timestamp | None = None


@dataclass(frozen=True)
class Fixed:
    """Candles after a fix, what was done, and the file rows that were left out or changed; none where nothing was."""

    frame: pd.DataFrame
    step: Step | None = None
    action: str = ""
    rows: pd.Index[int] = field(default_factory=lambda: pd.Index([], dtype="int64"))


def check(fixes: Collection[str]) -> list[str]:
    """Return `fixes` in the order in which they are applied.

    Raises
    ------
    InvalidInput
        One is unknown, or outliers are to be both capped and left out.
    """
    for name in fixes:
        if name not in FIXES:
            raise InvalidInput(
                "unknown_fix",
                text("There is no fix “{name}”.", name=str(name)[:40]),
                text("Choose among {fixes}.", fixes=", ".join(FIXES)),
            )
    if set(fixes) >= PARTNERS:
        raise InvalidInput(
            "two_fixes",
            text("Outliers cannot be capped and left out at once."),
            text("Choose one of drop_outliers and cap_outliers."),
        )
    return [name for name in FIXES if name in fixes]


def apply(frame: pd.DataFrame, name: str, clock: Clock) -> Fixed:
    """Return candles, fault-free and in the order of time, with one fix applied; the index is kept."""
    fix: Callable[[pd.DataFrame, Clock], Fixed] = {
        "drop_unfinished": _drop_unfinished,
        "adjust_splits": _adjust_splits,
        "drop_stale": _drop_stale,
        "drop_outliers": _drop_outliers,
        "cap_outliers": _cap_outliers,
    }[name]
    return fix(frame, clock)


def _drop_unfinished(frame: pd.DataFrame, clock: Clock) -> Fixed:
    found = suspect(frame, timezone=clock.timezone, calendar=clock.calendar, now=clock.now)
    if not found.unfinished:
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
    message = text(
        "Prices were adjusted for {count} split(s): {splits}.",
        count=len(splits),
        splits=", ".join(_said(frame, split.position, split.shares) for split in splits),
    )
    # All before a split changes alike: the candle just before it shows how.
    shown = frame.index[[split.position - 1 for split in splits]]
    return Fixed(adjusted, Step("adjust_splits", len(splits), message), "split", shown)


def _said(frame: pd.DataFrame, position: int, shares: tuple[int, int]) -> str:
    return f"{shares[0]}:{shares[1]} {frame['timestamp'].iloc[position]:%Y-%m-%d}"


def _drop_stale(frame: pd.DataFrame, _clock: Clock) -> Fixed:
    message = text("{count} candle(s) that repeat the prices before them without new volume were left out.")
    return _without(frame, cover(suspect(frame).stale, len(frame)), "drop_stale", "stale", message)


def _drop_outliers(frame: pd.DataFrame, _clock: Clock) -> Fixed:
    message = text("{count} candle(s) that stand out were left out.")
    return _without(frame, suspect(frame).outliers, "drop_outliers", "outlier", message)


def _without(frame: pd.DataFrame, mask: np.ndarray[Any, Any], kind: str, action: str, message: Text) -> Fixed:
    count = int(mask.sum())
    if not count:
        return Fixed(frame)
    return Fixed(frame[~mask], Step(kind, count, text(message.msgid, count=count)), action, frame.index[mask])


def _cap_outliers(frame: pd.DataFrame, _clock: Clock) -> Fixed:
    """Bring the prices of candles that stand out into the range of the candles beside them."""
    mask = suspect(frame).outliers
    if not mask.any():
        return Fixed(frame)
    # Of two outliers in a row neither is a measure for the other.
    high = frame["high"].where(~mask)
    low = frame["low"].where(~mask)
    top = np.fmax(high.ffill().shift(1), high.bfill().shift(-1))
    bottom = np.fmin(low.ffill().shift(1), low.bfill().shift(-1))
    capped = frame.copy()
    for name in PRICES:
        capped[name] = frame[name].where(~mask, frame[name].clip(bottom, top))
    count = int(mask.sum())
    message = text("{count} candle(s) that stand out were brought into the range of their neighbours.", count=count)
    return Fixed(capped, Step("cap_outliers", count, message), "cap", frame.index[mask])
