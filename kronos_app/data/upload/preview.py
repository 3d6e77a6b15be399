"""The first rows of a file and how its columns would be read, for people who choose the columns themselves."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, InstanceOf, PlainSerializer

from kronos_app.data.draft import Finding
from kronos_app.data.upload import refusals, sheet, wide
from kronos_app.data.upload.columns import shorten
from kronos_app.data.upload.files import decode, tables
from kronos_app.data.upload.infer import infer, selection
from kronos_app.data.upload.mapping import ColumnMapping, Role
from kronos_app.errors import AppError
from kronos_app.settings import Settings

ROWS = 10


class ColumnPreview(BaseModel):
    """A column: header, role (`ignore` for one that is not used), unit if any, and its first cells as text."""

    model_config = ConfigDict(frozen=True)

    header: str
    role: Role
    unit: str | float | None
    cells: tuple[str, ...]


class TablePreview(BaseModel):
    """What a file holds and how it would be read."""

    model_config = ConfigDict(frozen=True)

    name: str  # of the file, safe to show
    columns: tuple[ColumnPreview, ...]  # all, in the order of the file
    rows: tuple[int, ...]  # file rows of the cells shown, 1-based
    mapping: ColumnMapping  # by which the file would be read: what is stated, the rest inferred
    times: tuple[str, ...] = ()  # how the first times are read, ISO 8601; empty where none can be
    timezone: str | None = None  # where the times are local to, if the file or the mapping states it
    unused: tuple[str, ...] = ()  # headers without a role
    findings: tuple[Finding, ...] = ()
    problem: Annotated[InstanceOf[AppError], PlainSerializer(AppError.to_dict)] | None = None  # why it is refused


def preview(content: bytes, filename: str, settings: Settings, *, mapping: ColumnMapping | None = None) -> TablePreview:
    """Return the first rows of an upload and how it would be read, also where it would be refused.

    Raises InvalidInput or TooLarge: the file is no table that can be shown, or lacks a column that `mapping` names.
    """
    name = decode.safe_name(filename)
    stated = mapping or ColumnMapping()
    table = wide.split(tables.read(content, name, selection(stated), settings), stated)[0]
    inference = infer(table, stated)
    rows = tables.first_rows(content, name, table, ROWS, settings)
    resolved = inference.mapping
    columns = []
    for position, header in enumerate(table.headers):
        role = resolved.columns.get(header, "ignore")
        cells = tuple(shorten(row[position]) for row in rows)
        columns.append(ColumnPreview(header=header, role=role, unit=resolved.units.get(role), cells=cells))
    result: dict[str, Any] = {"timezone": resolved.timezone, "findings": inference.findings}
    try:
        parsed = sheet.read(table, inference)
    except AppError as error:
        result["problem"] = error
    else:
        result = {"timezone": parsed.timezone, "findings": parsed.findings}
        if "timestamp" in parsed.frame:
            result["times"] = tuple(time.isoformat() for time in parsed.frame["timestamp"].iloc[:ROWS].dropna())
    return TablePreview(
        name=name,
        columns=tuple(columns),
        rows=tuple(int(row) for row in table.rows[: len(rows)]),
        mapping=resolved,
        unused=tuple(refusals.unused(table, resolved)),
        **result,
    )
