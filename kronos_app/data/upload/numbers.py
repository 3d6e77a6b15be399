"""Columns of a file as numbers.

Decimal points or commas, thousands separators and currency signs are read; a cell that is no number is reported,
never dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kronos_app.data.draft import Finding
from kronos_app.i18n import text

Decimal = Literal[".", ","]

EMPTY = ("", "nan", "null", "none", "na", "n/a", "#n/a", "nat", "-", "--", "\\n")
SPACES = r"[ \x{00a0}\x{2009}\x{202f}'’]"  # thousands separators of whatever locale; RE2 syntax
NUMBER = r"^[+-]?(\d+|\d{{1,3}}(?:{group}\d{{3}})+)?(?:{point}\d*)?(?:[eE][+-]?\d+)?$"
INFINITE = r"(?i)^[+-]?(inf|infinity|∞)$"


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
    """Return the columns as numbers; whether a comma is a decimal is decided once, from all cells of the file."""
    texts = {name: trim(column) for name, column in columns.items() if is_text(column)}
    point, findings = decimal_mark(list(texts.values()), delimiter)
    numbers = {}
    for name, column in columns.items():
        numbers[name] = _from_text(texts[name], point) if name in texts else _from_numbers(column)
    return numbers, findings


def decimal_mark(columns: Sequence[pa.ChunkedArray], delimiter: str) -> tuple[Decimal, list[Finding]]:
    """Return the decimal mark of the file's numbers and what to say about it where they leave both readings open."""
    if not any(_any(column, ",") for column in columns):
        several = any(_any_match(column, r"^[+-]?\d{1,3}(\.\d{3}){2,}$") for column in columns)
        return ("," if several else "."), []
    comma = sum(_count(c, r"\.\d{3},\d|^[+-]?\d*,(\d{0,2}|\d{4,})$|^[+-]?(\d{4,}|0),\d+$") for c in columns)
    dot = sum(
        _count(c, r",\d{3}\.\d|,\d{3},\d{3}|^[+-]?\d*\.(\d{0,2}|\d{4,})$|^[+-]?(\d{4,}|0)\.\d+$") for c in columns
    )
    if comma != dot:
        return ("," if comma > dot else "."), []
    point: Decimal = "." if delimiter == "," else ","
    message = (
        text("Numbers such as “1,234” may mean 1234 or 1.234; they were read as 1234 (comma between thousands).")
        if point == "."
        else text("Numbers such as “1,234” may mean 1234 or 1.234; they were read as 1.234 (comma as decimal mark).")
    )
    return point, [Finding("ambiguous_decimal", "warning", message)]


def _from_text(column: pa.ChunkedArray, point: Decimal) -> Numbers:
    if point == ".":
        try:
            return Numbers(_floats(pc.cast(column, pa.float64())), np.zeros(len(column), dtype=bool))
        except pa.ArrowInvalid:
            pass  # some cell is not plain: read the column the careful way
    group = "," if point == "." else r"\."
    clean = pc.replace_substring_regex(column, r"^([+-]?)\s*[$€£¥￥]\s*", r"\1")
    clean = pc.replace_substring_regex(clean, rf"(\d){SPACES}(\d)", r"\1\2")
    clean = pc.replace_substring_regex(clean, rf"(\d){SPACES}(\d)", r"\1\2")
    infinite = pc.match_substring_regex(clean, INFINITE)
    regular = pc.match_substring_regex(clean, NUMBER.format(group=group, point=r"\." if point == "." else ","))
    regular = pc.and_(regular, pc.match_substring_regex(clean, r"\d"))
    plain = pc.replace_substring(clean, group.lstrip("\\"), "")
    plain = plain if point == "." else pc.replace_substring(plain, ",", ".")
    plain = pc.if_else(infinite, pc.replace_substring_regex(plain, "(?i)(infinity|∞)", "inf"), plain)
    readable = pc.or_(regular, infinite)
    values = pc.cast(pc.if_else(readable, plain, pa.scalar(None, plain.type)), pa.float64())
    bad = pc.fill_null(pc.invert(readable), False)
    return Numbers(_floats(values), np.asarray(bad.to_numpy(), dtype=bool))


def _from_numbers(column: pa.ChunkedArray) -> Numbers:
    return Numbers(_floats(pc.cast(column, pa.float64(), safe=False)), np.zeros(len(column), dtype=bool))


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.array(pc.fill_null(column, np.nan).to_numpy(), dtype=np.float64)


def _any(column: pa.ChunkedArray, part: str) -> bool:
    return bool(pc.any(pc.match_substring(column, part)).as_py())


def _any_match(column: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(column, pattern)).as_py())


def _count(column: pa.ChunkedArray, pattern: str) -> int:
    return int(pc.sum(pc.match_substring_regex(column, pattern)).as_py() or 0)
