"""Numbers, times and durations in the language of the session."""

from __future__ import annotations

import math
import re
from datetime import datetime

import pandas as pd
from babel.numbers import format_compact_decimal, format_decimal, format_percent
from babel.units import format_unit

from kronos_app import state

MISSING = "–"
_UNITS = (("week", 604_800), ("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with thousands separators, a dash for None and NaN."""
    if value is None or not math.isfinite(value):
        return MISSING
    pattern = "#,##0." + "0" * digits if digits else "#,##0"
    return str(format_decimal(value, format=pattern, locale=state.language()))


def price(value: float | None) -> str:
    """Return a price with 2, 4 or 6 decimals, by its size."""
    if value is None or not math.isfinite(value):
        return MISSING
    size = abs(value)
    return number(value, 2 if size >= 10 else 4 if size >= 0.1 else 6)


def percent(value: float | None, digits: int = 1, *, signed: bool = False) -> str:
    """Return a share as a percentage."""
    if value is None or not math.isfinite(value):
        return MISSING
    pattern = "0." + "0" * digits + "%" if digits else "0%"
    return format_percent(value, format=f"+{pattern};-{pattern}" if signed else pattern, locale=state.language())


def compact(value: float) -> str:
    """Return a large count in short form: 4.1M, 410 万."""
    return _spaced(format_compact_decimal(value, fraction_digits=1, locale=state.language()))


def size(value: int | None) -> str:
    """Return a size in MB."""
    return MISSING if value is None else f"{number(value / 1e6, 1)} MB"


def span(seconds: float) -> str:
    """Return a duration in the largest unit that divides it, else in the largest that it exceeds."""
    whole = max(round(seconds), 0)
    for unit, length in _UNITS:
        if whole >= length and whole % length == 0:
            return _unit(whole // length, unit)
    unit, length = next(((u, s) for u, s in _UNITS if whole >= s), ("second", 1))
    return _unit(round(whole / length, 1), unit)


def remaining(seconds: float) -> str:
    """Return a remaining time: in seconds up to 90, then in minutes."""
    if seconds < 90:
        return _unit(max(math.ceil(seconds), 1), "second")
    return _unit(math.ceil(seconds / 60), "minute")


def time_range(shortest: float, longest: float) -> str:
    """Return a range of remaining time."""
    bounds = dict.fromkeys((remaining(shortest), remaining(longest)))
    return " – ".join(bounds)


def _unit(value: float, unit: str) -> str:
    return _spaced(format_unit(value, f"duration-{unit}", length="short", locale=state.language()))


def _spaced(value: str) -> str:
    """Return a number and its Chinese unit with a space between them, which Babel leaves out."""
    return re.sub(r"(\d)([\u4e00-\u9fff])", r"\1 \2", value)


def time(value: pd.Timestamp | datetime) -> str:
    """Return the time of a candle: a date, with hours unless it is midnight."""
    stamp = pd.Timestamp(value)
    return stamp.strftime("%Y-%m-%d" if stamp == stamp.normalize() else "%Y-%m-%d %H:%M")


def moment(value: datetime) -> str:
    """Return a moment in UTC."""
    return value.strftime("%Y-%m-%d %H:%M UTC")
