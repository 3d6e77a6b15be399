"""Saved records, read leniently: fields that this version does not know are ignored and logged.

Forms, API and command line refuse unknown fields; a file or a row may have been written by another version.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from training.errors import Message, Unreadable, message

log = logging.getLogger(__name__)

Record = TypeVar("Record")
_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}
UNKNOWN = frozenset({"extra_forbidden", "unexpected_keyword_argument"})  # pydantic's names of an unknown field


def load_saved(kind: type[Record], path: Path, /, **more: Any) -> Record:
    """Return the record in a JSON file.

    Parameters
    ----------
    kind
        A pydantic model or a dataclass.
    more
        Fields that the file does not hold.

    Raises Unreadable (the file cannot be read, is not complete JSON, or lacks a field).
    """
    return parse_saved(kind, {**load_json(path), **more}, path)


def load_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises Unreadable (the file cannot be read or holds something else).
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unreadable(
            message("{file} cannot be read ({reason}).", file=path.name, reason=error.strerror or str(error))
        ) from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, message("{file} is damaged or cut off.", file=path.name), error) from error
    if not isinstance(value, dict):
        raise _unreadable(path, message("{file} is damaged or cut off.", file=path.name), "no JSON object")
    return value


def load_rows(path: Path) -> list[dict[str, Any]]:
    """Return the JSON objects in the lines of a file, without lines that were cut off; empty if there is no file."""
    rows = []
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    for line in lines:
        with suppress(ValueError):
            rows.append(json.loads(line))
    return [row for row in rows if isinstance(row, dict)]


def parse_saved(kind: type[Record], value: Any, place: Path | str, *, partial: bool = False) -> Record:
    """Return a saved value as `kind`.

    Parameters
    ----------
    place
        Where it is saved: its file, or table and key.
    partial
        The value has fields that `kind` leaves out on purpose: they are not logged.

    Raises Unreadable (A field is missing, or its value is not one that this version knows).
    """
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    adapter: TypeAdapter[Record] = _ADAPTERS[kind]
    try:
        return adapter.validate_python(value, extra="ignore" if partial else "forbid")
    except ValidationError as error:
        names = [".".join(map(str, each["loc"])) for each in error.errors() if each["type"] in UNKNOWN]
    if names:
        _warn_once(f"{place}: fields that this version does not know are ignored: {', '.join(names)}")
    try:
        return adapter.validate_python(value, extra="ignore")
    except ValidationError as error:
        raise _unreadable(place, _reason(error, place), error) from error


def _reason(error: ValidationError, place: Path | str) -> Message:
    first = error.errors()[0]
    values = {"file": Path(place).name, "field": ".".join(map(str, first["loc"]))}
    if first["type"] in {"missing", "missing_argument"}:
        return message("{file} lacks the field {field}.", **values)
    return message("{file}: the field {field} has an invalid value ({reason}).", **values, reason=first["msg"])


def _unreadable(place: Path | str, reason: Message, error: Exception | str) -> Unreadable:
    _warn_once(f"{place} cannot be read: {error}")
    return Unreadable(reason)


@lru_cache(maxsize=1024)
def _warn_once(message: str) -> None:
    """Log a message once: lists are read again every few seconds."""
    log.warning("%s", message)
