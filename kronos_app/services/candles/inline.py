"""Candles inside a JSON request, written as a CSV file so that they pass the same checks."""

from __future__ import annotations

import csv
import io
from typing import Any

from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

_HINT = text(
    'Send a list of objects such as {"timestamp": …, "open": …, "high": …, "low": …, "close": …}, '
    "or one object of equally long columns."
)


def to_csv_bytes(candles: Any) -> bytes:
    """Return `candles`, a list of row objects or an object of columns, as a CSV file.

    Raises InvalidInput, which names the row or column that has another form.
    """
    header, rows = _by_column(candles) if isinstance(candles, dict) else _by_row(candles)
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode("utf-8", errors="replace")


def _by_row(candles: Any) -> tuple[list[str], list[list[Any]]]:
    if not isinstance(candles, list) or not candles:
        raise InvalidInput("inline_candles", text("candles is empty or has another form."), _HINT)
    header: dict[str, None] = {}
    for number, row in enumerate(candles, start=1):
        if not isinstance(row, dict):
            raise InvalidInput("inline_candles", text("candles: row {row} is not an object.", row=number), _HINT)
        header.update(dict.fromkeys(row))
    return list(header), [[_cell(row.get(name), name, i) for name in header] for i, row in enumerate(candles, start=1)]


def _by_column(candles: dict[str, Any]) -> tuple[list[str], list[list[Any]]]:
    for name, column in candles.items():
        if not isinstance(column, list):
            raise InvalidInput("inline_candles", text("candles: {column} is not a list.", column=name), _HINT)
    if len({len(column) for column in candles.values()}) != 1:
        raise InvalidInput("inline_candles", text("candles: the columns are not equally long."), _HINT)
    rows = zip(*candles.values(), strict=True)
    return list(candles), [[_cell(v, n, i) for n, v in zip(candles, row, strict=True)] for i, row in enumerate(rows, 1)]


def _cell(value: Any, column: str, row: int) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise InvalidInput(
            "inline_candles",
            text("candles: {column} in row {row} is neither a number nor a text.", column=column, row=row),
            _HINT,
        )
    return "" if value is None else value
