"""Numbers as times: digits of a date, days of a spreadsheet, or an epoch by its size."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kronos_app.data.draft import Finding, Severity
from kronos_app.data.upload.cells import (
    WHOLE_OR_FRACTION,
    Floats,
    Integers,
    Mask,
    is_number,
    only,
    to_floats,
    to_integers,
    to_mask,
)
from kronos_app.data.upload.times import order
from kronos_app.data.upload.times.order import Order
from kronos_app.data.upload.times.values import (
    EARLIEST,
    LATEST,
    NAT,
    Reading,
    Times,
    assemble,
    in_utc,
    latest_plausible,
    on_the_clock,
    snap,
    split_digits,
)
from kronos_app.i18n import Text, text

REPUBLIC = 1911  # years of the Republic of China are counted from here
# Units of an epoch, with the size at which the next one begins.
UNITS = (text("seconds"), text("milliseconds"), text("microseconds"), text("nanoseconds"))
_FACTORS = np.array([1_000_000_000, 1_000_000, 1_000, 1])
_LIMITS = np.array([1e11, 1e14, 1e17])
_LEAST_EPOCH = 1e8
_SPREADSHEET = 10_000, 100_000  # 1927 to 2173
_EXACT = 2.0**53
_MOSTLY = 0.95
_FEWEST_DAYS = 5
_TICKS = 6.0e17, 6.6e17  # ticks from 1902 to 2092; as nanoseconds they lie in 1989 and 1990
_SPREADSHEET_DAY = np.datetime64("1899-12-30", "D")
_FIRST_DAYS = (np.datetime64("1970-01-01", "D"), np.datetime64("1960-01-01", "D"))  # R and Python; SAS and Stata
_TICKS_TO_1970 = 621_355_968_000_000_000
_MINUTE = 60_000_000_000
_HORIZON = np.timedelta64(366, "D")  # a spreadsheet's days may go so far ahead, more are something else


def to_numbers(column: pa.ChunkedArray) -> tuple[Floats, Integers | None, Mask]:
    """Return numbers or trimmed text, as integers, too, where all are whole, and which cells are no number."""
    if is_number(column):
        exact = None if pa.types.is_floating(column.type) else to_integers(column)
        return to_floats(column), exact, np.zeros(len(column), dtype=bool)
    digits = pc.match_substring_regex(column, WHOLE_OR_FRACTION)
    plain = only(column, digits)
    return to_floats(plain), to_integers(plain), to_mask(pc.invert(digits))


def read(values: Floats, exact: Integers | None, width: int | None, stated: Order | None = None) -> Reading:
    """Return numbers as times.

    Parameters
    ----------
    values, exact
        The cells, NaN where empty; and as integers, 0 where empty, where all are whole.
    width
        Number of digits that all cells have as text, zeros in front included; None where they differ.
    stated
        The order of day, month and year where the user knows it.
    """
    filled = np.isfinite(values)
    nothing = on_the_clock(np.full(len(values), NAT), ~np.isnan(values))
    if not filled.any():
        return nothing
    size = float(np.median(np.abs(values[filled])))
    if exact is None and size < _EXACT and (values[filled] == np.rint(values[filled])).all():
        exact = np.where(filled & (np.abs(values) < _EXACT), values, 0).astype(np.int64)
    if exact is not None:
        dates = _from_digits(exact, filled, width or len(str(int(size))), stated)
        if dates is not None and 2 * int(dates.bad[filled].sum()) <= filled.sum():
            return dates
    if _SPREADSHEET[0] <= size < _SPREADSHEET[1]:
        first = None if exact is None else _first_day(exact[filled])
        if exact is not None and first is not None:
            message = text("The times were read as days since {year}.", year=first.astype("datetime64[Y]").item().year)
            days = (first + np.where(filled, exact, 0)).astype("datetime64[ns]")
            return _dates(days, filled, (Finding("numeric_times", "info", message),))
        return spreadsheet_days(values) if _are_days(values[filled]) else nothing
    if size < _LEAST_EPOCH or (exact is not None and _is_clock(exact[filled])):
        return nothing
    ticks = None if exact is None else _ticks(values, filled, exact)
    return epochs(values, exact) if ticks is None else ticks


def _from_digits(exact: Integers, filled: Mask, digits: int, stated: Order | None) -> Reading | None:
    """Read digits such as 20240131, 240131, 1130131 or 202401; None where they are no dates."""
    year, month, day = split_digits(exact, 2, 2)
    if digits == 8:
        times = assemble(year, month, day)
        if stated in {None, "year_first"} and 2 * np.isnat(times[filled]).sum() <= filled.sum():
            return _dates(times, filled)
        return _in_best_order(exact, filled, _year_last(exact, 4), digits, stated)
    if digits in {12, 14} and stated is None:
        year, month, day, hour, minute, second = split_digits(exact * 10 ** (14 - digits), 2, 2, 2, 2, 2)
        return _dates(assemble(year, month, day, (hour, minute, second, 0)), filled)
    if digits == 7 and stated is None:
        times = assemble(year + REPUBLIC, month, day)
        if np.isnat(times[filled]).any() or (times[filled] > latest_plausible()).any():
            return None
        return _dates(times, filled, (republican(int(year[filled][0])),))
    if digits not in {5, 6} or (stated is None and (exact[filled] % 100 == 0).all()):
        return None  # times of day such as 93000 are no days of the year 2000
    if digits == 5 and stated is None and _are_days(exact[filled].astype(np.float64)):
        return None  # days of a spreadsheet, unless they were in the future
    readings = {"year_first": assemble(_to_year(year), month, day), **_year_last(exact, 2)}
    if digits == 6:
        readings["year_month"] = assemble(exact // 100, day, 1)
    return _in_best_order(exact, filled, readings, digits, stated)


def _to_year(number: Integers) -> Integers:
    return np.where((number >= 0) & (number < 100), order.to_year(number), 0)


def _year_last(exact: Integers, width: int) -> dict[Order, Times]:
    """Return digits as dates whose year is last, in both orders of the month and the day."""
    first, second, year = split_digits(exact, 2, width)
    year = _to_year(year) if width == 2 else year
    later, earlier = assemble(year, first, second), assemble(year, second, first)
    return {"day_first": earlier, "month_first": later} if width == 2 else {"month_first": later, "day_first": earlier}


def _in_best_order(
    exact: Integers, filled: Mask, readings: dict[Order, Times], digits: int, stated: Order | None
) -> Reading | None:
    if stated is not None:
        return _dates(readings[stated], filled) if stated in readings else None
    possible = {name: times[filled] for name, times in readings.items() if not np.isnat(times[filled]).any()}
    if not possible:
        return None
    choice, findings = order.choose(possible, f"“{int(exact[filled][0]):0{digits + digits % 2}d}”")
    if digits < 8 and (readings[choice][filled] > latest_plausible() + _HORIZON).any():
        return None
    return _dates(readings[choice], filled, findings)


def republican(year: int) -> Finding:
    """Return the finding for years of the Republic of China."""
    message = text(
        "The years were read as those of the Republic of China: {year} is {common}.", year=year, common=year + REPUBLIC
    )
    return Finding("era_years", "info", message)


def _dates(times: Times, filled: Mask, findings: tuple[Finding, ...] = ()) -> Reading:
    values = np.where(filled, times, NAT)
    return on_the_clock(values, filled & np.isnat(values), findings)


def _are_days(days: Floats) -> bool:
    """Return whether numbers are days of a spreadsheet up to about today; times of day and of far years are not."""
    latest = float((latest_plausible() + _HORIZON - _SPREADSHEET_DAY.astype("datetime64[ns]")) / np.timedelta64(1, "D"))
    return bool(((days >= _SPREADSHEET[0]) & (days <= latest)).mean() >= _MOSTLY)


def _first_day(days: Integers) -> np.datetime64 | None:
    """Return the day from which numbers count working days, where a spreadsheet's would lie on weekends; else None."""
    if len(np.unique(days)) < _FEWEST_DAYS or not _on_weekends(_SPREADSHEET_DAY + days).any():
        return None
    for first in _FIRST_DAYS:
        times = first + days
        if not _on_weekends(times).any() and times.max() <= latest_plausible():
            return first
    return None


def _on_weekends(days: Times) -> Mask:
    return np.asarray((days.astype(np.int64) + 3) % 7 >= 5)  # 1970-01-01 was a Thursday


def _ticks(values: Floats, filled: Mask, exact: Integers) -> Reading | None:
    """Return numbers as ticks of .NET, 100 ns since the year 1; None where they make better nanoseconds."""
    ticks = exact[filled]
    if not ((ticks >= _TICKS[0]) & (ticks < _TICKS[1])).all() or (ticks % _MINUTE == 0).all() or (ticks % 10**7).any():
        return None
    nanoseconds = np.where(filled, exact - _TICKS_TO_1970, 0) * 100
    message = text("The times were read as ticks: units of 100 ns since the year 1.")
    times = _limited(nanoseconds.astype("datetime64[ns]"), values, filled)
    return on_the_clock(*times, (Finding("numeric_times", "info", message),))


def _is_clock(exact: Integers) -> bool:
    """Return whether all numbers are a time of day as HHMMSSmmm; as seconds since 1970 they would lie before 1978."""
    hour, minute, second, fraction = split_digits(exact, 2, 2, 3)
    return bool(((exact >= 0) & (hour < 24) & (minute < 60) & (second < 60) & (fraction == 0)).all())


def spreadsheet_days(values: Floats) -> Reading:
    """Return numbers as days since 1899-12-30."""
    filled = np.isfinite(values)
    milliseconds = np.rint(np.where(filled, values, 0) * 86_400_000)
    usable = filled & (np.abs(milliseconds) < 1e13)
    since = snap(np.where(usable, milliseconds, 0).astype(np.int64))
    times = _SPREADSHEET_DAY.astype("datetime64[ms]") + since.astype("timedelta64[ms]")
    message = text("The times were read as spreadsheet dates (days since 1899-12-30).")
    return on_the_clock(*_limited(times, values, usable), (Finding("numeric_times", "info", message),))


def epochs(values: Floats, exact: Integers | None, unit: int | None = None) -> Reading:
    """Return numbers as an epoch: in one unit, that of their median size if none is stated.

    Where each number in the unit of its own size makes a smoother series, that is taken, with a warning.
    """
    sizes = np.where(np.isfinite(values), np.abs(values), np.nan)
    common = int(np.searchsorted(_LIMITS, np.nanmedian(sizes), side="right")) if unit is None else unit
    message = text("The times were read as {unit} since 1970 in UTC.", unit=UNITS[common])
    alike = _epochs(values, exact, np.full(len(values), common), message, "numeric_times", "info")
    own = np.where(sizes >= _LEAST_EPOCH, np.searchsorted(_LIMITS, sizes, side="right"), common)
    if unit is not None or (own[np.isfinite(values)] == common).all():
        return alike
    # A vendor that changed its unit, in one file; a long series that passes 1970 has small numbers, too.
    message = text("The times mix units, such as seconds and milliseconds since 1970; each was read by its size.")
    each = _epochs(values, exact, own, message, "mixed_units", "warning")
    return min(alike, each, key=_roughness)


def _epochs(
    values: Floats, exact: Integers | None, unit: NDArray[np.intp], message: Text, code: str, severity: Severity
) -> Reading:
    factor = _FACTORS[unit]
    usable = np.isfinite(values) & (np.abs(values) < 7.2e18 / factor)  # the year 2198
    if exact is None:
        nanoseconds = np.rint(np.where(usable, values, 0) * factor).astype(np.int64)
    else:
        nanoseconds = np.where(usable, exact, 0) * factor
    times = _limited(nanoseconds.astype("datetime64[ns]"), values, usable)
    return in_utc(*times, (Finding(code, severity, message),))


def _roughness(reading: Reading) -> tuple[int, int, int]:
    return int(reading.bad.sum()), *order.disorder(reading.values[~np.isnat(reading.values)])


def _limited(times: Times, values: Floats, usable: Mask) -> tuple[Times, Mask]:
    days = times.astype("datetime64[s]")
    good = usable & (days >= EARLIEST) & (days < LATEST)
    return np.where(good, times, NAT).astype("datetime64[ns]"), ~good & ~np.isnan(values)


def are_epochs(numbers: Integers) -> bool:
    """Return whether numbers are whole minutes since 1970 from 2000 until today, most of them as far apart."""
    if len(numbers) < _FEWEST_DAYS:
        return False
    size = int(np.searchsorted(_LIMITS, np.median(np.abs(numbers)), side="right"))
    seconds, rest = np.divmod(numbers, 1_000_000_000 // _FACTORS[size])
    times = seconds.astype("datetime64[s]")
    steps = np.abs(np.diff(seconds))
    plausible = (times > np.datetime64("2000-01-01")) & (times < latest_plausible())
    regular = 2 * (steps == np.median(steps)).sum() > len(steps)
    return bool(plausible.all() and not rest.any() and not (seconds % 60).any() and regular)
