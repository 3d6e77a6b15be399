"""Times as text: every cell matched against the written forms, a column may use several."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa

from kronos_app.data.draft import Finding
from kronos_app.data.upload.cells import Integers, Mask, any_match, extract, nulls
from kronos_app.data.upload.times import forms, order, zone_names, zones
from kronos_app.data.upload.times.numeric import REPUBLIC, republican
from kronos_app.data.upload.times.order import Order
from kronos_app.data.upload.times.parts import Parts
from kronos_app.data.upload.times.values import NAT, Reading, Times, assemble
from kronos_app.data.upload.vocabulary import VOCABULARY, invert
from kronos_app.i18n import text

BUDDHIST = 543
MOST_NAMES = 1000  # different names of months or zones in one column
_MONTHS = {beginning: int(month) for beginning, month in invert(VOCABULARY["months"]).items()}


@dataclass
class _Cells:
    """What has been read of each cell so far."""

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
    findings = [finding for at, finding in enumerate(state.findings) if finding not in state.findings[:at]]
    return Reading(state.values, state.open, state.offsets, state.zoned, zone, tuple(findings))


def _can_be_normalized(cells: pa.ChunkedArray) -> bool:
    """Return whether a sample of cells matches in another spelling, so that a long column of prose costs no time."""
    sample = forms.normalize(forms.take_sample(cells))
    return any(any_match(sample, pattern) for pattern in forms.PATTERNS)


def _match_all(cells: pa.ChunkedArray, state: _Cells, stated: Order | None) -> None:
    for pattern in forms.PATTERNS:
        where = np.flatnonzero(state.open)
        if not len(where):
            return
        part = cells if len(where) == len(cells) else cells.take(pa.array(where))
        groups, matched = extract(part, pattern)
        if matched.any():
            example = part[int(np.argmax(matched))].as_py()
            _read_parts(Parts(groups.filter(pa.array(matched))), example, where[matched], state, stated)


def _read_parts(parts: Parts, example: str, where: Integers, state: _Cells, stated: Order | None) -> None:
    if "a" in parts.names:
        times, findings = _read_in_order(parts, example, stated)
    else:
        year, findings = _years(parts)
        month = _month_numbers(parts.column("n")) if "n" in parts.names else parts.number("m")
        times = assemble(year, month, parts.number("d"), parts.clock())
    good = ~np.isnat(times)
    if "z" in parts.names:
        offsets, zoned, readable = _offsets(parts.column("z"), times, state)
        good &= readable
        state.offsets[where[good]], state.zoned[where[good]] = offsets[good], zoned[good]
    state.values[where[good]] = times[good]
    state.open[where[good]] = False
    if good.any():
        state.findings += findings


def _years(parts: Parts) -> tuple[Integers, list[Finding]]:
    year = parts.number("y")
    year = np.where(parts.width("y") == 2, order.to_year(year), year)
    buddhist = (year >= 1900 + BUDDHIST) & (year < 2100 + BUDDHIST)
    if not buddhist.all():
        return year, []
    message = text(
        "The years were read as those of the Buddhist calendar: {year} is {common}.",
        year=int(year[0]), common=int(year[0]) - BUDDHIST,
    )  # fmt: skip
    return year - BUDDHIST, [Finding("era_years", "info", message)]


@cache
def month_number(name: str) -> int:
    """Return the number of a month by its name in the languages of the vocabulary, 0 where it is none."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return _MONTHS.get(letters[:4]) or _MONTHS.get(letters[:3], 0)


def _month_numbers(names: pa.Array) -> Integers:
    coded = names.dictionary_encode()
    if len(coded.dictionary) > MOST_NAMES:
        return np.zeros(len(names), dtype=np.int64)
    numbers = np.array([month_number(name) for name in coded.dictionary.to_pylist()], dtype=np.int64)
    return np.asarray(numbers[np.asarray(coded.indices.to_numpy())], dtype=np.int64)


def _read_in_order(parts: Parts, example: str, stated: Order | None) -> tuple[Times, list[Finding]]:
    """Read three numbers as day, month and year in the order that suits them together."""
    a, b, c = (parts.number(name) for name in "abc")
    width_a, width_c, clock = parts.width("a"), parts.width("c"), parts.clock()
    if stated is None and (width_a == 3).any():
        return assemble(a + REPUBLIC, b, c, clock), [republican(int(a[0]))]
    if stated is None and parts.equals("s", "年").all():
        stated = "year_first"
    first_year = np.where((width_a == 2) & (width_c < 4), order.to_year(a), 0)
    last_year = np.where(width_c == 1, 0, np.where(width_c == 2, order.to_year(c), c))
    last_year = np.where(last_year >= 1900 + BUDDHIST, last_year - BUDDHIST, last_year)
    orders = {"month_first": (last_year, a, b), "day_first": (last_year, b, a), "year_first": (first_year, b, c)}
    dots = parts.equals("s", ".").all()
    options: tuple[Order, ...] = ("day_first", "month_first") if dots else ("month_first", "day_first")
    options = (*options, "year_first") if stated is None else (stated,)
    readings = {option: assemble(*orders[option], clock) for option in options}
    if dots and stated is None and not np.isnat(readings["day_first"]).any():
        del readings["month_first"]  # where dots are written, the month is never first
    choice, findings = order.choose(readings, f"“{example.split(maxsplit=1)[0][:10]}”")
    return readings[choice], list(findings)


def _offsets(texts: pa.Array, times: Times, state: _Cells) -> tuple[Integers, Mask, Mask]:
    """Return offsets from UTC in nanoseconds, which cells have one, and which cells name no unknown zone."""
    coded = texts.dictionary_encode()
    codes = np.asarray(coded.indices.to_numpy())
    offsets, zoned, readable = np.zeros(len(times), np.int64), np.zeros(len(times), bool), codes < MOST_NAMES
    for code, name in enumerate(coded.dictionary.to_pylist()[:MOST_NAMES]):
        if not name:
            continue
        where = codes == code
        fixed, zone = zone_names.offset(name), zone_names.iana(name)
        if fixed is not None:
            offsets[where], zoned[where] = fixed, True
            state.zones.add("")
        elif zone is not None:
            offsets[where], zoned[where] = zones.localize(times[where], zone), True
            state.zones.add(zone)
        else:
            readable[where] = False
        if fixed is not None and name.upper() in zone_names.AMBIGUOUS:
            message = text(
                "The time zone “{name}” has several meanings; it was read as {offset}.",
                name=name, offset=zone_names.offset_name(fixed),
            )  # fmt: skip
            state.findings.append(Finding("ambiguous_zone", "warning", message))
    return offsets, zoned, readable
