"""Time zones as files name them, in cells and in headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from zoneinfo import available_timezones

from kronos_app.data.upload.vocabulary import VOCABULARY, invert
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

MINUTE = 60_000_000_000
_OFFSETS = {name: int(minutes) * MINUTE for name, minutes in invert(VOCABULARY["zone_minutes"]).items()}
_MARKETS: Mapping[str, str] = VOCABULARY["zone_markets"]
_STANDARD_TIMES: Mapping[str, str] = VOCABULARY["zone_standard_times"]
AMBIGUOUS: frozenset[str] = frozenset(VOCABULARY["zone_names"]["ambiguous"])
_OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+-])(\d{1,2})(?::?(\d{2}))?(?::?00)?", re.IGNORECASE)
_HEADER_OFFSET = re.compile(r"(?:UTC|GMT)\s*[+-]\s*\d{1,2}(?::?\d{2})?", re.IGNORECASE)


@cache
def _iana_names() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones() if name not in {"Factory", "localtime"}}


def iana(name: str) -> str | None:
    """Return a zone's name as the time zone database spells it, None where it knows none."""
    return _MARKETS.get(name.upper()) or _iana_names().get(name.strip().casefold().replace(" ", "_"))


def offset(name: str) -> int | None:
    """Return the nanoseconds from UTC that `+08:00`, `GMT+0200`, `UTC-5` or `EST` state, None for anything else."""
    if name.upper() in _OFFSETS:
        return _OFFSETS[name.upper()]
    match = _OFFSET.fullmatch(name.strip())
    if match is None or int(match[2]) > 15 or int(match[3] or 0) > 59:
        return None
    minutes = int(match[2]) * 60 + int(match[3] or 0)
    return (-minutes if match[1] == "-" else minutes) * MINUTE


def offset_name(nanoseconds: int) -> str:
    """Return an offset as drafts name it: `UTC+08:00`, and `UTC` for none."""
    minutes = abs(nanoseconds) // MINUTE
    sign = "-" if nanoseconds < 0 else "+"
    return f"UTC{sign}{minutes // 60:02d}:{minutes % 60:02d}" if nanoseconds else "UTC"


def check(name: str | None) -> str | None:
    """Return the name of a zone that a user states as the time zone database spells it.

    Raises InvalidInput: there is no such zone.
    """
    if name is None:
        return None
    nanoseconds = offset(name)
    if zone := iana(name) or (None if nanoseconds is None else offset_name(nanoseconds)):
        return zone
    raise unknown_zone(name)


def check_iana(name: str | None) -> None:
    """Raise `InvalidInput` for a name that is not in the time zone database; None is allowed."""
    if name is not None and name not in available_timezones():
        raise unknown_zone(name)


def unknown_zone(name: str) -> InvalidInput:
    """Return the error of a time zone that does not exist."""
    return InvalidInput(
        "unknown_timezone",
        text("There is no time zone “{name}”.", name=name[:40]),
        text("Use a name such as Asia/Shanghai, America/New_York or UTC."),
    )


def of_header(header: str) -> str | None:
    """Return the zone that a header names, such as `Gmt time`, `Time (EST)`, `datetime_utc` or `时间(北京时间)`."""
    for market, zone in _MARKETS.items():
        if not market.isascii() and market in header:
            return zone
    if match := _HEADER_OFFSET.search(header):
        nanoseconds = offset(re.sub(r"\s", "", match[0]))
        return None if nanoseconds is None else offset_name(nanoseconds)
    for name in re.findall(r"[A-Za-z]+/[A-Za-z_]+(?:/[A-Za-z_]+)?", header):
        if iana(name):
            return iana(name)
    if re.search(r"(?i)(?<![a-z])(utc|gmt)(?![a-z])", header) or re.search(r"[a-z](UTC|GMT)(?![A-Za-z])", header):
        return "UTC"
    for name in re.findall(r"(?<![A-Za-z])[A-Z]{2,4}(?![A-Za-z])", header):
        if name in _MARKETS:
            return _MARKETS[name]
        if name in _OFFSETS and name not in AMBIGUOUS:
            return offset_name(_OFFSETS[name])
    return "Asia/Seoul" if header.casefold().endswith("_kst") else None


def zone_of_standard_time(header: str) -> str | None:
    """Return the zone whose time in winter a header names, such as New York's for `Time (EST)`; None for any other."""
    names = re.findall(r"(?<![A-Za-z])[A-Z]{3,4}(?![A-Za-z])", header)
    return next((_STANDARD_TIMES[name] for name in names if name in _STANDARD_TIMES), None)
