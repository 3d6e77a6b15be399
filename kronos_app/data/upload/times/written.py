"""Times as text: every cell matched against the written forms, a column may use several."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kronos_app.data.draft import Finding
from kronos_app.data.upload.times import forms, months, order, zone_names, zones
from kronos_app.data.upload.times.order import Order
from kronos_app.data.upload.times.values import (
    NAT,
    Integers,
    Mask,
    Reading,
    Times,
    assemble,
    mask,
    nulls,
)
from kronos_app.i18n import text

REPUBLIC = 1911  # years of the Republic of China are counted from here
BUDDHIST = 543
MOST_ZONES = 1000  # different texts behind the times of one column


@dataclass
class _Cells:
    """What is known of each cell so far."""

    values: Times
    offsets: Integers
    zoned: Mask
    open: Mask
    zones: set[str]
    findings: list[Finding]


def read(cells: pa.ChunkedArray, stated: Order | None = None) -> Reading:
    """Return trimmed text as times; `stated` is the order of day, month and year where the user knows it."""
    count = len(cells)
    state = _Cells(np.full(count, NAT), np.zeros(count, np.int64), np.zeros(count, bool), ~nulls(cells), set(), [])
    _match_all(cells, state, stated)
    if state.open.any() and _can_be_normalized(cells.filter(pa.array(state.open))):
        _match_all(forms.normalize(cells), state, stated)
    named = len(state.zones) == 1 and bool(state.zoned[~np.isnat(state.values)].all())
    zone = (next(iter(state.zones)) or None) if named else None
    return Reading(state.values, state.open, state.offsets, state.zoned, zone, _distinct(state.findings))


def _distinct(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(finding for place, finding in enumerate(findings) if finding not in findings[:place])


def _can_be_normalized(cells: pa.ChunkedArray) -> bool:
    """Return whether a sample of cells matches in another spelling, so that a long column of prose costs no time."""
    sample = forms.normalize(forms.take_sample(cells))
    return any(bool(pc.any(pc.match_substring_regex(sample, form)).as_py()) for form in forms.PATTERNS)


def _match_all(cells: pa.ChunkedArray, state: _Cells, stated: Order | None) -> None:
    for pattern in forms.PATTERNS:
        where = np.flatnonzero(state.open)
        if not len(where):
            return
        part = cells if len(where) == len(cells) else cells.take(pa.array(where))
        fields = pc.extract_regex(part, pattern=pattern).combine_chunks()
        matched = np.asarray(fields.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
        if matched.any():
            where = where[matched]
            _read_fields(
                _Fields(fields.filter(pa.array(matched)), part.filter(pa.array(matched))), where, state, stated
            )


class _Fields:
    """The parts of cells that match one pattern."""

    def __init__(self, parts: pa.StructArray, cells: pa.ChunkedArray) -> None:
        self._parts = parts
        self.cells = cells
        self.names = {field.name for field in parts.type}

    def part(self, name: str) -> pa.Array:
        return self._parts.field(name)

    def number(self, name: str) -> Integers:
        if name not in self.names:
            return np.full(len(self._parts), 1 if name == "d" else 0, dtype=np.int64)
        cells = self.part(name)
        filled = pc.if_else(pc.equal(cells, ""), "0", cells)
        return np.asarray(pc.cast(filled, pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64)

    def width(self, name: str) -> Integers:
        return np.asarray(pc.utf8_length(self.part(name)).to_numpy(zero_copy_only=False), dtype=np.int64)


def _read_fields(fields: _Fields, where: Integers, state: _Cells, stated: Order | None) -> None:
    clock = _clock(fields)
    if "a" in fields.names:
        times, findings = _numbers_in_order(fields, clock, stated)
    else:
        year, findings = _years(fields)
        month = _month_numbers(fields.part("n")) if "n" in fields.names else fields.number("m")
        times = assemble(year, month, fields.number("d"), *clock)
    good = ~np.isnat(times)
    if "z" in fields.names:
        offsets, zoned, known = _offsets(fields.part("z"), times, state)
        good &= known
        state.offsets[where[good]], state.zoned[where[good]] = offsets[good], zoned[good]
    state.values[where[good]] = times[good]
    state.open[where[good]] = False
    if good.any():
        state.findings += findings


def _years(fields: _Fields) -> tuple[Integers, list[Finding]]:
    year = fields.number("y")
    year = np.where(fields.width("y") == 2, order.to_year(year), year)
    buddhist = (year >= 1900 + BUDDHIST) & (year < 2100 + BUDDHIST)
    if not buddhist.all() or not len(year):
        return year, []
    message = text("The years were read as those of the Buddhist calendar: {year} is {common}.",
                   year=int(year[0]), common=int(year[0]) - BUDDHIST)  # fmt: skip
    return year - BUDDHIST, [Finding("era_years", "info", message)]


def _clock(fields: _Fields) -> tuple[Integers, Integers, Integers, Integers]:
    """Return hour, minute, second and nanoseconds; an hour that does not go with AM or PM as 99."""
    hour = fields.number("H")
    fraction = np.zeros(len(hour), dtype=np.int64)
    if "f" in fields.names:
        padded = pc.utf8_rpad(fields.part("f"), width=9, padding="0")
        fraction = np.asarray(pc.cast(padded, pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64)
    if "p" in fields.names:
        half = pc.utf8_lower(fields.part("p"))
        afternoon, morning = (mask_of(half, name) for name in ("pm", "am"))
        hour = twelve_hours(hour, morning, afternoon)
    return hour, fields.number("M"), fields.number("S"), fraction


def twelve_hours(hour: Integers, morning: Mask, afternoon: Mask) -> Integers:
    """Return hours of the day from hours beside AM or PM, 99 where there is no such hour."""
    either = morning | afternoon
    hour = np.where(either & ((hour < 1) | (hour > 12)), 99, hour)
    return np.asarray(np.where(either & (hour == 12), 0, hour) + 12 * afternoon, dtype=np.int64)


def mask_of(cells: pa.Array, value: str) -> Mask:
    """Return which cells are this text."""
    return mask(pa.chunked_array([pc.equal(cells, value)]))


def _month_numbers(names: pa.Array) -> Integers:
    coded = names.dictionary_encode()
    if len(coded.dictionary) > MOST_ZONES:
        return np.zeros(len(names), dtype=np.int64)
    numbers = np.array([months.number(name) for name in coded.dictionary.to_pylist()], dtype=np.int64)
    return np.asarray(numbers[np.asarray(coded.indices.to_numpy())], dtype=np.int64)


def _numbers_in_order(
    fields: _Fields, clock: tuple[Integers, Integers, Integers, Integers], stated: Order | None
) -> tuple[Times, list[Finding]]:
    """Read three numbers as day, month and year in the order that suits them together."""
    a, b, c = (fields.number(name) for name in "abc")
    width_a, width_c = fields.width("a"), fields.width("c")
    if stated is None and bool(mask_of(fields.part("s"), "年").all()) and not (width_a == 3).any():
        stated = "year_first"
    if stated is None and (width_a == 3).any():
        message = text("The years were read as those of the Republic of China: {year} is {common}.",
                       year=int(a[0]), common=int(a[0]) + REPUBLIC)  # fmt: skip
        return assemble(a + REPUBLIC, b, c, *clock), [Finding("era_years", "info", message)]
    last_year = np.where(width_c == 1, 0, np.where(width_c == 2, order.to_year(c), c))
    last_year = np.where(last_year >= 1900 + BUDDHIST, last_year - BUDDHIST, last_year)
    readings: dict[Order, Times] = {}
    dots = bool(mask_of(fields.part("s"), ".").all())
    options: tuple[Order, ...] = ("day_first", "month_first") if dots else ("month_first", "day_first")
    for option in (*options, "year_first") if stated is None else (stated,):
        if option == "day_first":
            readings[option] = assemble(last_year, b, a, *clock)
        elif option == "month_first":
            readings[option] = assemble(last_year, a, b, *clock)
        elif option == "year_first":
            year = np.where((width_a == 2) & (width_c < 4), order.to_year(a), 0)
            readings[option] = assemble(year, b, c, *clock)
    if dots and stated is None and not np.isnat(readings["day_first"]).any():
        del readings["month_first"]  # where dots are written, the month is never first
    choice, findings = order.choose(readings, f"“{fields.cells[0].as_py().split()[0][:10]}”")
    return readings[choice], list(findings)


def _offsets(texts: pa.Array, times: Times, state: _Cells) -> tuple[Integers, Mask, Mask]:
    """Return offsets from UTC in nanoseconds, which cells have one, and which cells have none that is unknown."""
    coded = texts.dictionary_encode()
    codes = np.asarray(coded.indices.to_numpy())
    offsets, zoned, known = np.zeros(len(times), np.int64), np.zeros(len(times), bool), np.ones(len(times), bool)
    for code, name in enumerate(coded.dictionary.to_pylist()[:MOST_ZONES]):
        if not name:
            continue
        where = codes == code
        fixed, zone = zone_names.offset(name), zone_names.iana(name)
        if fixed is not None:
            offsets[where], zoned[where] = fixed, True
            state.zones.add("")
            if name.upper() in zone_names.AMBIGUOUS:
                state.findings.append(_ambiguous_zone(name, fixed))
        elif zone is not None:
            offsets[where], zoned[where] = zones.localize(times[where], zone), True
            state.zones.add(zone)
        else:
            known[where] = False
    known[codes >= MOST_ZONES] = False
    return offsets, zoned, known


def _ambiguous_zone(name: str, nanoseconds: int) -> Finding:
    offset = zone_names.offset_name(nanoseconds)
    message = text("The time zone “{name}” has several meanings; it was read as {offset}.", name=name, offset=offset)
    return Finding("ambiguous_zone", "warning", message)
