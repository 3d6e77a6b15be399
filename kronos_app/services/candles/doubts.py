"""Suspicions about the history of a forecast, from candles up to its cutoff only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from kronos_app.data.candle_frame import PRICES, CandleFrame
from kronos_app.data.checks import suspect
from kronos_app.data.checks.faults import usable
from kronos_app.data.checks.findings import findings
from kronos_app.data.checks.levels import LevelBreak, find_level_breaks
from kronos_app.data.checks.repair import has_repaired_rows
from kronos_app.data.draft import Finding
from kronos_app.errors import InvalidInput
from kronos_app.i18n import Text, text
from kronos_app.services.candles.market import market_of
from kronos_app.store.records import CandleSet

if TYPE_CHECKING:
    from engine.loading.registry import ModelSpec

# Candles before those the model sees that tell what is usual in the series.
BEFORE = 2_000
LOOK_AHEAD, HISTORY_CUT, SHORT_HISTORY = "look_ahead", "history_cut", "short_history"
ABOUT_RUN = frozenset({LOOK_AHEAD, HISTORY_CUT, SHORT_HISTORY})  # codes of findings that are not about the candles
FEWEST_CANDLES = 2  # of a history

Mark = Literal["look_ahead", "doubtful", "repaired"]


def doubts(saved: CandleSet, cutoff: pd.Timestamp | None, rows: int) -> list[Finding]:
    """Return what is suspicious about the history of a forecast; nothing after the cutoff is looked at.

    Parameters
    ----------
    cutoff
        Time of the last history candle; None for the last of all.
    rows
        How many candles the model is given.
    """
    candles = saved.candles
    frame = candles.frame if cutoff is None else candles.frame[candles.timestamps <= cutoff]
    impossible = len(frame.tail(rows)) - len(usable(frame.tail(rows)))
    frame = usable(frame.tail(rows + BEFORE))
    # Whether the last candle had ended is decided by the time at which the set was saved.
    suspects = suspect(
        frame, timezone=candles.timezone, calendar=candles.about.calendar, now=pd.Timestamp(saved.created)
    )
    first = max(len(frame) - rows, 0)
    seen = np.arange(len(frame)) >= first
    suspects = replace(
        suspects,
        outliers=suspects.outliers & seen,
        jumps=suspects.jumps & seen,
        # A split before the first candle of the history is none within it.
        splits=[split for split in suspects.splits if split.position > first],
        stale=[run for run in suspects.stale if run.last >= first],
        silent=[run for run in suspects.silent if run.last >= first],
        mixed=[run for run in suspects.mixed if run.last >= first],
    )
    result = list(findings(frame, suspects))
    if impossible:
        message = text("{count} impossible candle(s) were left as they are.", count=impossible)
        result.insert(0, Finding("impossible", "warning", message))
    return [replace(finding, rows=()) for finding in result]


def look_ahead(spec: ModelSpec, candles: CandleFrame, cutoff: pd.Timestamp) -> list[Finding]:
    """Return a warning where a model may have seen the actual candles of a replay, which are there after the cutoff."""
    until = spec.seen_until(market_of(candles))
    if until is None or cutoff.date() > until or cutoff >= candles.timestamps[-1]:
        return []
    message = text(
        "Look-ahead: {model} was trained or chosen on candles up to {until}. It may have seen the actual candles of "
        "this replay, so its scores here prove nothing in its favour.",
        model=spec.name, until=until.isoformat(),
    )  # fmt: skip
    return [Finding(LOOK_AHEAD, "warning", message)]


def mark_data(provenance: Mapping[str, Any]) -> list[Mark]:
    """Return what a list says about the data of a forecast."""
    codes = {warning["code"] for warning in provenance.get("warnings", ())}
    marks: dict[Mark, bool] = {
        "look_ahead": LOOK_AHEAD in codes,
        "doubtful": bool(codes - ABOUT_RUN),
        "repaired": has_repaired_rows(provenance.get("repair") or {}),
    }
    return [mark for mark, holds in marks.items() if holds]


def refuse_level_breaks(candles: CandleFrame, rows: int) -> None:
    """Refuse a history with a change of the price level that makes its median and its bands wrong.

    Parameters
    ----------
    candles
        Up to the cutoff.
    rows
        How many candles, at the end, the model is given.

    Raises
    ------
    InvalidInput
        Names the last such change and the lookback that leaves it out.
    """
    frame = usable(candles.frame.tail(rows + BEFORE))
    if len(frame) < FEWEST_CANDLES:
        return
    volume = frame["volume"].to_numpy(np.float64) if "volume" in frame and frame["volume"].any() else None
    first = len(frame) - len(usable(candles.frame.tail(rows)))
    breaks = [
        change
        for change in find_level_breaks(frame[list(PRICES)].to_numpy(np.float64), volume)
        if change.position > first
    ]
    if not breaks:
        return
    last = breaks[-1]
    after = len(frame) - last.position
    time = str(frame["timestamp"].iloc[last.position])
    raise InvalidInput("level_break", _broken(candles.name, last, time), _way_out(last, after))


def _broken(name: str, change: LevelBreak, time: str) -> Text:
    if change.split is not None:
        new, old = change.split.shares
        return text(
            "lookback: {name} is not adjusted for a split of {new} for {old} at {time}. Median and bands of a forecast "
            "from both price levels would be wrong.",
            name=name, new=new, old=old, time=time,
        )  # fmt: skip
    return text(
        "lookback: the price level of {name} changes {factor}-fold at {time}, as after a split of an unusual ratio. "
        "Median and bands of a forecast from both price levels would be wrong.",
        name=name, factor=f"{max(change.factor, 1 / change.factor):.3g}", time=time,
    )  # fmt: skip


def _way_out(change: LevelBreak, after: int) -> Text:
    if after < FEWEST_CANDLES:
        return text("Adjust the candles for the split on the Data page, or choose an earlier cutoff.")
    if change.split is not None:
        return text(
            "Adjust the candles for the split on the Data page (over REST: fixes=adjust_splits), or set lookback to "
            "{after} or less.",
            after=after,
        )
    return text("Upload adjusted candles, or set lookback to {after} or less.", after=after)
