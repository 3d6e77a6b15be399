"""The first rows of a file and how its columns would be read, for people who choose the columns themselves."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kronos_app.data.draft import Finding
from kronos_app.data.upload import decode, refusals, sheet, tables, wide
from kronos_app.data.upload.columns import shorten
from kronos_app.data.upload.infer import infer, selection
from kronos_app.data.upload.mapping import ColumnMapping, Role
from kronos_app.errors import AppError
from kronos_app.settings import Settings

ROWS = 10


@dataclass(frozen=True)
class ColumnPreview:
    """A column: header, role (`ignore` for one that is not used), unit if any, and its first cells as text."""

    header: str
    role: Role
    unit: str | float | None
    cells: tuple[str, ...]


@dataclass(frozen=True)
class TablePreview:
    """What a file holds and how it would be read.

    Attributes
    ----------
    name
        File name, safe to show.
    columns
        All columns, in the order of the file.
    rows
        The file rows of the cells shown, 1-based.
    mapping
        Roles, format, zone and units by which the file would be read: what is stated, the rest inferred.
    times
        How the first times are read, ISO 8601; empty where none can be.
    timezone
        Where the times are local to, if the file or the mapping says so.
    unused
        Headers without a role.
    findings
        What was decided on the way.
    problem
        Why the file would be refused; None if it would be read.
    """

    name: str
    columns: tuple[ColumnPreview, ...]
    rows: tuple[int, ...]
    mapping: ColumnMapping
    times: tuple[str, ...] = ()
    timezone: str | None = None
    unused: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    problem: AppError | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form with messages that can still be translated."""
        return {
            "name": self.name,
            "columns": [asdict(column) for column in self.columns],
            "rows": list(self.rows),
            "mapping": self.mapping.model_dump(mode="json"),
            "times": list(self.times),
            "timezone": self.timezone,
            "unused": list(self.unused),
            "findings": [finding.to_dict() for finding in self.findings],
            "problem": None if self.problem is None else self.problem.to_dict(),
        }


def preview(content: bytes, filename: str, settings: Settings, *, mapping: ColumnMapping | None = None) -> TablePreview:
    """Return the first rows of an upload and how it would be read, also where it would be refused.

    Raises
    ------
    InvalidInput, TooLarge
        The file is no table that can be shown, or a column that `mapping` names is not there.
    """
    name = decode.safe_name(filename)
    stated = mapping or ColumnMapping()
    whole = tables.read(content, name, selection(stated), settings)
    table = wide.split(whole, stated)[0]
    inference = infer(table, stated)
    shown = tables.first_rows(content, name, table, ROWS, settings)
    cells = list(zip(*shown, strict=True)) if shown else [()] * len(table.headers)
    resolved = inference.mapping
    columns = tuple(
        ColumnPreview(header, role, resolved.units.get(role), tuple(shorten(cell) for cell in cells[position]))
        for position, header in enumerate(table.headers)
        for role in (resolved.columns.get(header, "ignore"),)
    )
    times: tuple[str, ...] = ()
    timezone, findings, problem = resolved.timezone, inference.findings, None
    try:
        read = sheet.read(table, inference)
    except AppError as error:
        problem = error
    else:
        timezone, findings = read.timezone, read.findings
        if "timestamp" in read.frame:
            times = tuple(time.isoformat() for time in read.frame["timestamp"].iloc[:ROWS].dropna())
    return TablePreview(
        name, columns, tuple(int(row) for row in table.rows[: len(shown)]), resolved, times, timezone,
        tuple(refusals.unused(table, resolved)), findings, problem,
    )  # fmt: skip
