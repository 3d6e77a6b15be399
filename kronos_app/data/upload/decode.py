"""From the bytes of an upload to plain content: size limits, gzip, kind of file, text encoding."""

from __future__ import annotations

import codecs
import gzip
import re
import unicodedata
import zlib
from io import BytesIO
from typing import Literal

from kronos_app.data.upload import encodings
from kronos_app.errors import InvalidInput, TooLarge
from kronos_app.i18n import text

Kind = Literal["text", "parquet", "feather"]

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins like UTF-16's: tried first
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
GZIP, PARQUET, FEATHER, FEATHER_V1 = b"\x1f\x8b", b"PAR1", b"ARROW1", b"FEA1"
KINDS: dict[bytes, Kind] = {PARQUET: "parquet", FEATHER: "feather"}  # both begin and end with their magic bytes
ARCHIVES = {
    b"PK\x03\x04": "ZIP",
    b"PK\x05\x06": "ZIP",
    b"\xd0\xcf\x11\xe0": "Excel (.xls)",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "RAR",
}
ARCHIVES |= {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


def safe_name(filename: str) -> str:
    """Return a file name fit to be shown: its last part, without control characters, at most 100 characters long."""
    base = re.split(r"[/\\]", filename)[-1]
    clean = "".join(c for c in base if unicodedata.category(c)[0] != "C").strip(" .")
    return clean[:100] or "upload"


def unpack(content: bytes, name: str, limit_mb: int) -> tuple[bytes, Kind]:
    """Return the content, decompressed where it is gzip, and what kind of file it really is, whatever its name says.

    Raises
    ------
    TooLarge
        If the content is larger than the limit, before or after decompression; no more than the limit is ever expanded.
    InvalidInput
        If it is empty, damaged, or of a kind that is not read.
    """
    limit = limit_mb * 1_000_000
    _check_size(len(content), limit, name, limit_mb)
    if content.startswith(GZIP):
        content = _gunzip(content, name, limit)
        _check_size(len(content), limit, name, limit_mb)
    if not content.strip():
        raise _empty(name)
    if content.startswith(GZIP):
        raise InvalidInput(
            "nested_archive",
            text("“{name}” is compressed twice.", name=name),
            text("Compress the file once, or not at all."),
        )
    return content, _kind(content, name)


def to_utf8(content: bytes, name: str) -> bytes:
    """Return text as UTF-8 without byte order mark, from UTF-8, UTF-16, UTF-32 or what `encodings` knows."""
    for bom, encoding in BOMS:
        if content.startswith(bom):
            body = content[len(bom) :]
            return _checked(_decode(body, encoding, name), name) if encoding != "utf-8" else _plain_utf8(body, name)
    utf16 = _utf16_without_bom(content[:2000])
    if utf16:
        return _checked(_decode(content, utf16, name), name)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        decoded = encodings.decode(content)
        if decoded is None:
            raise not_a_table(name) from None
        return _checked(decoded, name)
    return _checked_bytes(content, name)


def not_a_table(name: str) -> InvalidInput:
    """Return the error for content that is no table of any kind."""
    return InvalidInput(
        "not_a_table",
        text("“{name}” is not a table that can be read.", name=name),
        text("Upload CSV, Feather or Parquet, each also compressed with gzip (.gz)."),
    )


def damaged(kind: Kind, name: str) -> InvalidInput:
    """Return the error for a Feather or Parquet file that cannot be read."""
    return InvalidInput(
        "damaged_file",
        text("“{name}” is not a readable {kind} file: it is damaged or cut off.", name=name, kind=kind),
        text("Write or download the file again, or use CSV."),
    )


def _check_size(size: int, limit: int, name: str, limit_mb: int) -> None:
    if size > limit:
        raise TooLarge(
            "file_too_large",
            text("“{name}” is larger than {limit} MB.", name=name, limit=limit_mb),
            text("Upload fewer candles; the limit also holds after decompression."),
        )


def _gunzip(content: bytes, name: str, limit: int) -> bytes:
    """Return the decompressed content, cut one byte past the limit."""
    try:
        with gzip.GzipFile(fileobj=BytesIO(content)) as stream:
            return stream.read(limit + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidInput(
            "damaged_gzip",
            text("The gzip compression of “{name}” is damaged or cut off.", name=name),
            text("Compress or download the file again."),
        ) from error


def wrong_kind(name: str, ending: str) -> InvalidInput:
    """Return the error for text without a table in a file whose ending promises another kind."""
    return InvalidInput(
        "wrong_kind",
        text("“{name}” is text without a table of candles, not a .{kind} file.", name=name, kind=ending),
        text("Write or download the file again."),
    )


def _kind(content: bytes, name: str) -> Kind:
    for magic, archive in ARCHIVES.items():
        if content.startswith(magic):
            raise _unsupported(name, "Excel (.xlsx)" if archive == "ZIP" and b"xl/" in content else archive)
    if content.startswith(FEATHER_V1):
        raise InvalidInput(
            "old_feather",
            text("“{name}” is a Feather file of the old version 1.", name=name),
            text("Write it again as Feather version 2, Parquet or CSV."),
        )
    for magic, kind in KINDS.items():
        if content.startswith(magic):
            if not content.endswith(magic):
                raise damaged(kind, name)
            return kind
    return "text"


def _unsupported(name: str, kind: str) -> InvalidInput:
    if kind.startswith("Excel"):
        return InvalidInput(
            "unsupported_archive",
            text("“{name}” is a workbook of {kind}, which is not read.", name=name, kind=kind),
            text("Save the sheet as CSV (UTF-8) and upload that."),
        )
    return InvalidInput(
        "unsupported_archive",
        text("“{name}” is a {kind} archive, which is not read.", name=name, kind=kind),
        text("Unpack the archive and upload the file inside."),
    )


def _utf16_without_bom(head: bytes) -> str | None:
    """Return which UTF-16 it is when every other byte of mostly Latin text is zero."""
    if len(head) < 4:
        return None
    even, odd = head[0::2].count(0) / len(head[0::2]), head[1::2].count(0) / len(head[1::2])
    if odd > 0.4 and even < 0.1:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.1 else None


def _decode(content: bytes, encoding: str, name: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InvalidInput(
            "damaged_text",
            text("“{name}” is not valid {encoding} text.", name=name, encoding=encoding.upper()),
            text("Save the file as UTF-8."),
        ) from error


def _plain_utf8(content: bytes, name: str) -> bytes:
    _decode(content, "utf-8", name)
    return _checked_bytes(content, name)


def _checked(decoded: str, name: str) -> bytes:
    return _checked_bytes(decoded.encode("utf-8", errors="replace"), name)


def _empty(name: str) -> InvalidInput:
    return InvalidInput("empty_file", text("“{name}” is empty.", name=name), text("Choose a file with candles."))


def _checked_bytes(content: bytes, name: str) -> bytes:
    """Refuse text that is empty or has control characters: no table has them, binary rubbish does."""
    if not content.strip():
        raise _empty(name)
    if re.search(rb"[\x00-\x08\x0e-\x1f\x7f]", content[:100_000]):
        raise not_a_table(name)
    return content
