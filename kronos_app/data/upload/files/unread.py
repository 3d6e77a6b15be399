"""Kinds of files that are not read, known by their content, and what to do with each."""

from __future__ import annotations

from kronos_app.errors import InvalidInput
from kronos_app.i18n import Text, text

WORKBOOK, ARCHIVE, OTHER = "workbook", "archive", "other"
_READ = text("Upload CSV, JSON, an HTML table, Feather or Parquet, each also compressed with gzip (.gz).")
_WORDS: dict[str, tuple[str, Text, Text]] = {
    WORKBOOK: (
        "unsupported_workbook",
        text("“{name}” is a workbook of {kind}, which is not read."),
        text(
            "Open it in Excel, WPS or LibreOffice, choose File > Save As and the type CSV UTF-8, and upload that file. "
            "It has the sheet that was open."
        ),
    ),
    ARCHIVE: (
        "unsupported_archive",
        text("“{name}” is an archive of the kind {kind}, which is not read."),
        text("Unpack the archive and upload the files inside; several can be uploaded at once."),
    ),
    OTHER: ("unsupported_kind", text("“{name}” is a file of the kind {kind}, which is not read."), _READ),
}
_BEGINNINGS: dict[bytes, tuple[str, str]] = {
    b"\xd0\xcf\x11\xe0": (WORKBOOK, "Excel or WPS (.xls, .et)"),
    b"PK\x03\x04": (ARCHIVE, "ZIP"),
    b"PK\x05\x06": (ARCHIVE, "ZIP"),
    b"7z\xbc\xaf": (ARCHIVE, "7z"),
    b"Rar!": (ARCHIVE, "RAR"),
    b"BZh": (ARCHIVE, "bzip2"),
    b"\xfd7zXZ": (ARCHIVE, "xz"),
    b"\x28\xb5\x2f\xfd": (ARCHIVE, "zstd"),
    b"%PDF-": (OTHER, "PDF"),
    b"\x89PNG": (OTHER, "PNG"),
    b"\xff\xd8\xff": (OTHER, "JPEG"),
    b"\x89HDF": (OTHER, "HDF5"),
    b"SQLite format 3\0": (OTHER, "SQLite"),
    b"\x93NUMPY": (OTHER, "NumPy"),
    b"\x80\x04\x95": (OTHER, "pickle"),
    b"\x80\x05\x95": (OTHER, "pickle"),
    b"{\\rtf": (OTHER, "RTF"),
}
# By what a ZIP file or an XML text contains.
_MEMBERS: dict[bytes, tuple[str, str]] = {
    b"xl/": (WORKBOOK, "Excel (.xlsx)"),
    b"opendocument.spreadsheet": (WORKBOOK, "LibreOffice (.ods)"),
    b".iwa": (WORKBOOK, "Numbers"),
    b"word/": (OTHER, "Word"),
}
_SPREADSHEET = b"urn:schemas-microsoft-com:office:spreadsheet"
_TAR = slice(257, 262)  # where a tar archive says what it is


def not_a_table(name: str) -> InvalidInput:
    """Return the error for content that is no table of any kind."""
    return InvalidInput("not_a_table", text("“{name}” is not a table that can be read.", name=name), _READ)


def refuse_unread(content: bytes, name: str) -> None:
    """Refuse content of a kind that is known and not read.

    Raises
    ------
    InvalidInput
        Names the kind, and says how to get a file that is read.
    """
    kind = _kind(content)
    if kind is not None:
        code, message, hint = _WORDS[kind[0]]
        raise InvalidInput(code, text(message.msgid, name=name, kind=kind[1]), hint)


def _kind(content: bytes) -> tuple[str, str] | None:
    kind = next((kind for beginning, kind in _BEGINNINGS.items() if content.startswith(beginning)), None)
    if kind == (ARCHIVE, "ZIP"):
        return next((inner for member, inner in _MEMBERS.items() if member in content), kind)
    if content[_TAR] == b"ustar":
        return ARCHIVE, "tar"
    head = content[:2_000].lstrip(b"\xef\xbb\xbf \r\n\t")
    if kind is None and head.startswith(b"<?xml") and b"<html" not in head.lower():
        return (WORKBOOK, "Excel (XML)") if _SPREADSHEET in head else (OTHER, "XML")
    return kind
