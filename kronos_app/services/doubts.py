"""What makes a forecast's data doubtful, as far as could be known when its last candle had come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from kronos_app.data.checks import suspect
from kronos_app.data.checks.telling import findings
from kronos_app.data.draft import Finding
from kronos_app.data.faults import usable
from kronos_app.i18n import text
from kronos_app.store.records import CandleSet

# Candles before those the model sees that tell what is usual in the series.
BEFORE = 2_000


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
    # A candle that had not ended is the last one there is, and it had not when the set was kept.
    found = suspect(frame, timezone=candles.timezone, calendar=candles.about.calendar, now=pd.Timestamp(saved.created))
    first = max(len(frame) - rows, 0)
    seen = np.arange(len(frame)) >= first
    found = replace(
        found,
        outliers=found.outliers & seen,
        jumps=found.jumps & seen,
        # A split before the first candle of the history is none within it.
        splits=[split for split in found.splits if split.position > first],
        stale=[run for run in found.stale if run.last >= first],
        silent=[run for run in found.silent if run.last >= first],
        mixed=[run for run in found.mixed if run.last >= first],
    )
    told = list(findings(frame, found))
    if impossible:
        message = text("{count} impossible candle(s) were kept as they are.", count=impossible)
        told.insert(0, Finding("impossible", "warning", message))
    return [replace(finding, rows=()) for finding in told]
