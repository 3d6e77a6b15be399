"""Plain content as a table, by the kind of file that it is."""

from __future__ import annotations

from kronos_app.data.upload import arrow_table, decode, text_table
from kronos_app.data.upload.table import Selection, Table
from kronos_app.settings import Settings


def read(content: bytes, name: str, select: Selection, settings: Settings) -> Table:
    """Return the table in an upload.

    Parameters
    ----------
    content, name
        The upload, perhaps compressed, and its name as it is shown.
    select
        Columns to load where a file allows to load some alone.

    Raises
    ------
    InvalidInput
        If it cannot be read as the kind of file it is.
    TooLarge
        If it has more rows than the limit or would take more memory.
    """
    plain, kind = decode.unpack(content, name, settings.max_upload_mb)
    if kind == "text":
        return text_table.read(decode.to_utf8(plain, name), name, settings.max_rows)
    limit = settings.max_upload_mb * 1_000_000
    return arrow_table.read(plain, kind, name, select, limit=limit, max_rows=settings.max_rows)


def first_rows(content: bytes, name: str, table: Table, count: int, settings: Settings) -> list[list[str]]:
    """Return the first rows of all columns of an upload as text, those that are not candles left out."""
    if len(table.cells) == len(table.headers):
        columns = [table.cells[position].slice(0, count).to_pylist() for position in range(len(table.headers))]
        return [["" if cell is None else str(cell) for cell in row] for row in zip(*columns, strict=True)]
    plain, kind = decode.unpack(content, name, settings.max_upload_mb)
    return arrow_table.first_rows(plain, kind, name, count)
