"""Refusals of a table's columns, times and numbers; each says which columns are unused and how to state their roles."""

from __future__ import annotations

import json
from collections.abc import Sequence

from kronos_app.data.upload.columns import shorten, shorten_list
from kronos_app.data.upload.files.table import Table, text_at
from kronos_app.data.upload.mapping import ColumnMapping
from kronos_app.errors import InvalidInput
from kronos_app.i18n import Text, text


def unused(table: Table, mapping: ColumnMapping) -> list[str]:
    """Return the columns that have no role, those without a name left out."""
    return [
        header
        for header, name in zip(table.headers, table.fields, strict=True)
        if mapping.columns.get(header, "ignore") == "ignore" and name and not header.startswith("column ")
    ]


def refuse(code: str, message: Text, advice: Text, table: Table, mapping: ColumnMapping, role: str) -> InvalidInput:
    """Return an error whose hint adds to `advice` the unused columns and how to state which of them is `role`."""
    return InvalidInput(code, message, mapping_hint(advice, unused(table, mapping), role, table.headers))


def mapping_hint(advice: Text, headers: Sequence[str], role: str, others: Sequence[str] = ()) -> Text:
    """Return `advice`, then how to state that one of the unused `headers`, or else of `others`, has a role."""
    example = json.dumps({shorten(header): role for header in [*headers, *others, "Column"][:1]}, ensure_ascii=False)
    if not headers:
        return text(
            "{advice} Or state which column is which: on the page by “Choose the columns”, over REST in the field "
            "columns, such as columns={example}.",
            advice=advice, example=example,
        )  # fmt: skip
    return text(
        "{advice} Or state which column is which: on the page by “Choose the columns”, over REST in the field columns, "
        "such as columns={example}. Unused columns: {headers}.",
        advice=advice, example=example, headers=shorten_list(headers),
    )  # fmt: skip


def missing_prices(table: Table, mapping: ColumnMapping, missing: Sequence[str]) -> InvalidInput:
    """Return the error for a table that lacks prices, or that has no header row."""
    if table.named:
        code, message = "missing_columns", text(
            "“{name}” lacks the column(s) {missing}; its columns are: {found}.",
            name=table.name, missing=", ".join(missing), found=shorten_list(table.headers),
        )  # fmt: skip
        advice = text(
            "The first row must name the columns timestamp, open, high, low, close and perhaps volume, amount."
        )
    else:
        cells = [text_at(table.cells[p], 0) for p in range(min(6, len(table.headers)))]
        code, message = "no_header", text(
            "“{name}” has no header row; row {row} begins with {found}.",
            name=table.name, row=int(table.rows[0]), found=shorten_list(cells, 6),
        )  # fmt: skip
        advice = text("Add a first row that names the columns: timestamp, open, high, low, close, volume.")
    return refuse(code, message, advice, table, mapping, missing[0])


def no_numbers(table: Table, mapping: ColumnMapping, role: str, header: str, value: str) -> InvalidInput:
    """Return the error for a price column without a single number."""
    message = text(
        "Column “{column}” of “{name}” holds no numbers; row {row} says “{value}”.",
        column=header, name=table.name, row=int(table.rows[0]), value=shorten(value),
    )  # fmt: skip
    return refuse("no_numbers", message, text("Prices must be plain numbers, such as 101.25."), table, mapping, role)


def wrong_type(table: Table, mapping: ColumnMapping, role: str, header: str, kind: str) -> InvalidInput:
    """Return the error for a column whose type cannot hold what its role needs."""
    message = text(
        "Column “{column}” of “{name}” is of type {kind}.",
        column=shorten(header), name=table.name, kind=shorten(kind),
    )  # fmt: skip
    advice = text("Store prices and volumes as numbers, and times as timestamps or text.")
    return refuse("wrong_type", message, advice, table, mapping, role)


def no_times(table: Table, mapping: ColumnMapping, header: str, row: int | None, value: str) -> InvalidInput:
    """Return the error for a time column that is empty (`row` is None) or cannot be read."""
    if row is None:
        message = text("The time column “{column}” of “{name}” is empty.", column=header, name=table.name)
    else:
        message = text(
            "The time column “{column}” of “{name}” cannot be read; row {row} says “{value}”.",
            column=header, name=table.name, row=row, value=shorten(value),
        )  # fmt: skip
    advice = text(
        "Use dates such as 2024-01-31 09:30, or seconds or milliseconds since 1970, or state the time format."
    )
    return refuse("no_times", message, advice, table, mapping, "timestamp")
