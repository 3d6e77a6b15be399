"""Units of numbers: lots, thousands, 万, millions, 亿; named in a header, after a number, or by the user."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from kronos_app.data.upload.vocabulary import VOCABULARY, invert

UNITS: Mapping[str, float] = VOCABULARY["units"]
"""Names of units, as a column mapping has them, and their factors."""
LOT = UNITS["lots"]
"""Shares of a round lot (手) in mainland China, where headers count in lots."""
LOTS: Mapping[str, float] = {"lots": 1.0, "千手": 1e3, "万手": 1e4}
"""Units that count lots, and how many lots."""

_WORDS = invert(VOCABULARY["unit_words"])
_SUFFIXES = {suffix: UNITS[unit] for suffix, unit in invert(VOCABULARY["unit_suffixes"]).items()}
_CJK = {"千": "thousand", "百": "hundred"}  # the others are names of units themselves
_COUNTED = "手张股元円株원주份枚块口"
_MEASURES = frozenset({"usd", "cny", "rmb", "eur", "gbp", "jpy", "inr", "hkd", "shares", "points", "%", "$", "人民币"})
_VARIANTS = str.maketrans("萬億百만억천백仟佰張", "万亿百万亿千百千百张")
_NUMERAL = "十亿|万亿|千万|百万|亿|万|千"
_UNIT_PATTERNS = (
    re.compile(r"[(\[](?P<unit>[^()\[\]]*)[)\]]\s*$"),
    re.compile(r"(?:\s+in\s+|[\s_]+)(?P<unit>thousands?|lacs|lakhs?|crores?|millions?|mn|mln|bn|billions?|000s|wan)$"),
    re.compile(rf"(?P<unit>(?:{_NUMERAL})[手股元张円株원주]?)$"),
)


def strip_marks(header: str) -> str:
    """Return a header without the quotation marks, brackets and byte order mark around it."""
    return header.strip("\ufeff \t\"'<>")


def simplify(text: str) -> str:
    """Return a text as units are compared: full-width and traditional characters as their usual forms, lower case."""
    return unicodedata.normalize("NFKC", text).translate(_VARIANTS).casefold()


def split_unit(header: str) -> tuple[str, str | None]:
    """Return a header without its unit, and the unit as `UNITS` names it; None where it names none."""
    name = strip_marks(simplify(header))
    for pattern in _UNIT_PATTERNS:
        match = pattern.search(name)
        if match is not None and match.start() and (unit := unit_of(match["unit"])) is not None:
            return name[: match.start()], unit
    return name, None


def unit_of(text: str) -> str | None:
    """Return the unit that a text such as `百万股`, `手`, `Rs. Lakhs` or `in thousands` names."""
    for word in re.findall(r"[^\W_]+", simplify(text).replace("'000", " 000 ")):
        if word in _WORDS:
            return _WORDS[word]
        match = re.fullmatch(rf"({_NUMERAL}|百)?([{_COUNTED}]?)", word)
        if match and match[2] == "手":
            return {"万": "万手", "千": "千手", None: "lots"}.get(match[1])
        if match and match[1]:
            return _CJK.get(match[1], match[1])
    return None


def suffix_factor(suffix: str) -> float | None:
    """Return what `M`, `万` or `亿元` after a number multiplies it by; None for anything else."""
    name = simplify(suffix).strip()
    factor = _SUFFIXES.get(name) or _SUFFIXES.get(name.rstrip(_COUNTED))
    return factor or (1.0 if name and not name.strip(_COUNTED) else None)


def is_measure(text: str) -> bool:
    """Return whether a text is what a column is measured in, such as `元`, `万股` or `USD`."""
    name = simplify(text).strip()
    return unit_of(name) is not None or not name.strip(_COUNTED) or name in _MEASURES
