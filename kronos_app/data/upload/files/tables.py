"""Plain content as a table, by the kind of file that it is."""

from __future__ import annotations

from dataclasses import replace

from kronos_app.data.draft import Finding
from kronos_app.data.upload.files import arrow_table, decode, encodings, html_table, json_table, text_table
from kronos_app.data.upload.files.table import Selection, Table, text_at
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text
from kronos_app.settings import Settings

_ENDINGS = {
    "parquet": "Parquet", "pq": "Parquet", "feather": "Feather", "arrow": "Feather", "ipc": "Feather", "json": "JSON",
    "jsonl": "JSON", "ndjson": "JSON", "html": "HTML", "htm": "HTML", "xlsx": "Excel", "xls": "Excel", "ods": "Excel",
    "zip": "ZIP",
}  # fmt: skip
_BINARY = frozenset({"parquet", "pq", "feather", "arrow", "ipc", "xlsx", "xls"})


def read(content: bytes, name: str, select: Selection, settings: Settings) -> Table:
    """Return the table in an upload, perhaps compressed, and a finding where its name promises another kind of file.

    Parameters
    ----------
    select
        Columns to load where a file allows to load some alone.

    Raises
    ------
    InvalidInput
        If it cannot be read as the kind of file it is.
    TooLarge
        If it has more rows than the limit or would take more memory.
    """
    plain, binary = decode.unpack(content, name, settings.max_upload_mb)
    if binary == "text":
        table, kind = _read_text(encodings.to_utf8(plain, name), name, settings.max_rows)
    else:
        table = arrow_table.read(plain, binary, name, select, settings)
        kind = binary.capitalize()
    if _ENDINGS.get(_ending(name), kind) == kind:
        return table
    message = text("“{name}” contains {kind}, despite its extension.", name=table.name, kind=kind)
    return replace(table, findings=(*table.findings, Finding("file_kind", "info", message)))


def first_rows(content: bytes, name: str, table: Table, count: int, settings: Settings) -> list[list[str]]:
    """Return the first rows of all columns of an upload as text, those that are not candles left out."""
    if len(table.cells) == len(table.headers):
        columns = [table.cells[position] for position in range(len(table.headers))]
        return [[text_at(column, row) for column in columns] for row in range(min(count, len(table.rows)))]
    plain, kind = decode.unpack(content, name, settings.max_upload_mb)
    return arrow_table.first_rows(plain, kind, name, count, settings)


def _read_text(content: bytes, name: str, max_rows: int) -> tuple[Table, str]:
    """Return the table of a text and what the text is: JSON, HTML, or cells with separators."""
    ending = _ending(name)
    if html_table.is_html(content):
        return text_table.read(html_table.to_csv(content, name), name, max_rows), "HTML"
    if (table := json_table.read(content, name, max_rows)) is not None:
        return table, "JSON"
    if content.lstrip()[:1] in {b"[", b"{"} and _ENDINGS.get(ending) == "JSON":
        raise InvalidInput(
            "damaged_json",
            text("“{name}” is not valid JSON: it is damaged or cut off.", name=name),
            text("Write or download the file again, or use CSV."),
        )
    try:
        return text_table.read(content, name, max_rows), "text"
    except InvalidInput as error:
        if error.code in {"no_rows", "not_a_table"} and ending in _BINARY:
            raise InvalidInput(
                "wrong_kind",
                text("“{name}” is text without a table of candles, not a .{kind} file.", name=name, kind=ending),
                text("Write or download the file again."),
            ) from error
        raise


def _ending(name: str) -> str:
    return name.lower().removesuffix(".gz").rpartition(".")[2]
