"""Whether Qlib is installed: pyqlib 0.9.7 needs Python 3.12 or older, all else also runs on newer ones."""

from __future__ import annotations

from importlib.util import find_spec

from training.errors import DataError


def has_qlib() -> bool:
    """Return whether Qlib can be imported, without importing it."""
    return find_spec("qlib") is not None


def require_qlib() -> None:
    """Raise a DataError that says what to do if Qlib is not installed."""
    if not has_qlib():
        raise DataError(
            "Reading a Qlib folder here needs the package pyqlib, which runs on Python 3.12 or older: make the "
            "environment with Python 3.11 or 3.12, or fetch the instruments on the Data page and use them instead."
        )
