"""Instants of daily candles that are midnights at an exchange, read as its days."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kronos_app.data.draft import Finding, Severity
from kronos_app.data.upload.times.values import DAY, SECOND, Times, into_day
from kronos_app.data.upload.vocabulary import VOCABULARY
from kronos_app.i18n import Text, text

Settled = tuple[Times, str | None, tuple[Finding, ...]]
"""Times local to one zone, its name if there is one, and what was decided."""

ZONES: tuple[str, ...] = tuple(VOCABULARY["zone_names"]["exchanges"])
_SUNDAY_TO_THURSDAY = VOCABULARY["zone_names"]["sunday_to_thursday"]
FX_ZONE, FX_CLOSE = "America/New_York", 17 * 3600 * SECOND  # the day of currencies begins when New York closes
OPENING = 9 * 3600 * SECOND, 10 * 3600 * SECOND
FEWEST = 5
SHORTEST_STEP = DAY * 20 // 24


def find(instants: Times) -> Settled | None:
    """Return instants that are midnights of a zone as its days at 00:00, None where they are not.

    Only candles of a day and longer count, and only where the days are working days, or the first of months: a series
    that trades all seven days may begin its day at any hour of UTC.
    """
    distinct = np.unique(instants[~np.isnat(instants)])
    if len(distinct) < FEWEST or np.median(np.diff(distinct).astype(np.int64)) < SHORTEST_STEP:
        return None
    hours = np.unique(into_day(distinct))
    if not hours.any() or len(hours) > 3:
        return None
    zone = next((zone for zone in ZONES if _are_days(distinct, zone, 0, 0)), None)
    if zone is not None:
        message = text("The times are midnights in {zone}; they were read as days of that zone.", zone=zone)
        return _settled(to_local(instants, zone), zone, "info", message)
    if _are_days(distinct, FX_ZONE, FX_CLOSE, FX_CLOSE, shift=DAY - FX_CLOSE):
        message = text("The days begin at 17:00 in New York the evening before; they were read as days at 00:00.")
        days = to_local(instants, FX_ZONE) + np.timedelta64(DAY - FX_CLOSE, "ns")
        return _settled(days, None, "warning", message)
    if not set(pd.DatetimeIndex(distinct).weekday) & {5, 6}:
        return None
    # Days named by the opening of an exchange, weekends in UTC: Sydney opens on Sunday evening.
    zone = next((zone for zone in ZONES if _are_days(distinct, zone, *OPENING)), None)
    if zone is None:
        return None
    message = text("The times are days that begin as the exchange opens, on the clock of {zone}.", zone=zone)
    return _settled(to_local(instants, zone), zone, "info", message)


def _settled(days: Times, zone: str | None, severity: Severity, message: Text) -> Settled:
    return days, zone, (Finding("exchange_days", severity, message),)


def _are_days(instants: Times, zone: str, earliest: int, latest: int, shift: int = 0) -> bool:
    """Return whether instants are one time of day in a zone, within limits, and working days or firsts of months."""
    local = to_local(instants, zone)
    hours = np.unique(into_day(local))
    if len(hours) > 1 or not earliest <= hours[0] <= latest:
        return False
    days = pd.DatetimeIndex(local + np.timedelta64(shift, "ns"))
    weekend = {4, 5} if zone in _SUNDAY_TO_THURSDAY else {5, 6}
    return not set(days.weekday) & weekend or bool((days.day == 1).all())


def to_local(instants: Times, zone: str) -> Times:
    """Return instants as times on the clock of a zone."""
    local = pd.DatetimeIndex(instants).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    return local.to_numpy("datetime64[ns]")
