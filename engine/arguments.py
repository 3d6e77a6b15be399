"""Checks of single arguments; `name` is the argument's name, as the error shows it."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import TypeGuard

import numpy as np

from engine.errors import InputError

MAX_SEED = 2**63 - 1


def check_count(value: object, name: str, low: int, high: int | None = None) -> int:
    """Return a whole number from `low` to `high`; NumPy's integers count as such; booleans, 2.0 and "2" do not."""
    whole = isinstance(value, Integral) and not is_bool(value)
    if isinstance(value, Integral) and whole and low <= int(value) and (high is None or int(value) <= high):
        return int(value)
    limits = f"from {low} to {high}" if high is not None else f"of {low} or more"
    kind = "" if whole else f", not of type {type_name(value)}"
    raise InputError(f"{name}={value!r} must be a whole number {limits}{kind}.")


def check_number(value: object, name: str, low: float, high: float = math.inf, *, above: bool = False) -> float:
    """Return a finite number from `low` to `high`; with `above`, `low` itself is not allowed."""
    if _is_real(value) and math.isfinite(value) and low <= value <= high and not (above and value == low):
        return float(value)
    least = f"above {low:g}" if above else f"{low:g} or more"
    most = f" and at most {high:g}" if high < math.inf else ""
    written = str(value) if isinstance(value, Real) else repr(value)  # str: 0.5 also for NumPy's
    raise InputError(f"{name}={written} must be a finite number, {least}{most}.")


def check_text(value: object, name: str) -> str:
    """Return a text that is not empty."""
    if isinstance(value, str) and value:
        return value
    raise InputError(f"{name}={value!r} must be a text that is not empty.")


def check_flag(value: object, name: str) -> bool:
    """Return True or False; text and numbers are refused."""
    if is_bool(value):
        return bool(value)
    raise InputError(f"{name}={value!r} must be True or False.")


def check_choice(value: object, name: str, choices: Sequence[str]) -> str:
    """Return one of `choices`."""
    if isinstance(value, str) and value in choices:
        return value
    raise InputError(f"{name}={value!r} must be one of {', '.join(choices)}.")


def check_callback(value: object) -> None:
    """Refuse an `on_step` that is neither None nor callable."""
    if value is not None and not callable(value):
        raise InputError(f"on_step={value!r} must be a function that takes (done, total), or None.")


def check_levels(levels: object) -> list[float]:
    """Return the levels of quantiles, at least one."""
    listed = list(levels) if isinstance(levels, Iterable) and not isinstance(levels, str | bytes | Mapping) else []
    if not listed or not all(_is_real(level) and 0 <= level <= 1 for level in listed):
        raise InputError(f"levels={levels!r} must be a list of at least one number, each between 0 and 1.")
    return [float(level) for level in listed]


def check_seed(seed: object) -> int:
    """Return the seed; a new random one for None."""
    return secrets.randbits(31) if seed is None else check_count(seed, "seed", 0, MAX_SEED)


def type_name(value: object) -> str:
    """Return the name of a value's type."""
    return type(value).__name__


def is_bool(value: object) -> bool:
    """Return whether a value is a boolean of Python or NumPy, which `numbers` counts as a number."""
    return isinstance(value, bool | np.bool_)


def _is_real(value: object) -> TypeGuard[float]:
    return isinstance(value, Real) and not is_bool(value)
