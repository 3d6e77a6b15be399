"""Values as JSON: no arrays, no NaN, messages in one language."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kronos_app.i18n import Text


def localised(value: Any, language: str) -> Any:
    """Return `value` with every stored `Text` in it rendered in `language`."""
    if isinstance(value, dict):
        if value.keys() == {"msgid", "params"}:
            return Text.from_dict(value).render(language)
        return {name: localised(item, language) for name, item in value.items()}
    return [localised(item, language) for item in value] if isinstance(value, list | tuple) else value


def json_ready(value: Any) -> Any:
    """Return `value` with arrays as lists and NaN and infinite numbers as None."""
    if isinstance(value, dict):
        return {name: json_ready(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        return json_ready(value.tolist())
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
