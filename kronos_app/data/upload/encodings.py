"""Which encoding a text without byte order mark has, judged by what its bytes decode to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from kronos_app.data.upload.columns import recognised

SAMPLE = 100_000  # bytes looked at
HEADER_LINES = 30
_SEPARATORS = re.compile(r"[,;\t|]")


def _lead_bytes(encoding: str, *ranges: tuple[int, int]) -> Callable[[str], int]:
    """Return a function that counts the characters of a text whose two bytes lie in the given ranges."""

    def count(text: str) -> int:
        encoded = [character.encode(encoding, errors="ignore") for character in text]
        values = [int.from_bytes(code) for code in encoded if len(code) == 2]
        return sum(any(low <= value <= high for low, high in ranges) for value in values)

    return count


# Of each encoding the characters in everyday use: first level of hanzi or kanji, hangul, kana, and marks.
_COMMON: Mapping[str, Callable[[str], int]] = {
    "gb18030": _lead_bytes("gb2312", (0xA1A1, 0xA3FE), (0xB0A1, 0xD7F9)),
    "cp949": _lead_bytes("euc-kr", (0xA1A1, 0xA3FE), (0xB0A1, 0xC8FE)),
    "cp950": _lead_bytes("cp950", (0xA140, 0xA3BF), (0xA440, 0xC67E)),
    "cp932": _lead_bytes("cp932", (0x8140, 0x8396), (0x889F, 0x9872)),
}
_PAGES = ("cp1252", "cp1250", "cp1251", "cp1254")


def decode(content: bytes) -> str | None:
    """Return text in GBK/GB18030, Big5, Korean, Japanese or Windows-1252; None if it is none of them.

    The reading with the most known headers wins, then the one with the larger share of everyday characters.
    """
    best: tuple[tuple[int, float], str] | None = None
    for encoding, common in _COMMON.items():
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        share = _share(text[:SAMPLE], common)
        if encoding == "gb18030" and _may_be_hangul(text[:SAMPLE]):
            share *= 0.9
        score = (_known_headers(text), share)
        if best is None or score > best[0]:
            best = (score, text)
    if best is not None and (best[0][0] > 1 or best[0][1] > 0.5):
        return best[1]
    # Of the code pages of one byte a character, the western one, unless another knows more headers.
    pages = [decoded for page in _PAGES if (decoded := _by_page(content, page)) is not None]
    return max(pages, key=_known_headers, default=None if best is None else best[1])


def _by_page(content: bytes, page: str) -> str | None:
    try:
        return content.decode(page)
    except UnicodeDecodeError:
        return None


def _known_headers(text: str) -> int:
    lines = text[:SAMPLE].splitlines()[:HEADER_LINES]
    return max((recognised([c for c in _SEPARATORS.split(line) if not c.isascii()]) for line in lines), default=0)


def _share(text: str, common: Callable[[str], int]) -> float:
    """Return the share of everyday characters among those that are not ASCII."""
    foreign = [character for character in text if not character.isascii()]
    return common("".join(foreign)) / len(foreign) if foreign else 0.0


def _may_be_hangul(text: str) -> bool:
    """Return whether Chinese text has no character of the half of its code that hangul does not share.

    Four in ten Chinese characters are of that half, so six different ones without any are hardly Chinese.
    """
    codes = {character.encode("gb2312", errors="ignore") for character in text if not character.isascii()}
    return len(codes) >= 6 and all(code < b"\xc9" for code in codes)
