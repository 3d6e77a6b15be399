"""From times on the clock and their offsets to times local to one zone."""

from __future__ import annotations

from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pandas as pd

from kronos_app.data.draft import Finding
from kronos_app.data.upload.times import exchange_days, zone_names
from kronos_app.data.upload.times.values import DAY, NAT, Integers, Mask, Reading, Times
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

# Tried first, so that offsets of Berlin are not called Arctic/Longyearbyen.
WELL_KNOWN = (*exchange_days.ZONES, "America/Los_Angeles", "America/Denver", "America/Halifax")
WEEK = 7 * DAY
PROBES = 400  # instants that a zone is tried with before all of them


def check(timezone: str | None) -> str | None:
    """Return the name of a zone that a user states as the time zone database spells it.

    Raises
    ------
    InvalidInput
        There is no such zone.
    """
    if timezone is None:
        return None
    name = zone_names.iana(timezone)
    if name is None:
        nanoseconds = zone_names.offset(timezone)
        name = None if nanoseconds is None else zone_names.offset_name(nanoseconds)
    if name is None:
        raise InvalidInput(
            "unknown_timezone",
            text("There is no time zone “{name}”.", name=timezone[:40]),
            text("Use a name such as Asia/Shanghai, America/New_York or UTC."),
        )
    return name


def settle(reading: Reading, stated: str | None, header: str) -> tuple[Times, str | None, tuple[Finding, ...]]:
    """Return times local to one zone, its name if there is one, and what was decided.

    Parameters
    ----------
    stated
        Zone that the user states: times without one are local to it, instants are brought there.
    header
        Header of the column, which may name the zone of times that state none.
    """
    good = ~np.isnat(reading.values)
    if not reading.zoned[good].any():
        zone = stated or zone_names.of_header(header)
        if (
            stated is None
            and zone is not None
            and (local := _summer_too(reading.values[good], zone, header)) is not None
        ):
            return reading.values, local, (_with_summer(header, local),)
        return reading.values, zone, () if stated or zone is None else (_named_by_header(header, zone),)
    findings = () if reading.zoned[good].all() else (_partly(),)
    instants = np.where(good, reading.values - reading.offsets.astype("timedelta64[ns]"), NAT)
    if stated is not None:
        return _brought_to(instants, stated, findings)
    if findings:
        return instants, "UTC", findings
    if reading.zone is not None:
        return _brought_to(instants, reading.zone, ())
    offsets = np.unique(reading.offsets[good])
    if len(offsets) > 1:
        return _several(reading.values, instants, reading.offsets, good)
    if offsets[0] == 0 and (days := exchange_days.find(instants)) is not None:
        return days
    return reading.values, zone_names.offset_name(int(offsets[0])), ()


def _summer_too(clock: Times, fixed: str, header: str) -> str | None:
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
    kept, moved = (np.isin(times % WEEK, winter_slots).mean() for times in (summer_slots, summer_slots + change))
    return zone if kept > moved else None


def localize(values: Times, zone: str) -> Integers:
    """Return the offsets from UTC of times on the clock of a zone, in nanoseconds.

    Of two times that the clocks repeat, their order tells which is which, else it is the first.
    """
    clock = pd.DatetimeIndex(values)
    first = np.ones(len(clock), dtype=bool)
    try:
        local = clock.tz_localize(zone, ambiguous="infer", nonexistent="shift_forward")
    except ValueError:
        local = clock.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    utc = local.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[ns]")
    return np.where(np.isnat(values), 0, (values - utc).astype(np.int64))


def to_local(instants: Times, zone: str) -> Times:
    """Return instants as times on the clock of a zone."""
    local = pd.DatetimeIndex(instants).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    return local.to_numpy("datetime64[ns]")


def _brought_to(
    instants: Times, zone: str, findings: tuple[Finding, ...]
) -> tuple[Times, str | None, tuple[Finding, ...]]:
    local = to_local(instants, zone)
    if _count(local) < _count(instants):
        return instants, "UTC", (*findings, converted("autumn"))
    return local, zone, findings


def _several(
    clock: Times, instants: Times, offsets: Integers, good: Mask
) -> tuple[Times, str | None, tuple[Finding, ...]]:
    """Settle times of several offsets: local to the zone that has them, days of the exchange, or in UTC."""
    zone = _fit(instants[good], offsets[good])
    if zone is not None and _count(clock) == _count(instants):
        message = text("The offsets from UTC are those of {zone}; the times are local to it.", zone=zone)
        return _whole_days(clock), zone, (Finding("time_zone", "info", message),)
    days = clock[good]
    if zone is None and not (days.astype(np.int64) % DAY).any():
        message = text("No time zone has the offsets from UTC; the days were read as written, without a zone.")
        return clock, None, (Finding("mixed_time_zones", "warning", message),)
    return instants, "UTC", (converted("several" if zone is None else "autumn"),)


def _fit(instants: Times, offsets: Integers) -> str | None:
    """Return the first well-known zone, else the first of all by name, whose clocks have these offsets."""
    order = np.argsort(instants, kind="stable")
    change = np.flatnonzero(np.diff(offsets[order]))
    if len(change) > PROBES:
        return None  # clocks change twice a year
    probe = order[np.unique(np.r_[0, change, change + 1, len(order) - 1])]
    others = sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))
    for name in dict.fromkeys((*WELL_KNOWN, *others)):
        if _has(name, instants[probe], offsets[probe]) and _has(name, instants, offsets):
            return name
    return None


def _has(zone: str, instants: Times, offsets: Integers) -> bool:
    if len(instants) < 3 and ZoneInfo(zone).key not in WELL_KNOWN:
        return False  # two offsets fit too many zones
    return bool(((to_local(instants, zone) - instants).astype(np.int64) == offsets).all())


def _whole_days(clock: Times) -> Times:
    """Return days at 00:00 where all but those that begin at 01:00, as clocks go forward at midnight, do so."""
    into = clock.astype(np.int64) % DAY
    good = ~np.isnat(clock)
    late = good & (into == DAY // 24)
    if (into[good & ~late] == 0).all() and 10 * late.sum() <= good.sum():
        return np.where(late, clock - np.timedelta64(1, "h"), clock)
    return clock


def _count(times: Times) -> int:
    ordered = np.sort(times[~np.isnat(times)])  # much faster than np.unique for times
    return int((np.diff(ordered).astype(np.int64) != 0).sum()) + bool(len(ordered))


def _named_by_header(header: str, zone: str) -> Finding:
    message = text("The header “{header}” names the time zone of the times: {zone}.", header=header, zone=zone)
    return Finding("time_zone", "info", message)


def _with_summer(header: str, zone: str) -> Finding:
    message = text(
        "The header “{header}” names a standard time, but trading keeps its hours in summer: the times were read as "
        "those of {zone}.", header=header, zone=zone,
    )  # fmt: skip
    return Finding("time_zone", "warning", message)


def _partly() -> Finding:
    message = text(
        "Only some times state a time zone; all were brought to UTC, those without one taken as UTC already."
    )
    return Finding("mixed_time_zones", "warning", message)


def converted(why: str) -> Finding:
    """Return the finding for times that were brought to UTC."""
    if why == "autumn":
        message = text("Local times repeat when clocks go back, so all times were converted to UTC.")
    else:
        message = text("The times have several offsets from UTC; all were converted to UTC.")
    return Finding("mixed_time_zones", "warning", message)
