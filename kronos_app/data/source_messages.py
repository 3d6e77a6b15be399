"""Errors and findings that market data sources have in common."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pandas as pd

from kronos_app.data.draft import Finding
from kronos_app.data.source import FetchRequest, Interval
from kronos_app.errors import InvalidInput, NotFound, Unavailable
from kronos_app.i18n import Text, text

_REFUSED = (
    text("{source} refuses access from this network."),
    text("Some sources block networks and countries: try another connection, or an API key in the secrets."),
)
_FAULT = (text("{source} is out of service ({detail})."), text("Try again later."))
_INVALID = (
    text("The answer of {source} is invalid."),
    text("Try again later. A proxy or login page may interfere, or the source changed and the app needs an update."),
)
_UNAVAILABLE = {
    "source_refused": _REFUSED,
    "access_denied": _REFUSED,
    "source_fault": _FAULT,
    "source_down": _FAULT,
    "malformed_answer": _INVALID,
    "bad_answer": _INVALID,
    "rate_limited": (
        text("{source} rejects requests for now: too many were sent (rate limit)."),
        text("Wait {seconds} seconds, then fetch again, fewer series at a time."),
    ),
    "timed_out": (
        text("{source} did not answer within {seconds} seconds."),
        text("Try again later, or choose a shorter range."),
    ),
    "unreachable": (text("{source} cannot be reached."), text("Check the network and the proxy, then try again.")),
    "connection_cut": (
        text("The connection to {source} was lost before the answer was complete."),
        text("Check the network and the proxy, then try again."),
    ),
    "clock_off": (
        text("{source} rejects requests with the time of this machine."),
        text("Set the clock of this machine."),
    ),
}


def unavailable(code: str, source: Text | str, **values: object) -> Unavailable:
    """Return the error of a source that gives no answer, by its code."""
    message, hint = _UNAVAILABLE[code]
    return Unavailable(code, Text(message.msgid, {"source": source, **values}), Text(hint.msgid, values))


def find_interval(source: Text, intervals: Sequence[Interval], key: str) -> Interval:
    """Return the interval of a key; raise `InvalidInput` with the keys that exist."""
    for interval in intervals:
        if interval.key == key:
            return interval
    raise InvalidInput(
        "unknown_interval",
        text("{source} has no interval “{interval}”.", source=source, interval=key[:20]),
        text("Its intervals: {intervals}.", intervals=", ".join(interval.key for interval in intervals)),
    )


def no_candles(source: Text, symbol: str, interval: str, start: datetime, end: datetime) -> NotFound:
    """Return the error of a range without completed candles."""
    return NotFound(
        "no_candles",
        text(
            "{source} has no completed {interval} candle of {symbol} between {start} and {end}.",
            source=source, interval=interval, symbol=symbol, start=utc(start), end=utc(end),
        ),
        text("The market was closed, or the instrument was not traded yet or no longer. Choose a longer range."),
    )  # fmt: skip


def no_candles_in_range(source: Text, request: FetchRequest) -> NotFound:
    """Return the error of a request without candles whose range is not known exactly."""
    return NotFound(
        "no_candles",
        text(
            "{source} has no {interval} candle of {symbol} in this range.",
            source=source, interval=request.interval, symbol=request.symbol,
        ),
        text("Choose a longer range: the instrument may not have been traded yet, or no longer."),
    )  # fmt: skip


def reversed_range() -> InvalidInput:
    """Return the error of a range that ends before it starts."""
    return InvalidInput(
        "empty_range", text("The range ends before it starts."), text("Choose an earlier start or a later end.")
    )


def empty_range(start: datetime, end: datetime) -> InvalidInput:
    """Return the error of a range that ends before it starts, or lies in the future."""
    return InvalidInput(
        "empty_range",
        text("The range from {start} to {end} is empty or in the future.", start=utc(start), end=utc(end)),
        text("Choose a start before the end, and before now."),
    )


def range_starts_later(source: Text | str, interval: str, start: datetime | pd.Timestamp) -> Finding:
    """Return the finding that a source has no candles before `start`."""
    message = text(
        "{source} has {interval} candles only from {start}.", source=source, interval=interval, start=utc(start)
    )
    return Finding("range_cut", "info", message)


def unfinished_candle(opened: pd.Timestamp) -> Finding:
    """Return the finding that the last candle was left out because it is not complete."""
    message = text("The candle of {time} is not complete and is left out.", time=f"{opened:%Y-%m-%d %H:%M}")
    return Finding("unfinished_candle", "info", message)


def empty_rows(count: int) -> Finding:
    """Return the finding that candles without prices were left out."""
    return Finding("empty_rows", "info", text("{count} candles without prices are left out.", count=count))


def clock_differs(source: Text, offset: timedelta) -> Finding:
    """Return the finding that a source's clock is `offset` ahead of this machine's."""
    message = text(
        "The clock of {source} differs by {minutes} minutes from this machine's; the source's clock was used.",
        source=source,
        minutes=f"{round(offset / timedelta(minutes=1)):+d}",
    )
    return Finding("clock_differs", "warning", message)


def utc(moment: datetime) -> str:
    """Return a time in UTC for display, to the minute; naive times are UTC already."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{aware:%Y-%m-%d %H:%M} UTC"
