"""Names and tags that users give to records: one line each, within limits."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

LONGEST_NAME, LONGEST_TAG, MOST_TAGS = 100, 30, 10
_JOINERS = "\u200c\u200d"  # between letters of some scripts and parts of emoji


def clean_line(value: Any) -> Any:
    """Return text on one line, without control characters, marks of direction and repeated spaces."""
    if not isinstance(value, str):
        return value
    spaced = " ".join(value.split())
    return "".join(c for c in spaced if c in _JOINERS or unicodedata.category(c)[0] != "C").strip()


def _each_once(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), BeforeValidator(clean_line)]
Tag = Annotated[str, Field(min_length=1, max_length=LONGEST_TAG), BeforeValidator(clean_line)]
Tags = Annotated[list[Tag], Field(max_length=MOST_TAGS), AfterValidator(_each_once)]
