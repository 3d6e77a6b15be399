"""Converts answers of a source to candles, and merges them with stored ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from kronos_app.data import revision
from kronos_app.data.candle_frame import FEATURES, CandleFrame
from kronos_app.data.draft import Draft, Finding
from kronos_app.data.source import FetchRequest


def to_candles(draft: Draft, request: FetchRequest) -> CandleFrame:
    """Return an answer ascending, each time once; faulty values stay as far as they are finite."""
    about = draft.about
    about = replace(about, symbol=about.symbol or request.symbol, interval=about.interval or request.interval)
    present = [name for name in FEATURES if name in draft.frame]
    frame = draft.frame.dropna(subset=["timestamp"])[["timestamp", *present]].reset_index(drop=True)
    times = CandleFrame(frame, draft.name, draft.source, draft.timezone).utc
    frame = frame.set_axis(times, axis=0).loc[lambda table: ~table.index.duplicated(keep="last")].sort_index()
    frame = frame.reset_index(drop=True).replace([np.inf, -np.inf], np.nan)
    return CandleFrame(frame, draft.name, draft.source, draft.timezone, about)


def to_draft(candles: CandleFrame, findings: Sequence[Finding] = ()) -> Draft:
    """Return stored candles as a draft, each finding once."""
    frame = candles.frame.set_axis(pd.RangeIndex(1, len(candles) + 1, name="row"), axis=0)
    distinct = {(finding.code, finding.message.render()): finding for finding in findings}
    columns = {str(name): str(name) for name in frame}
    return Draft(
        frame, candles.name, candles.source, candles.timezone, columns, findings=tuple(distinct.values()),
        about=candles.about,
    )  # fmt: skip


def replace_candles(stored: CandleFrame, fresh: Sequence[CandleFrame]) -> tuple[CandleFrame, int, float | None]:
    """Return fresh candles with the stored ones outside their ranges.

    Returns
    -------
    tuple
        All candles, how many of them are old, and the factor that the old ones were multiplied by; None where they do
        not differ by one factor and are unchanged.
    """
    latest = fresh[-1]
    whole = _stacked([_by_time(candles) for candles in reversed(fresh)])
    outside = np.ones(len(stored), dtype=bool)
    for candles in fresh:
        outside &= (stored.utc < candles.utc[0]) | (stored.utc > candles.utc[-1])
    old = replace(stored, frame=stored.frame[outside].reset_index(drop=True))
    factor: float | None = None
    if len(old) and old.utc[-1] < whole.index[0]:
        anew = replace(latest, frame=_timed(whole, "UTC"), timezone="UTC")
        old, factor = revision.rescaled(old, stored, anew) or (old, None)
    if len(old):
        whole = _stacked([_by_time(old), whole])
    return replace(latest, frame=_timed(whole, latest.timezone)), len(old), factor


def _by_time(candles: CandleFrame) -> pd.DataFrame:
    return candles.frame[candles.features].set_axis(candles.utc.as_unit("ns"), axis=0)


def _stacked(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return tables as one, ascending; of equal times the first table's is used, an absent column is zero."""
    present = [name for name in FEATURES if any(name in table for table in tables)]
    filled = [table.assign(**{name: 0.0 for name in present if name not in table})[present] for table in tables]
    whole = pd.concat(filled)
    return whole[~whole.index.duplicated()].sort_index()


def _timed(table: pd.DataFrame, timezone: str | None) -> pd.DataFrame:
    """Return a table with an index in UTC as the frame of candles, in local time."""
    times = pd.DatetimeIndex(table.index).tz_convert(timezone or "UTC").tz_localize(None).as_unit("ns")
    frame = table.reset_index(drop=True)
    frame.insert(0, "timestamp", times)
    return frame
