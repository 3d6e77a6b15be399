"""From the bytes of an upload to plain content: size limits, gzip, kind of file."""

from __future__ import annotations

import gzip
import re
import unicodedata
import zlib
from io import BytesIO
from typing import Literal

from kronos_app.data.upload.files.unread import refuse_unread
from kronos_app.errors import InvalidInput, TooLarge
from kronos_app.i18n import text

Kind = Literal["text", "parquet", "feather"]

GZIP, FEATHER_V1 = b"\x1f\x8b", b"FEA1"
KINDS: dict[bytes, Kind] = {b"PAR1": "parquet", b"ARROW1": "feather"}  # both begin and end with their magic bytes


def safe_name(filename: str) -> str:
    """Return a file name fit to be shown: its last part, without control characters, at most 100 characters long."""
    base = re.split(r"[/\\]", filename)[-1]
    clean = "".join(c for c in base if unicodedata.category(c)[0] != "C").strip(" .")
    return clean[:100] or "upload"


def unpack(content: bytes, name: str, limit_mb: int) -> tuple[bytes, Kind]:
    """Return the content, decompressed if it is gzip, and what kind of file it really is, whatever its name says.

    Raises
    ------
    TooLarge
        If the content is larger than the limit, before or after decompression; no more than the limit is ever expanded.
    InvalidInput
        If it is empty, damaged, or of a kind that is not read.
    """
    _check_size(content, name, limit_mb)
    if content.startswith(GZIP):
        content = _gunzip(content, name, limit_mb * 1_000_000)
        _check_size(content, name, limit_mb)
    if not content.strip():
        raise empty(name)
    if content.startswith(GZIP):
        raise InvalidInput(
            "nested_archive",
            text("“{name}” is compressed twice.", name=name),
            text("Compress the file once, or not at all."),
        )
    return content, _kind(content, name)


def empty(name: str) -> InvalidInput:
    """Return the error for a file without content."""
    return InvalidInput("empty_file", text("“{name}” is empty.", name=name), text("Choose a file with candles."))


def damaged(kind: Kind, name: str) -> InvalidInput:
    """Return the error for a Feather or Parquet file that cannot be read."""
    return InvalidInput(
        "damaged_file",
        text("“{name}” is not a readable {kind} file: it is damaged or cut off.", name=name, kind=kind),
        text("Write or download the file again, or use CSV."),
    )


def _check_size(content: bytes, name: str, limit_mb: int) -> None:
    if len(content) > limit_mb * 1_000_000:
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


def _kind(content: bytes, name: str) -> Kind:
    refuse_unread(content, name)
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
