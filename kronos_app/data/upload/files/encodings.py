"""Text of any encoding as UTF-8: by its byte order mark, or judged by what its bytes decode to."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping

from kronos_app.data.upload.columns import recognised
from kronos_app.data.upload.files.decode import empty
from kronos_app.data.upload.files.unread import not_a_table
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

SAMPLE = 100_000  # bytes or characters that are examined
HEADER_LINES = 30
BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins like UTF-16's: tried first
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Two bytes of the characters in everyday use: first level of hanzi or kanji, hangul, kana, and marks.
_COMMON: Mapping[str, tuple[str, tuple[int, int], tuple[int, int]]] = {
    "gb18030": ("gb2312", (0xA1A1, 0xA3FE), (0xB0A1, 0xD7F9)),
    "cp949": ("euc-kr", (0xA1A1, 0xA3FE), (0xB0A1, 0xC8FE)),
    "cp950": ("cp950", (0xA140, 0xA3BF), (0xA440, 0xC67E)),
    "cp932": ("cp932", (0x8140, 0x8396), (0x889F, 0x9872)),
}
_PAGES = ("cp1252", "cp1250", "cp1251", "cp1254")
_SEPARATORS = re.compile(r"[,;\t|]")


def to_utf8(content: bytes, name: str) -> bytes:
    """Return text as UTF-8 without byte order mark.

    Raises InvalidInput: it is empty, not valid in the encoding of its mark, or has control characters, as binary files
    do.
    """
    bom, encoding = next(((bom, of) for bom, of in BOMS if content.startswith(bom)), (b"", _utf16_without_bom(content)))
    if encoding is not None:
        try:
            decoded = content[len(bom) :].decode(encoding)
        except UnicodeDecodeError as error:
            raise InvalidInput(
                "damaged_text",
                text("“{name}” is not valid {encoding} text.", name=name, encoding=encoding.upper()),
                text("Save the file as UTF-8."),
            ) from error
        content = decoded.encode("utf-8", errors="replace")
    elif _try(content, "utf-8") is None:
        legacy = decode(content)
        if legacy is None:
            raise not_a_table(name)
        content = legacy.encode("utf-8", errors="replace")
    if not content.strip():
        raise empty(name)
    if re.search(rb"[\x00-\x08\x0e-\x1f\x7f]", content[:SAMPLE]):
        raise not_a_table(name)
    return content


def _utf16_without_bom(content: bytes) -> str | None:
    """Return which UTF-16 it is when every other byte of mostly Latin text is zero."""
    head = content[:2000]
    if len(head) < 4:
        return None
    even, odd = (part.count(0) / len(part) for part in (head[0::2], head[1::2]))
    if odd > 0.4 and even < 0.1:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.1 else None


def decode(content: bytes) -> str | None:
    """Return text in GBK/GB18030, Big5, Korean, Japanese or a Windows code page; None if it is none of them.

    The reading with the most known headers wins, then the one with the larger share of everyday characters.
    """
    scored = []
    for encoding in _COMMON:
        decoded = _try(content, encoding)
        if decoded is not None:
            scored.append(((_known_headers(decoded), _everyday_share(decoded[:SAMPLE], encoding)), decoded))
    (headers, share), best = max(scored, key=lambda pair: pair[0], default=((0, 0.0), None))
    if headers > 1 or share > 0.5:
        return best
    # Of the code pages of one byte a character, the western one, unless another knows more headers.
    pages = [decoded for page in _PAGES if (decoded := _try(content, page)) is not None]
    return max(pages, key=_known_headers, default=best)


def _try(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return None


def _known_headers(decoded: str) -> int:
    lines = decoded[:SAMPLE].splitlines()[:HEADER_LINES]
    return max((recognised([c for c in _SEPARATORS.split(line) if not c.isascii()]) for line in lines), default=0)


def _everyday_share(decoded: str, encoding: str) -> float:
    """Return the share of everyday characters among those that are not ASCII."""
    charset, *ranges = _COMMON[encoding]
    foreign = [character for character in decoded if not character.isascii()]
    codes = [character.encode(charset, errors="ignore") for character in foreign]
    values = [int.from_bytes(code) for code in codes if len(code) == 2]
    common = sum(any(low <= value <= high for low, high in ranges) for value in values)
    share = common / len(foreign) if foreign else 0.0
    # Hangul shares half of the code of hanzi. Four in ten Chinese characters are of the other half, so six different
    # ones without any are hardly Chinese.
    may_be_hangul = encoding == "gb18030" and len(set(codes)) >= 6 and all(code < b"\xc9" for code in codes)
    return 0.9 * share if may_be_hangul else share
