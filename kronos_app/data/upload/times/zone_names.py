"""Time zones as files name them, in cells and in headers."""

from __future__ import annotations

import re
from functools import cache
from zoneinfo import available_timezones

MINUTE = 60_000_000_000

# Minutes from UTC. Where a name has several meanings, that of the larger market.
ABBREVIATIONS = {
    "Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 60, "BST": 60, "CET": 60, "CEST": 120, "EET": 120,
    "EEST": 180, "MSK": 180, "IST": 330, "HKT": 480, "SGT": 480, "JST": 540, "KST": 540, "AWST": 480, "AEST": 600,
    "AEDT": 660, "NZST": 720, "NZDT": 780, "EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420,
    "MDT": -360, "PST": -480, "PDT": -420, "BRT": -180,
}  # fmt: skip
AMBIGUOUS = frozenset({"CST", "IST", "BST"})
MARKETS = {
    "ET": "America/New_York", "CT": "America/Chicago", "PT": "America/Los_Angeles", "MT": "America/Denver",
    "NEW YORK": "America/New_York", "LONDON": "Europe/London", "北京时间": "Asia/Shanghai", "北京時間": "Asia/Shanghai",
}  # fmt: skip
_STANDARD_TIMES = {
    "EST": "America/New_York", "CST": "America/Chicago", "CET": "Europe/Berlin", "EET": "Europe/Athens",
    "AEST": "Australia/Sydney",
}  # fmt: skip
_OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+-])(\d{1,2})(?::?(\d{2}))?(?::?00)?", re.IGNORECASE)
_HEADER_OFFSET = re.compile(r"(?:UTC|GMT)\s*[+-]\s*\d{1,2}(?::?\d{2})?", re.IGNORECASE)


@cache
def _names() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones() if name not in {"Factory", "localtime"}}


def iana(name: str) -> str | None:
    """Return a zone's name as the time zone database spells it, None where it knows none."""
    return MARKETS.get(name.upper()) or _names().get(name.strip().casefold().replace(" ", "_"))


def offset(name: str) -> int | None:
    """Return the nanoseconds from UTC that `+08:00`, `GMT+0200`, `UTC-5` or `EST` state, None for anything else."""
    if name.upper() in ABBREVIATIONS:
        return ABBREVIATIONS[name.upper()] * MINUTE
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


def of_header(header: str) -> str | None:
    """Return the zone that a header names, such as `Gmt time`, `Time (EST)`, `datetime_utc` or `时间(北京时间)`."""
    for chinese in ("北京时间", "北京時間"):
        if chinese in header:
            return MARKETS[chinese]
    if match := _HEADER_OFFSET.search(header):
        nanoseconds = offset(re.sub(r"\s", "", match[0]))
        return None if nanoseconds is None else offset_name(nanoseconds)
    for name in re.findall(r"[A-Za-z]+/[A-Za-z_]+(?:/[A-Za-z_]+)?", header):
        if iana(name):
            return iana(name)
    if re.search(r"(?i)(?<![a-z])(utc|gmt)(?![a-z])", header) or re.search(r"[a-z](UTC|GMT)(?![A-Za-z])", header):
        return "UTC"
    for name in re.findall(r"(?<![A-Za-z])[A-Z]{2,4}(?![A-Za-z])", header):
        if name in MARKETS:
            return MARKETS[name]
        if name in ABBREVIATIONS and name not in AMBIGUOUS:
            return offset_name(ABBREVIATIONS[name] * MINUTE)
    return "Asia/Seoul" if header.casefold().endswith("_kst") else None


def zone_of_standard_time(header: str) -> str | None:
    """Return the zone whose time in winter a header names, such as New York's for `Time (EST)`; None for any other."""
    names = re.findall(r"(?<![A-Za-z])[A-Z]{3,4}(?![A-Za-z])", header)
    return next((_STANDARD_TIMES[name] for name in names if name in _STANDARD_TIMES), None)
