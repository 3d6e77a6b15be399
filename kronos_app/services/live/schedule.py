"""When a followed series is checked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

SETTLE = timedelta(seconds=15)  # after the end of a candle, until its source has it
LONGEST_PAUSE = timedelta(hours=6)  # after failures
CADENCES = (60, 300, 900, 1800, 3600, 4 * 3600, 24 * 3600)


def next_check(moment: datetime, cadence: int) -> datetime:
    """Return the time of the next check: a little after the next whole multiple of the poll interval.

    >>> next_check(datetime(2026, 1, 1, 10, 7, tzinfo=UTC), 900).isoformat()
    '2026-01-01T10:15:15+00:00'
    """
    start = datetime(1970, 1, 1, tzinfo=UTC) + SETTLE
    step = timedelta(seconds=cadence)
    return start + ((moment - start) // step + 1) * step


def retry_pause(cadence: int, failures: int) -> timedelta:
    """Return the pause after consecutive failures: doubled each time, up to `LONGEST_PAUSE` or the poll interval."""
    usual = timedelta(seconds=cadence)
    return min(usual * (1 << min(failures - 1, 20)), max(LONGEST_PAUSE, usual))


def suggest_cadence(length: timedelta, least: int) -> int:
    """Return the default poll interval in seconds: four checks per candle, at most one hour."""
    seconds = min(length.total_seconds() / 4, 3600)
    return max(max((cadence for cadence in CADENCES if cadence <= seconds), default=CADENCES[0]), least)
