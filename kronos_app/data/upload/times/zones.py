"""From times on the clock and their offsets to times local to one zone."""

from __future__ import annotations

from zoneinfo import available_timezones

import numpy as np
import pandas as pd

from kronos_app.data.draft import Finding
from kronos_app.data.upload.cells import Integers, Mask
from kronos_app.data.upload.times import exchange_days, zone_names
from kronos_app.data.upload.times.exchange_days import Settled, to_local
from kronos_app.data.upload.times.values import DAY, NAT, Reading, Times, into_day
from kronos_app.i18n import text

# Tried first, so that offsets of Berlin are not called Arctic/Longyearbyen.
WELL_KNOWN = (*exchange_days.ZONES, "America/Los_Angeles", "America/Denver", "America/Halifax")
WEEK = 7 * DAY
PROBES = 400  # instants that a zone is tried with before all of them


def settle(reading: Reading, stated: str | None, header: str) -> Settled:
    """Return times local to one zone.

    Parameters
    ----------
    stated
        Zone that the user states: times without one are local to it, instants are converted to it.
    header
        Header of the column, which may name the zone of times that state none.
    """
    good = ~np.isnat(reading.values)
    if not reading.zoned[good].any():
        return _by_header(reading.values, good, header) if stated is None else (reading.values, stated, ())
    instants = np.where(good, reading.values - reading.offsets.astype("timedelta64[ns]"), NAT)
    findings: tuple[Finding, ...] = ()
    if not reading.zoned[good].all():
        message = text(
            "Only some times state a time zone; all were converted to UTC, those without one taken as UTC already."
        )
        findings = (Finding("mixed_time_zones", "warning", message),)
    if stated is not None:
        return _convert(instants, stated, findings)
    if findings:
        return instants, "UTC", findings
    if reading.zone is not None:
        return _convert(instants, reading.zone, ())
    offsets = np.unique(reading.offsets[good])
    if len(offsets) > 1:
        return _settle_several(reading.values, instants, reading.offsets, good)
    days = exchange_days.find(instants) if offsets[0] == 0 else None
    return days or (reading.values, zone_names.offset_name(int(offsets[0])), ())


def _by_header(values: Times, good: Mask, header: str) -> Settled:
    """Settle times that state no zone by the header of their column."""
    zone = zone_names.of_header(header)
    if zone is None:
        return values, None, ()
    if local := _with_summer_time(values[good], zone, header):
        message = text(
            "The header “{header}” names a standard time, but trading hours follow summer time: the times were read as "
            "those of {zone}.", header=header, zone=local,
        )  # fmt: skip
        return values, local, (Finding("time_zone", "warning", message),)
    message = text("The header “{header}” names the time zone of the times: {zone}.", header=header, zone=zone)
    return values, zone, (Finding("time_zone", "info", message),)


def _with_summer_time(clock: Times, fixed: str, header: str) -> str | None:
    """Return the zone of a header such as `Time (EST)` where the hours of trading follow its summer time, too.

    Vendors write EST and CET in summer as well. On a clock that is never changed, trading is an hour earlier then.
    """
    zone = zone_names.zone_of_standard_time(header)
    if zone is None:
        return None
    offsets = localize(clock, zone)
    summer = offsets != zone_names.offset(fixed)
    if summer.all() or not summer.any():
        return None
    change = int(offsets.max() - offsets.min())
    winter_slots = np.unique(clock[~summer].astype(np.int64) % WEEK)
    summer_slots = clock[summer].astype(np.int64)
    unmoved, moved = (np.isin(times % WEEK, winter_slots).mean() for times in (summer_slots, summer_slots + change))
    return zone if unmoved > moved else None


def localize(values: Times, zone: str) -> Integers:
    """Return the offsets from UTC of times on the clock of a zone, in nanoseconds.

    A time that the clocks repeat is resolved by the order of times, else it is the first of the two.
    """
    clock = pd.DatetimeIndex(values)
    try:
        local = clock.tz_localize(zone, ambiguous="infer", nonexistent="shift_forward")
    except ValueError:
        local = clock.tz_localize(zone, ambiguous=np.ones(len(clock), dtype=bool), nonexistent="shift_forward")
    utc = local.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[ns]")
    return np.where(np.isnat(values), 0, (values - utc).astype(np.int64))


def _convert(instants: Times, zone: str, findings: tuple[Finding, ...]) -> Settled:
    local = to_local(instants, zone)
    if _count(local) < _count(instants):
        return instants, "UTC", (*findings, _repeated())
    return local, zone, findings


def _settle_several(clock: Times, instants: Times, offsets: Integers, good: Mask) -> Settled:
    """Settle times of several offsets: local to the zone that has them, days of the exchange, or in UTC."""
    zone = _find_zone(instants[good], offsets[good])
    if zone is not None and _count(clock) != _count(instants):
        return instants, "UTC", (_repeated(),)
    if zone is not None:
        message = text("The offsets from UTC are those of {zone}; the times are local to it.", zone=zone)
        return _whole_days(clock), zone, (Finding("time_zone", "info", message),)
    if not into_day(clock[good]).any():
        message = text("No time zone has the offsets from UTC; the days were read as written, without a zone.")
        return clock, None, (Finding("mixed_time_zones", "warning", message),)
    message = text("The times have several offsets from UTC; all were converted to UTC.")
    return instants, "UTC", (Finding("mixed_time_zones", "warning", message),)


def _find_zone(instants: Times, offsets: Integers) -> str | None:
    """Return the first well-known zone, else the first of all by name, whose clocks have these offsets."""
    order = np.argsort(instants, kind="stable")
    change = np.flatnonzero(np.diff(offsets[order]))
    if len(change) > PROBES:
        return None  # clocks change twice a year
    probe = order[np.unique(np.r_[0, change, change + 1, len(order) - 1])]
    others = sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))
    zones = WELL_KNOWN if len(instants) < 3 else dict.fromkeys((*WELL_KNOWN, *others))  # two offsets fit too many zones
    return next((z for z in zones if _has(z, instants[probe], offsets[probe]) and _has(z, instants, offsets)), None)


def _has(zone: str, instants: Times, offsets: Integers) -> bool:
    return bool(((to_local(instants, zone) - instants).astype(np.int64) == offsets).all())


def _whole_days(clock: Times) -> Times:
    """Return days at 00:00 where all but those that begin at 01:00, as clocks go forward at midnight, do so."""
    good = ~np.isnat(clock)
    late = good & (into_day(clock) == DAY // 24)
    if not into_day(clock[good & ~late]).any() and 10 * late.sum() <= good.sum():
        return np.where(late, clock - np.timedelta64(1, "h"), clock)
    return clock


def _count(times: Times) -> int:
    ordered = np.sort(times[~np.isnat(times)])  # much faster than np.unique for times
    return int((np.diff(ordered).astype(np.int64) != 0).sum()) + bool(len(ordered))


def _repeated() -> Finding:
    message = text("Local times repeat when clocks go back, so all times were converted to UTC.")
    return Finding("mixed_time_zones", "warning", message)
