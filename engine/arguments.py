"""Single settings that a caller passes, each checked by its kind; `name` is what the called interface calls it."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import TypeGuard

import numpy as np

from engine.errors import InputError

WINDOWS = ("fit", "exact", "strided")
MAX_SEED = 2**63 - 1


def check_count(value: object, name: str, low: int, high: int | None = None) -> int:
    """Return a whole number from `low` to `high`; NumPy's integers are such, booleans, 2.0 and "2" are not."""
    if isinstance(value, Integral) and not is_bool(value):
        count = int(value)
        if low <= count and (high is None or count <= high):
            return count
    limits = f"from {low} to {high}" if high is not None else f"of {low} or more"
    kind = "" if isinstance(value, Integral) and not is_bool(value) else f", not of type {type_name(value)}"
    raise InputError(f"{name}={value!r} must be a whole number {limits}{kind}.")


def check_number(value: object, name: str, low: float, high: float = math.inf, *, above: bool = False) -> float:
    """Return a finite number from `low` to `high`, or from above `low`."""
    if _is_real(value):
        number = float(value)
        if math.isfinite(number) and low <= number <= high and not (above and number == low):
            return number
    least = f"above {low:g}" if above else f"{low:g} or more"
    most = f" and at most {high:g}" if high < math.inf else ""
    raise InputError(f"{name}={_plain(value)} must be a finite number, {least}{most}.")


def check_text(value: object, name: str) -> str:
    """Return a text that is not empty."""
    if isinstance(value, str) and value:
        return value
    raise InputError(f"{name}={value!r} must be a text that is not empty.")


def check_flag(value: object, name: str) -> bool:
    """Return a truth value; text and numbers are none."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise InputError(f"{name}={value!r} must be True or False.")


def check_callback(value: object, name: str) -> None:
    """Refuse what is neither None nor can be called."""
    if value is not None and not callable(value):
        raise InputError(f"{name}={value!r} must be a function that takes (done, total), or None.")


def check_levels(levels: object) -> list[float]:
    """Return the levels of quantiles, at least one."""
    listed = list(levels) if isinstance(levels, Iterable) and not isinstance(levels, str | bytes | Mapping) else []
    if not listed or not all(_is_real(level) and 0 <= level <= 1 for level in listed):
        raise InputError(f"levels={levels!r} must be a list of at least one share, each between 0 and 1.")
    return [float(level) for level in listed]


def check_seed(seed: object) -> int:
    """Return the seed, a new one for None."""
    return secrets.randbits(31) if seed is None else check_count(seed, "seed", 0, MAX_SEED)


def check_window(window: object) -> str:
    """Return the name of one of the ways to treat a history that does not fit beside the horizon."""
    if isinstance(window, str) and window in WINDOWS:
        return window
    raise InputError(f"window={window!r} must be 'fit', 'exact' or 'strided'.")


def type_name(value: object) -> str:
    """Return the name of a value's type."""
    return type(value).__name__


def is_bool(value: object) -> bool:
    """Return whether a value is a truth value of Python or NumPy, which Python counts as a number."""
    return isinstance(value, bool | np.bool_)


def _is_real(value: object) -> TypeGuard[float]:
    return isinstance(value, Real) and not is_bool(value)


def _plain(value: object) -> str:
    """Return a value as an error shows it: `0.5` also for NumPy's."""
    return str(value) if isinstance(value, Real) else repr(value)
