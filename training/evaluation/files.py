"""Folders and Parquet files that evaluations and backtests write, and values as JSON takes them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from training.errors import RunError
from training.run.folder import write_error


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Create a folder; raise `RunError` if it, or a file written within the block, cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except RunError:
        raise
    except OSError as error:
        raise RunError(write_error(folder, error)) from error


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a Parquet file, whole or not at all; raise `RunError` if its folder cannot be written."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with writable(path.parent):
        try:
            table.to_parquet(draft)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def json_object(**values: Any) -> dict[str, Any]:
    """Return `to_json` of an object with these values."""
    return {name: to_json(value) for name, value in values.items()}


def to_json(value: Any) -> Any:
    """Return a value as JSON takes it: dataclasses as objects, times in ISO form, numbers that are not finite as None.

    A DataFrame becomes a list of its rows.
    """
    if value is None or value is pd.NaT:
        return None
    if is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(entry) for key, entry in value.items()}
    if isinstance(value, pd.DataFrame):
        return to_json(value.to_dict("records"))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):  # numpy's double included
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [to_json(entry) for entry in value]
    return value
