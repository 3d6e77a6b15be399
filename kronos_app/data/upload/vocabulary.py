"""The names in `vocabulary.toml`, by which files of vendors call their columns, units, months and time zones."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

VOCABULARY: Mapping[str, Mapping[str, Any]] = tomllib.loads(
    Path(__file__).with_name("vocabulary.toml").read_text(encoding="utf-8")
)


def invert(names: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return each name with the key of the list that it is in."""
    return {name: key for key, listed in names.items() for name in listed}
