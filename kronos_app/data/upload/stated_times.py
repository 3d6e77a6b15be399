"""Times for a file that has none: a stated start and a stated interval."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

import pandas as pd

from kronos_app.data.draft import Draft, Finding
from kronos_app.data.upload.columns import shorten
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

INTERVALS = ("1min", "5min", "15min", "30min", "1h", "4h", "1d", "1b", "1w", "1mo")
_UNITS = {
    "s": "s", "sec": "s", "m": "min", "min": "min", "t": "min", "h": "h", "hour": "h", "d": "D", "day": "D", "b": "B",
    "w": "weeks", "week": "weeks", "mo": "months", "mon": "months", "month": "months",
}  # fmt: skip


def with_stated_times(draft: Draft, start: datetime | None, interval: str | None) -> Draft:
    """Return a draft with the times that the user stated; unchanged where nothing is stated.

    Raises InvalidInput: only one of both is stated, the interval is not understood, or the times exceed the range of
    dates.
    """
    if start is None and interval is None:
        return draft
    if start is None or interval is None:
        raise InvalidInput(
            "incomplete_times",
            text("“{name}” has no time column: start and interval are needed together.", name=draft.name),
            text("State the time of the first candle and the interval, such as 5min, 1h or 1d."),
        )
    first = pd.Timestamp(start)
    try:
        times = pd.date_range(first.tz_localize(None), periods=len(draft), freq=_offset(interval)).as_unit("ns")
    except (OverflowError, ValueError) as error:
        raise InvalidInput(
            "times_out_of_range",
            text(
                "{rows} candles every {interval} from {start} exceed the range of dates.",
                rows=len(draft), interval=interval, start=str(first),
            ),
            text("State a shorter interval or an earlier start."),
        ) from error  # fmt: skip
    frame = draft.frame.copy()
    frame.insert(0, "timestamp", times)
    message = text(
        "The file has no times; they were stated: every {interval} from {start}.", interval=interval, start=str(first)
    )
    findings = (*draft.findings, Finding("stated_times", "info", message))
    zone = None if first.tzinfo is None else str(first.tzinfo)
    return replace(draft, frame=frame, timezone=zone, needs_timestamps=False, findings=findings)


def _offset(interval: str) -> pd.offsets.BaseOffset:
    match = re.fullmatch(r"\s*(?!0+\D)(\d{1,4})\s*([A-Za-z]+?)s?\s*", interval)
    unit = "" if match is None else "mo" if match[2] == "M" else match[2].lower()
    if match is None or unit not in _UNITS:
        raise InvalidInput(
            "unknown_interval",
            text("“{interval}” is not an interval.", interval=shorten(interval)),
            text("Use a number and a unit: {examples}.", examples=", ".join(INTERVALS)),
        )
    count, step = int(match[1]), _UNITS[unit]
    if step == "weeks":
        return pd.DateOffset(weeks=count)
    if step == "months":
        return pd.DateOffset(months=count)
    return pd.tseries.frequencies.to_offset(f"{count}{step}")
