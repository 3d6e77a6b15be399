"""Columns of Arrow as arrays of NumPy, and questions about their cells."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

EMPTY = ("", "nan", "null", "none", "na", "n/a", "#n/a", "nat", "-", "--", "---", "\\n")
WHOLE_OR_FRACTION = r"^-?\d{1,25}(\.\d*)?$"


def is_text(column: pa.ChunkedArray) -> bool:
    """Return whether the cells are text."""
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def is_number(column: pa.ChunkedArray) -> bool:
    """Return whether the cells are numbers."""
    kind = column.type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def trim(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return text without surrounding spaces, null where it is one of `EMPTY`."""
    trimmed = pc.utf8_trim_whitespace(column)
    empty = pc.is_in(pc.utf8_lower(trimmed), value_set=pa.array(EMPTY, type=trimmed.type))
    return pc.if_else(empty, pa.scalar(None, trimmed.type), trimmed)


def only(cells: pa.ChunkedArray, where: pa.ChunkedArray | Mask) -> pa.ChunkedArray:
    """Return the cells where a condition holds, null elsewhere."""
    return pc.if_else(pa.array(where) if isinstance(where, np.ndarray) else where, cells, pa.scalar(None, cells.type))


def nulls(column: pa.ChunkedArray) -> Mask:
    """Return which cells are empty."""
    return np.asarray(column.is_null().to_numpy(), dtype=bool)


def to_mask(column: pa.Array | pa.ChunkedArray) -> Mask:
    """Return truth values as an array, empty cells as false."""
    return np.asarray(column.fill_null(False).to_numpy(zero_copy_only=False), dtype=bool)


def matches(cells: pa.ChunkedArray, pattern: str) -> Mask:
    """Return which cells match a regular expression (RE2)."""
    return to_mask(pc.match_substring_regex(cells, pattern))


def any_match(cells: pa.ChunkedArray, pattern: str) -> bool:
    """Return whether some cell matches a regular expression."""
    return bool(pc.any(pc.match_substring_regex(cells, pattern)).as_py())


def all_match(cells: pa.ChunkedArray, pattern: str) -> bool:
    """Return whether every cell that is not empty matches a regular expression."""
    return bool(pc.all(pc.match_substring_regex(cells, pattern)).as_py())


def count_matches(cells: pa.ChunkedArray, pattern: str) -> int:
    """Return how many cells match a regular expression."""
    return int(pc.sum(pc.match_substring_regex(cells, pattern)).as_py() or 0)


def mostly_match(cells: pa.ChunkedArray, pattern: str) -> bool:
    """Return whether more than half of the cells that are not empty match a regular expression."""
    return bool(2 * count_matches(cells, pattern) > len(cells) - cells.null_count)


def to_floats(column: pa.ChunkedArray) -> Floats:
    """Return numbers, NaN where empty."""
    return np.array(pc.fill_null(pc.cast(column, pa.float64(), safe=False), np.nan).to_numpy(), dtype=np.float64)


def to_integers(column: pa.ChunkedArray) -> Integers | None:
    """Return whole numbers as 64-bit integers, 0 where empty; None where one has a fraction or is too large."""
    try:
        return np.array(pc.fill_null(pc.cast(column, pa.int64()), 0).to_numpy(), dtype=np.int64)
    except pa.ArrowException:
        return None


def extract(cells: pa.ChunkedArray, pattern: str) -> tuple[pa.StructArray, Mask]:
    """Return the named groups of a regular expression, and which cells match it."""
    parts = pc.extract_regex(cells, pattern=pattern).combine_chunks()
    return parts, to_mask(parts.is_valid())
