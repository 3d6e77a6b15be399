"""Numbers as times: digits of a date, days of a spreadsheet, or an epoch by its size."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kronos_app.data.draft import Finding, Severity
from kronos_app.data.upload.times import order
from kronos_app.data.upload.times.order import Order
from kronos_app.data.upload.times.values import (
    EARLIEST,
    LATEST,
    NAT,
    Integers,
    Mask,
    Reading,
    Times,
    assemble,
    in_utc,
    latest_plausible,
    on_the_clock,
    snap,
)
from kronos_app.data.upload.times.written import REPUBLIC
from kronos_app.i18n import Text, text

Floats = NDArray[np.float64]

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
    known = np.isfinite(values)
    nothing = on_the_clock(np.full(len(values), NAT), ~np.isnan(values))
    if not known.any():
        return nothing
    size = float(np.median(np.abs(values[known])))
    if exact is None and size < _EXACT and (values[known] == np.rint(values[known])).all():
        exact = np.where(known & (np.abs(values) < _EXACT), values, 0).astype(np.int64)
    digits = width or len(str(int(size)))
    if exact is not None:
        dates = _digits(exact, known, digits, stated)
        if dates is not None and 2 * int(dates.bad[known].sum()) <= known.sum():
            return dates
    if _SPREADSHEET[0] <= size < _SPREADSHEET[1]:
        first = None if exact is None else _first_day(exact[known])
        if exact is not None and first is not None:
            message = text("The times were read as days since {year}.", year=first.astype("datetime64[Y]").item().year)
            days = (first + np.where(known, exact, 0)).astype("datetime64[ns]")
            return _dates(days, known, (Finding("numeric_times", "info", message),))
        return spreadsheet_days(values, known) if _are_days(values, known) else nothing
    if size < _LEAST_EPOCH or (exact is not None and _is_clock(exact[known])):
        return nothing
    ticks = None if exact is None else _ticks(values, known, exact)
    return epochs(values, known, exact) if ticks is None else ticks


def _digits(exact: Integers, known: Mask, digits: int, stated: Order | None) -> Reading | None:
    """Read digits such as 20240131, 240131, 1130131 or 202401; None where they are no dates."""
    if digits == 8:
        times = _parts(exact, "year_first", 4)
        if stated in {None, "year_first"} and 2 * np.isnat(times[known]).sum() <= known.sum():
            return _dates(times, known)
        return _in_best_order(
            exact, known, {o: _parts(exact, o, 4) for o in ("month_first", "day_first")}, digits, stated
        )
    if digits in {12, 14} and stated is None:
        whole = exact * 10 ** (14 - digits)
        date, clock = whole // 1_000_000, whole % 1_000_000
        zero = np.zeros_like(exact)
        return _dates(
            assemble(
                date // 10_000, date // 100 % 100, date % 100, clock // 10_000, clock // 100 % 100, clock % 100, zero
            ),
            known,
        )
    if digits == 7 and stated is None:
        times = assemble(exact // 10_000 + REPUBLIC, exact // 100 % 100, exact % 100, *_midnight(exact))
        if np.isnat(times[known]).any() or (times[known] > latest_plausible()).any():
            return None
        first = int(exact[known][0]) // 10_000
        message = text("The years were read as those of the Republic of China: {year} is {common}.",
                       year=first, common=first + REPUBLIC)  # fmt: skip
        return _dates(times, known, (Finding("era_years", "info", message),))
    if digits in {5, 6}:
        return _six_digits(exact, known, digits, stated)
    return None


def _six_digits(exact: Integers, known: Mask, digits: int, stated: Order | None) -> Reading | None:
    orders: tuple[Order, ...] = ("year_first", "day_first", "month_first")
    if stated is None and (exact[known] % 100 == 0).all():
        return None  # times of day such as 93000, not days of the year 2000
    readings: dict[Order, Times] = {o: _parts(exact, o, 2) for o in orders}
    if digits == 6:
        one = np.ones_like(exact)
        readings["year_month"] = assemble(exact // 100, exact % 100, one, *_midnight(exact))
    if digits == 5 and stated is None and _are_days(exact.astype(np.float64), known):
        return None  # days of a spreadsheet, unless they were in the future
    return _in_best_order(exact, known, readings, digits, stated)


def _in_best_order(
    exact: Integers, known: Mask, readings: dict[Order, Times], digits: int, stated: Order | None
) -> Reading | None:
    if stated is not None:
        return _dates(readings[stated], known) if stated in readings else None
    possible = {o: times[known] for o, times in readings.items() if not np.isnat(times[known]).any()}
    if not possible:
        return None
    choice, findings = order.choose(possible, f"“{int(exact[known][0]):0{digits + digits % 2}d}”")
    if digits < 8 and (readings[choice][known] > latest_plausible() + _HORIZON).any():
        return None
    return _dates(readings[choice], known, findings)


def _parts(exact: Integers, option: Order, year_width: int) -> Times:
    """Return digits as dates whose year is `year_width` digits long and first or last."""
    size = 10**year_width
    if option == "year_first":
        year, month, day = exact // 10_000, exact // 100 % 100, exact % 100
    else:
        year, first, second = exact % size, exact // (size * 100), exact // size % 100
        month, day = (first, second) if option == "month_first" else (second, first)
    if year_width == 2:
        year = np.where((year >= 0) & (year < 100), order.to_year(year), 0)
    return assemble(year, month, day, *_midnight(exact))


def _midnight(exact: Integers) -> tuple[Integers, Integers, Integers, Integers]:
    zero = np.zeros_like(exact)
    return zero, zero, zero, zero


def _dates(times: Times, known: Mask, findings: tuple[Finding, ...] = ()) -> Reading:
    values = np.where(known, times, NAT)
    return on_the_clock(values, known & np.isnat(values), findings)


def _are_days(values: Floats, known: Mask) -> bool:
    """Return whether numbers are days of a spreadsheet up to about today; times of day and of far years are not."""
    latest = float((latest_plausible() + _HORIZON - np.datetime64("1899-12-30", "ns")) / np.timedelta64(1, "D"))
    days = values[known]
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


def _ticks(values: Floats, known: Mask, exact: Integers) -> Reading | None:
    """Return numbers as ticks of .NET, 100 ns since the year 1; None where they make better nanoseconds."""
    ticks = exact[known]
    if not ((ticks >= _TICKS[0]) & (ticks < _TICKS[1])).all() or (ticks % _MINUTE == 0).all() or (ticks % 10**7).any():
        return None
    nanoseconds = np.where(known, exact - _TICKS_TO_1970, 0) * 100
    message = text("The times were read as ticks: units of 100 ns since the year 1.")
    times = _limited(nanoseconds.astype("datetime64[ns]"), values, known)
    return on_the_clock(*times, (Finding("numeric_times", "info", message),))


def _is_clock(exact: Integers) -> bool:
    """Return whether all numbers are a time of day as HHMMSSmmm; as seconds since 1970 they would lie before 1978."""
    hour, minute, second = exact // 10_000_000, exact // 100_000 % 100, exact // 1000 % 100
    return bool(((exact >= 0) & (hour < 24) & (minute < 60) & (second < 60) & (exact % 1000 == 0)).all())


def spreadsheet_days(values: Floats, known: Mask) -> Reading:
    """Return numbers as days since 1899-12-30."""
    milliseconds = np.rint(np.where(known, values, 0) * 86_400_000)
    usable = known & (np.abs(milliseconds) < 1e13)
    since = snap(np.where(usable, milliseconds, 0).astype(np.int64))
    times = np.datetime64("1899-12-30", "ms") + since.astype("timedelta64[ms]")
    message = text("The times were read as spreadsheet dates (days since 1899-12-30).")
    return on_the_clock(*_limited(times, values, usable), (Finding("numeric_times", "info", message),))


def epochs(values: Floats, known: Mask, exact: Integers | None, unit: int | None = None) -> Reading:
    """Return numbers as an epoch: in one unit, that of their median size if none is stated.

    Where each number in the unit of its own size makes a smoother series, that is taken, with a warning.
    """
    sizes = np.where(known, np.abs(values), np.nan)
    common = int(np.searchsorted(_LIMITS, np.nanmedian(sizes), side="right")) if unit is None else unit
    message = text("The times were read as {unit} since 1970 in UTC.", unit=UNITS[common])
    alike = _epochs(values, known, exact, np.full(len(values), common), message, "numeric_times", "info")
    own = np.where(sizes >= _LEAST_EPOCH, np.searchsorted(_LIMITS, sizes, side="right"), common)
    if unit is not None or (own[known] == common).all():
        return alike
    # A vendor that changed its unit, in one file; a long series that passes 1970 has small numbers, too.
    message = text("The times mix units, such as seconds and milliseconds since 1970; each was read by its size.")
    each = _epochs(values, known, exact, own, message, "mixed_units", "warning")
    return each if _roughness(each) < _roughness(alike) else alike


def _epochs(
    values: Floats,
    known: Mask,
    exact: Integers | None,
    unit: NDArray[np.intp],
    message: Text,
    code: str,
    severity: Severity,
) -> Reading:
    factor = _FACTORS[unit]
    usable = known & (np.abs(values) < 7.2e18 / factor)  # the year 2198
    if exact is None:
        nanoseconds = np.rint(np.where(usable, values, 0) * factor).astype(np.int64)
    else:
        nanoseconds = np.where(usable, exact, 0) * factor
    finding = Finding(code, severity, message)
    return in_utc(*_limited(nanoseconds.astype("datetime64[ns]"), values, usable), (finding,))


def _roughness(reading: Reading) -> tuple[int, int, int]:
    return int(reading.bad.sum()), *order.disorder(reading.values[~np.isnat(reading.values)])


def _limited(times: Times, values: Floats, usable: Mask) -> tuple[Times, Mask]:
    days = times.astype("datetime64[s]")
    good = usable & (days >= EARLIEST) & (days < LATEST)
    return np.where(good, times, NAT).astype("datetime64[ns]"), ~good & ~np.isnan(values)


def to_integers(column: pa.ChunkedArray) -> Integers | None:
    """Return whole numbers as 64-bit integers, 0 where empty; None where one has a fraction or is too large."""
    try:
        return np.array(pc.fill_null(pc.cast(column, pa.int64()), 0).to_numpy(), dtype=np.int64)
    except pa.ArrowException:
        return None


def are_epochs(numbers: Integers) -> bool:
    """Return whether numbers are whole minutes since 1970 from 2000 until today, most of them as far apart."""
    if len(numbers) < _FEWEST_DAYS:
        return False
    size = int(np.searchsorted(_LIMITS, np.median(np.abs(numbers)), side="right"))
    seconds, rest = np.divmod(numbers, 1_000_000_000 // _FACTORS[size])
    times = seconds.astype("datetime64[s]")
    steps = np.abs(np.diff(seconds))
    plausible = (times > np.datetime64("2000-01-01")) & (times < latest_plausible())
    return bool(
        plausible.all()
        and not rest.any()
        and not (seconds % 60).any()
        and 2 * (steps == np.median(steps)).sum() > len(steps)
    )
