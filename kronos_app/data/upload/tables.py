"""Plain content as a table, by the kind of file that it is."""

from __future__ import annotations

from dataclasses import replace

from kronos_app.data.draft import Finding
from kronos_app.data.upload import arrow_table, decode, html_table, json_table, text_table
from kronos_app.data.upload.table import Selection, Table, text_at
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text
from kronos_app.settings import Settings

_ENDINGS = {
    "Parquet": {"parquet", "pq"}, "Feather": {"feather", "arrow", "ipc"}, "JSON": {"json", "jsonl", "ndjson"},
    "HTML": {"html", "htm"},
}  # fmt: skip
_BINARY = frozenset({"parquet", "pq", "feather", "arrow", "ipc", "xlsx", "xls"})
_OTHERS = frozenset({"xls", "xlsx", "ods", "zip", "parquet", "pq", "feather", "arrow", "ipc", "json", "html", "htm"})


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
        return _read_text(decode.to_utf8(plain, name), name, settings.max_rows)
    limit = settings.max_upload_mb * 1_000_000
    table = arrow_table.read(plain, kind, name, select, limit=limit, max_rows=settings.max_rows)
    return _named_truly(table, kind.capitalize())


def first_rows(content: bytes, name: str, table: Table, count: int, settings: Settings) -> list[list[str]]:
    """Return the first rows of all columns of an upload as text, those that are not candles left out."""
    if len(table.cells) == len(table.headers):
        columns = [table.cells[position] for position in range(len(table.headers))]
        return [[text_at(column, row) for column in columns] for row in range(min(count, len(table.rows)))]
    plain, kind = decode.unpack(content, name, settings.max_upload_mb)
    limit = settings.max_upload_mb * 1_000_000
    return arrow_table.first_rows(plain, kind, name, count, limit=limit, max_rows=settings.max_rows)


def _read_text(content: bytes, name: str, max_rows: int) -> Table:
    """Read text as what it is: JSON, HTML, or cells with separators."""
    if html_table.is_html(content):
        return _named_truly(text_table.read(html_table.to_csv(content, name), name, max_rows), "HTML")
    table = json_table.read(content, name, max_rows)
    if table is not None:
        return _named_truly(table, "JSON")
    if content.lstrip()[:1] in {b"[", b"{"} and _ending(name) in _ENDINGS["JSON"]:
        raise InvalidInput(
            "damaged_json",
            text("“{name}” is not valid JSON: it is damaged or cut off.", name=name),
            text("Write or download the file again, or use CSV."),
        )
    try:
        return _named_truly(text_table.read(content, name, max_rows), "text")
    except InvalidInput as error:
        if error.code in {"no_rows", "not_a_table"} and _ending(name) in _BINARY:
            raise decode.wrong_kind(name, _ending(name)) from error
        raise


def _named_truly(table: Table, kind: str) -> Table:
    """Return a table with a remark where the file's ending promises another kind of file."""
    ending = _ending(table.name)
    if ending in _ENDINGS.get(kind, ()) or ending not in _OTHERS:
        return table
    message = text("“{name}” holds {kind}, whatever its ending says.", name=table.name, kind=kind)
    return replace(table, findings=(*table.findings, Finding("file_kind", "info", message)))


def _ending(name: str) -> str:
    return name.lower().removesuffix(".gz").rpartition(".")[2]
