"""Columns of a file as numbers.

Decimal points or commas, thousands of any usual grouping, currency signs and suffixes such as `1.40M` are read; a cell
that is no number is reported, never dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kronos_app.data.candle_frame import PRICES
from kronos_app.data.draft import Finding
from kronos_app.data.upload import marks
from kronos_app.data.upload.units import suffix_factor
from kronos_app.i18n import text

EMPTY = ("", "nan", "null", "none", "na", "n/a", "#n/a", "nat", "-", "--", "---", "\\n")
SPACES = r"[\s'’]"  # thousands separators of whatever locale, after NFKC; RE2 syntax
_GROUPED = (
    r"\d+|\d{{1,3}}(?:{group}\d{{3}})+|\d{{1,2}}(?:{group}\d{{2}})+{group}\d{{3}}"  # the last is Indian: 1,28,03,123
)
NUMBER = rf"^-?(?:{_GROUPED})?(?:{{point}}\d*)?(?:[eE][+-]?\d{{{{1,4}}}})?$"
MANTISSA = r"^-?[.,]?\d"
CURRENCY = r"[$€£¥₹₩₫₽円元원]|usd|usdt|eur|gbp|jpy|cny|hkd|inr|chf|brl|krw|twd|aud|cad|sek|nok|dkk|pln|rub|try|zł|kr"
SPACED = r"^[^\d]*\d{1,3}([\s\x{00a0}\x{2009}\x{202f}'’]\d{3})+([.,]\d*)?$"
INFINITE = r"(?i)^[+-]?(inf|infinity|∞)$"
SUFFIX = r"^(?P<number>[^A-Za-z\x{0400}-\x{ffff}]*\d[.,]?)\s*(?P<suffix>[A-Za-z\x{0400}-\x{ffff}]{1,5})\.?$"


@dataclass(frozen=True)
class Numbers:
    """A column as float64, NaN where empty or unreadable, and which cells could not be read."""

    values: NDArray[np.float64]
    bad: NDArray[np.bool_]


def is_text(column: pa.ChunkedArray) -> bool:
    """Return whether the cells are text."""
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def is_number(column: pa.ChunkedArray) -> bool:
    """Return whether the cells are numbers."""
    kind = column.type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def trim(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return text without surrounding spaces, null where it says that there is nothing."""
    trimmed = pc.utf8_trim_whitespace(column)
    empty = pc.is_in(pc.utf8_lower(trimmed), value_set=pa.array(EMPTY, type=trimmed.type))
    return pc.if_else(empty, pa.scalar(None, trimmed.type), trimmed)


def parse(columns: Mapping[str, pa.ChunkedArray], delimiter: str) -> tuple[dict[str, Numbers], list[Finding]]:
    """Return the columns as numbers, and what was decided; decimal marks are judged by all columns together.

    Parameters
    ----------
    columns
        Text or numbers, by the names of a draft's columns. Suffixes are read everywhere but in prices.
    delimiter
        Of the file, empty if it has none.
    """
    texts = {name: trim(column) for name, column in columns.items() if is_text(column)}
    simple = {name: _simple(cells) for name, cells in texts.items()}
    suffixed = {name: _without_suffix(cells) for name, cells in simple.items() if name not in PRICES}
    factors = {name: pair for name, pair in suffixed.items() if pair is not None}
    spaced = any(
        pc.any(pc.match_substring_regex(cells, SPACED)).as_py()
        for name, cells in texts.items()
        if cells is not simple[name]
    )
    simple |= {name: cells for name, (cells, _) in factors.items()}
    points, findings = marks.decide(simple, delimiter, spaced=spaced)
    numbers = {}
    for name, column in columns.items():
        numbers[name] = _from_text(simple[name], points[name]) if name in texts else _from_numbers(column)
        if name in factors:
            factor = factors[name][1]
            numbers[name] = Numbers(numbers[name].values * factor, numbers[name].bad | np.isnan(factor))
            findings.append(_suffix_finding(name, texts[name], factor))
    return numbers, findings


def _simple(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return cells without currency signs, spaces between digits and full-width characters, where there are any."""
    if not pc.any(pc.match_substring_regex(cells, r"[^0-9.,eE+\-]|^\+")).as_py():
        return cells
    clean = pc.replace_substring(pc.utf8_normalize(cells, form="NFKC"), "−", "-")
    clean = pc.replace_substring_regex(
        clean, r"^([+-]?)\s*(?:[$€£¥₹₩₫₽]|Rs\.?|US\$|HK\$|NT\$|R\$|CHF|EUR|GBP|USD)\s*", r"\1"
    )
    clean = pc.replace_substring_regex(clean, rf"(?i)([\d.,])\s*(?:{CURRENCY})$", r"\1")
    # From the left, a group at a time, those of Indian numbers first; 450'2 is no group but 450 and two eighths.
    for group in (rf"\d{{2}}{SPACES}(?:\d{{2}}{SPACES})*\d{{3}}", r"\d{3}"):
        for _ in range(4):
            clean = pc.replace_substring_regex(clean, rf"^(\D*\d+){SPACES}({group})(\D|$)", r"\1\2\3")
    return pc.replace_substring_regex(clean, r"^\+", "")


def _without_suffix(cells: pa.ChunkedArray) -> tuple[pa.ChunkedArray, NDArray[np.float64]] | None:
    """Return cells without suffixes, and their factors, NaN for an unknown suffix; None where there are no suffixes."""
    if not pc.any(pc.match_substring_regex(cells, r"[^0-9.,+\-]\.?$")).as_py():
        return None
    parts = pc.extract_regex(cells, pattern=SUFFIX).combine_chunks()
    matched = np.asarray(parts.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    if not matched.any():
        return None
    coded = parts.field("suffix").dictionary_encode()
    known = {suffix: suffix_factor(suffix) for suffix in coded.dictionary.to_pylist()}
    if not any(known.values()):
        return None
    values = np.array([known[s] or np.nan for s in coded.dictionary.to_pylist()] or [np.nan])
    codes = np.where(matched, np.nan_to_num(coded.indices.to_numpy(zero_copy_only=False)), 0).astype(np.int64)
    factor = np.where(matched, values[codes], 1.0)
    readable = pa.array(matched & ~np.isnan(factor))
    simple = pc.if_else(readable, parts.field("number"), cells.combine_chunks())
    return pa.chunked_array([simple]), np.where(matched & np.isnan(factor), 1.0, factor)


def _suffix_finding(name: str, cells: pa.ChunkedArray, factor: NDArray[np.float64]) -> Finding:
    example = str(cells[int(np.argmax(factor != 1))].as_py())
    message = text("Numbers of {column} have suffixes, such as “{value}”; they were multiplied.", column=name,
                   value=example[:40])  # fmt: skip
    return Finding("unit", "info", message)


def _from_text(column: pa.ChunkedArray, point: marks.Mark) -> Numbers:
    if point == ".":
        try:
            return Numbers(_floats(pc.cast(column, pa.float64())), np.zeros(len(column), dtype=bool))
        except pa.ArrowInvalid:
            pass  # some cell is not plain: read the column the careful way
    group, decimal = (",", r"\.") if point == "." else (r"\.", ",")
    infinite = pc.match_substring_regex(column, INFINITE)
    regular = pc.match_substring_regex(column, NUMBER.format(group=group, point=decimal))
    regular = pc.and_(regular, pc.match_substring_regex(column, MANTISSA))
    plain = pc.replace_substring(column, marks.OTHER[point], "")
    plain = plain if point == "." else pc.replace_substring(plain, ",", ".")
    plain = pc.if_else(infinite, pc.replace_substring_regex(plain, "(?i)(infinity|∞)", "inf"), plain)
    readable = pc.or_(regular, infinite)
    values = _cast(pc.if_else(readable, plain, pa.scalar(None, plain.type)))
    bad = pc.fill_null(pc.invert(readable), False)
    return Numbers(values, np.asarray(bad.to_numpy(), dtype=bool))


def _cast(column: pa.ChunkedArray) -> NDArray[np.float64]:
    try:
        return _floats(pc.cast(column, pa.float64()))
    except pa.ArrowInvalid:  # beyond the range of a float
        return np.array([np.nan if cell is None else float(cell) for cell in column.to_pylist()], dtype=np.float64)


def _from_numbers(column: pa.ChunkedArray) -> Numbers:
    return Numbers(_floats(pc.cast(column, pa.float64(), safe=False)), np.zeros(len(column), dtype=bool))


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.array(pc.fill_null(column, np.nan).to_numpy(), dtype=np.float64)
