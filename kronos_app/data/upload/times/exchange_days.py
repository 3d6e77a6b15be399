"""Instants of daily candles that are midnights at an exchange, read as its days."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kronos_app.data.draft import Finding
from kronos_app.data.upload.times.values import DAY, NAT, SECOND, Mask, Times
from kronos_app.i18n import text

# Zones of exchanges, the larger markets first; of zones with the same clock one is enough.
ZONES = (
    "Asia/Shanghai", "America/New_York", "Europe/London", "Europe/Berlin", "Asia/Tokyo", "Asia/Kolkata",
    "America/Chicago", "Europe/Athens", "Asia/Ho_Chi_Minh", "Europe/Moscow", "Australia/Sydney", "America/Sao_Paulo",
    "Europe/Istanbul", "Asia/Riyadh", "Asia/Jerusalem", "Africa/Johannesburg", "Africa/Cairo", "Asia/Dubai",
    "Asia/Karachi", "Asia/Dhaka", "Asia/Kathmandu", "Asia/Colombo", "Pacific/Auckland", "America/Mexico_City",
    "America/Bogota", "America/Santiago", "America/Argentina/Buenos_Aires",
)  # fmt: skip
SUNDAY_TO_THURSDAY = frozenset({"Asia/Riyadh", "Asia/Jerusalem", "Africa/Cairo", "Asia/Dhaka"})
FX_ZONE, FX_CLOSE = "America/New_York", 17 * 3600 * SECOND  # the day of currencies begins when New York closes
OPENING = 9 * 3600 * SECOND, 10 * 3600 * SECOND
FEWEST = 5
SHORTEST_STEP = DAY * 20 // 24


def find(instants: Times) -> tuple[Times, str | None, tuple[Finding, ...]] | None:
    """Return instants that are midnights of a zone as its days at 00:00, None where they are not.

    Only candles of a day and longer count, and only where the days are working days, or the first of months: a series
    that trades all seven days may begin its day at any hour of UTC.
    """
    good = ~np.isnat(instants)
    known = np.unique(instants[good])
    if len(known) < FEWEST or np.median(np.diff(known).astype(np.int64)) < SHORTEST_STEP:
        return None
    hours = np.unique(known.astype(np.int64) % DAY)
    if not hours.any() or len(hours) > 3:
        return None
    for zone in ZONES:
        local = _local(known, zone)
        if not (local.astype(np.int64) % DAY).any() and _are_trading_days(local, zone):
            return _days(instants, zone)
    return _currency_days(instants, good, known) or _openings(instants, known)


def _days(instants: Times, zone: str) -> tuple[Times, str | None, tuple[Finding, ...]]:
    message = text("The times are midnights in {zone}; they were read as days of that zone.", zone=zone)
    return _local(instants, zone), zone, (Finding("exchange_days", "info", message),)


def _currency_days(instants: Times, good: Mask, known: Times) -> tuple[Times, str | None, tuple[Finding, ...]] | None:
    """Return days that begin at 17:00 in New York the evening before, as vendors of currencies have them."""
    if (_local(known, FX_ZONE).astype(np.int64) % DAY != FX_CLOSE).any():
        return None
    shift = np.timedelta64(DAY - FX_CLOSE, "ns")
    if not _are_trading_days(_local(known, FX_ZONE) + shift, FX_ZONE):
        return None
    message = text("The days begin at 17:00 in New York the evening before; they were read as days at 00:00.")
    days = np.where(good, _local(instants, FX_ZONE) + shift, NAT)
    return days, None, (Finding("exchange_days", "warning", message),)


def _openings(instants: Times, known: Times) -> tuple[Times, str | None, tuple[Finding, ...]] | None:
    """Return days named by the opening of an exchange on the clock of its zone, where in UTC they are weekends.

    Sydney opens on Sunday evening in UTC.
    """
    if not set(pd.DatetimeIndex(known).weekday) & {5, 6}:
        return None
    for zone in ZONES:
        local = _local(known, zone)
        hours = np.unique(local.astype(np.int64) % DAY)
        if len(hours) == 1 and OPENING[0] <= hours[0] <= OPENING[1] and _are_trading_days(local, zone):
            message = text("The times are days that begin as the exchange opens, on the clock of {zone}.", zone=zone)
            return _local(instants, zone), zone, (Finding("exchange_days", "info", message),)
    return None


def _are_trading_days(days: Times, zone: str) -> bool:
    weekdays = pd.DatetimeIndex(days).weekday
    last_free = {4, 5} if zone in SUNDAY_TO_THURSDAY else {5, 6}
    return not set(weekdays) & last_free or bool((pd.DatetimeIndex(days).day == 1).all())


def _local(instants: Times, zone: str) -> Times:
    local = pd.DatetimeIndex(instants).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    return local.to_numpy("datetime64[ns]")
