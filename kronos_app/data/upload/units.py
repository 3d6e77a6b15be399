"""Units of numbers: lots, thousands, 万, millions, 亿; named in a header, behind a number, or by the user."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

LOT = 100
"""Shares of a round lot (手) in mainland China, where headers count in lots."""
LOTS: Mapping[str, float] = {"lots": 1.0, "千手": 1e3, "万手": 1e4}
"""Units that count lots, and how many lots."""
UNITS: Mapping[str, float] = {
    "lots": LOT, "hundred": 1e2, "thousand": 1e3, "万": 1e4, "lakh": 1e5, "million": 1e6, "百万": 1e6, "crore": 1e7,
    "千万": 1e7, "亿": 1e8, "billion": 1e9, "十亿": 1e9, "trillion": 1e12, "万亿": 1e12, "千手": 1e3 * LOT,
    "万手": 1e4 * LOT,
}  # fmt: skip
"""Names of units, as a column mapping has them, and their factors."""

_WORDS: Mapping[str, str] = {
    "lot": "lots", "lots": "lots", "hundreds": "hundred", "00s": "hundred",
    "k": "thousand", "thousand": "thousand", "thousands": "thousand", "000s": "thousand", "000": "thousand",
    "1000": "thousand", "1000s": "thousand",
    "tsd": "thousand", "тыс": "thousand", "wan": "万",
    "lakh": "lakh", "lakhs": "lakh", "lac": "lakh", "lacs": "lakh", "crore": "crore", "crores": "crore", "cr": "crore",
    "m": "million", "mn": "million", "mm": "million", "mio": "million", "mln": "million", "млн": "million",
    "million": "million", "millions": "million", "b": "billion", "bn": "billion", "bln": "billion", "mrd": "billion",
    "млрд": "billion", "billion": "billion", "billions": "billion", "trillion": "trillion", "trillions": "trillion",
}  # fmt: skip
_CJK: Mapping[str, str] = {
    "十亿": "十亿", "万亿": "万亿", "千万": "千万", "百万": "百万", "亿": "亿", "万": "万", "千": "thousand",
    "百": "hundred",
}  # fmt: skip
_COUNTED = "手张股元円株원주份枚块口"
_MEASURES = frozenset({"usd", "cny", "rmb", "eur", "gbp", "jpy", "inr", "hkd", "shares", "points", "%", "$", "人民币"})
_VARIANTS = str.maketrans(
    {
        "萬": "万",
        "億": "亿",
        "百": "百",
        "만": "万",
        "억": "亿",
        "천": "千",
        "백": "百",
        "仟": "千",
        "佰": "百",
        "張": "张",
    }
)
_BRACKETS = re.compile(r"[(\[](?P<unit>[^()\[\]]*)[)\]]\s*$")
_TAIL = re.compile(
    r"(?:\s+in\s+|[\s_]+)(?P<unit>thousands?|lacs|lakhs?|crores?|millions?|mn|mln|bn|billions?|000s|wan)$"
)
_CJK_TAIL = re.compile(r"(?P<unit>(?:十亿|万亿|千万|百万|亿|万|千)[手股元张円株원주]?)$")
SUFFIXES: Mapping[str, float] = {
    "k": 1e3, "m": 1e6, "mn": 1e6, "mln": 1e6, "mio": 1e6, "b": 1e9, "bn": 1e9, "t": 1e12, "tsd": 1e3, "mrd": 1e9,
    "lakh": 1e5, "lac": 1e5, "l": 1e5, "cr": 1e7, "千": 1e3, "万": 1e4, "百万": 1e6, "千万": 1e7, "亿": 1e8,
    "万亿": 1e12,
}  # fmt: skip
"""What may stand behind a number: `1.40M`, `0.30万`."""


def simplify(text: str) -> str:
    """Return a text as units are compared: full-width and traditional characters as their usual forms, lower case."""
    return unicodedata.normalize("NFKC", text).translate(_VARIANTS).casefold()


def split_unit(header: str) -> tuple[str, str | None]:
    """Return a header without its unit, and the unit as `UNITS` names it; None where it names none."""
    name = simplify(header).strip("\ufeff \t\"'<>")
    for pattern in (_BRACKETS, _TAIL, _CJK_TAIL):
        match = pattern.search(name)
        unit = None if match is None else unit_of(match["unit"])
        if match is not None and unit is not None and match.start():
            return name[: match.start()], unit
    return name, None


def unit_of(text: str) -> str | None:
    """Return the unit that a text such as `百万股`, `手`, `Rs. Lakhs` or `in thousands` names."""
    text = simplify(text).replace("'000", " 000 ")
    for word in re.findall(r"[^\W_]+", text):
        if word in _WORDS:
            return _WORDS[word]
        match = re.fullmatch(rf"(十亿|万亿|千万|百万|亿|万|千|百)?([{_COUNTED}]?)", word)
        if match and match[2] == "手":
            return {"万": "万手", "千": "千手", None: "lots"}.get(match[1])
        if match and match[1]:
            return _CJK[match[1]]
    return None


def suffix_factor(suffix: str) -> float | None:
    """Return what `M`, `万` or `亿元` behind a number multiplies it by; None for anything else."""
    name = simplify(suffix).strip()
    for candidate in (name, name.rstrip(_COUNTED)):
        if candidate in SUFFIXES:
            return SUFFIXES[candidate]
    return 1.0 if name and not name.strip(_COUNTED) else None


def is_measure(text: str) -> bool:
    """Return whether a text is what a column is measured in, such as `元`, `万股` or `USD`."""
    name = simplify(text).strip()
    return unit_of(name) is not None or not name.strip(_COUNTED) or name in _MEASURES
