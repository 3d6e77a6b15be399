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

from kronos_app.data.candle_frame import PRICES
from kronos_app.data.draft import Finding
from kronos_app.data.upload import marks
from kronos_app.data.upload.cells import Floats, Mask, any_match, extract, is_text, only, to_floats, to_mask, trim
from kronos_app.data.upload.units import suffix_factor
from kronos_app.i18n import text

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

    values: Floats
    bad: Mask


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
    spaced = any(any_match(cells, SPACED) for name, cells in texts.items() if cells is not simple[name])
    suffixed = {name: _without_suffix(cells) for name, cells in simple.items() if name not in PRICES}
    factors = {name: pair[1] for name, pair in suffixed.items() if pair is not None}
    simple |= {name: pair[0] for name, pair in suffixed.items() if pair is not None}
    points, findings = marks.decide(simple, delimiter, spaced=spaced)
    numbers = {}
    for name, column in columns.items():
        if name in texts:
            numbers[name] = _from_text(simple[name], points[name])
        else:
            numbers[name] = Numbers(to_floats(column), np.zeros(len(column), dtype=bool))
        if name in factors:
            factor = factors[name]
            numbers[name] = Numbers(numbers[name].values * factor, numbers[name].bad)
            example = str(texts[name][int(np.argmax(factor != 1))].as_py())[:40]
            message = text(
                "Numbers of {column} have suffixes, such as “{value}”; they were multiplied.",
                column=name, value=example,
            )  # fmt: skip
            findings.append(Finding("unit", "info", message))
    return numbers, findings


def _simple(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return cells without currency signs, spaces between digits and full-width characters, where there are any."""
    if not any_match(cells, r"[^0-9.,eE+\-]|^\+"):
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


def _without_suffix(cells: pa.ChunkedArray) -> tuple[pa.ChunkedArray, Floats] | None:
    """Return cells without suffixes, and their factors; None where there are no suffixes."""
    if not any_match(cells, r"[^0-9.,+\-]\.?$"):
        return None
    parts, matched = extract(cells, SUFFIX)
    if not matched.any():
        return None
    coded = parts.field("suffix").dictionary_encode()
    factors = [suffix_factor(suffix) for suffix in coded.dictionary.to_pylist()]
    if not any(factors):
        return None
    codes = np.where(matched, coded.indices.fill_null(0).to_numpy(zero_copy_only=False), 0)
    factor = np.where(matched, np.array([factor or np.nan for factor in factors])[codes], 1.0)
    readable = pa.array(matched & ~np.isnan(factor))
    simple = pc.if_else(readable, parts.field("number"), cells.combine_chunks())
    return pa.chunked_array([simple]), np.where(np.isnan(factor), 1.0, factor)


def _from_text(column: pa.ChunkedArray, point: marks.Mark) -> Numbers:
    if point == ".":
        try:
            return Numbers(to_floats(column), np.zeros(len(column), dtype=bool))
        except pa.ArrowInvalid:
            pass  # some cell is not plain: read the column the careful way
    group, decimal = (",", r"\.") if point == "." else (r"\.", ",")
    infinite = pc.match_substring_regex(column, INFINITE)
    regular = pc.match_substring_regex(column, NUMBER.format(group=group, point=decimal))
    readable = pc.or_(pc.and_(regular, pc.match_substring_regex(column, MANTISSA)), infinite)
    plain = pc.replace_substring(pc.replace_substring(column, marks.OTHER[point], ""), ",", ".")
    plain = only(pc.if_else(infinite, pc.replace_substring_regex(plain, "(?i)(infinity|∞)", "inf"), plain), readable)
    try:
        values = to_floats(plain)
    except pa.ArrowInvalid:  # beyond the range of a float
        values = np.array([np.nan if cell is None else float(cell) for cell in plain.to_pylist()], dtype=np.float64)
    return Numbers(values, to_mask(pc.invert(readable)))
