"""CSV that a spreadsheet opens as data, whatever the cells say."""

from __future__ import annotations

import pandas as pd

# A cell that begins with one of these is run as a formula by spreadsheets; an apostrophe in front makes it text.
FORMULA_START = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def safe_csv(frame: pd.DataFrame) -> str:
    """Return `frame` as CSV without its index; text cells and headers that a spreadsheet would run are made inert.

    Numbers and times stay as they are (a negative number is no formula), NaN becomes an empty cell.
    """
    safe = frame.copy()
    for position, dtype in enumerate(frame.dtypes):
        if not (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_datetime64_any_dtype(dtype)):
            safe.isetitem(position, frame.iloc[:, position].map(_inert).array)
    safe.columns = pd.Index([_inert(name) for name in frame.columns])
    return safe.to_csv(index=False, lineterminator="\n")


def _inert(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    line = " ".join(cell.splitlines()).replace("\t", " ")  # a line break would begin a cell of its own
    return f"'{line}" if line.lstrip().startswith(FORMULA_START) else line
