"""Messages for the problems that pydantic finds in a config."""

from __future__ import annotations

import difflib
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from training.errors import Message, message
from training.run.config import FileData, QlibData, RunConfig, Section, StoreData

Loc = tuple[str | int, ...]

SOURCES: dict[str, type[Section]] = {"files": FileData, "store": StoreData, "qlib": QlibData}
LONGEST_VALUE = 60  # characters
_LIMITS = {
    "greater_than": message("greater than {limit}"),
    "greater_than_equal": message("at least {limit}"),
    "less_than": message("less than {limit}"),
    "less_than_equal": message("at most {limit}"),
    "too_short": message("a list of {limit} or more"),
    "too_long": message("a list of {limit} or fewer"),
}
_KINDS = {  # by the beginning of pydantic's error type
    "int": message("a whole number"),
    "finite": message("a finite number"),
    "float": message("a number"),
    "bool": message("true or false"),
    "string_pattern": message(
        "letters, digits, spaces, dots, dashes and underscores, at most 60, a letter or digit first"
    ),
    "string": message("text; write it in quotes"),
    "datetime": message("a time, such as 2024-01-31 or 2024-01-31 09:30"),
    "timezone": message("a time without zone: candles have their exchange's own"),
    "list": message("a list, such as [a, b]"),
    "tuple": message("a list, such as [a, b]"),
    "dict": message("a section of fields"),
    "model": message("a section of fields"),
}


def find_problems(error: ValidationError) -> list[tuple[Loc, Message]]:
    """Return the location of each problem and its message."""
    return [_describe(details) for details in error.errors(include_url=False)]


def _describe(details: ErrorDetails) -> tuple[Loc, Message]:
    loc, kind, value, section = details["loc"], details["type"], details["input"], None
    if len(loc) > 1 and loc[0] == "data" and loc[1] in SOURCES:  # pydantic inserts the source
        section, loc = SOURCES[str(loc[1])], (loc[0], *loc[2:])
    if kind.startswith("union_tag"):
        loc = ("data", "source")
    field = _dotted(loc)
    if kind == "extra_forbidden":
        return loc, _unknown(field, str(loc[-1]), section or _section(loc[:-1]))
    if kind == "missing":
        return loc, message("{field} is missing.", field=field)
    if kind == "union_tag_not_found":
        return loc, message("{field} is missing: it is one of {values}.", field=field, values=", ".join(SOURCES))
    if kind == "value_error":
        reason = str(details["ctx"]["error"])
        return loc, message("{field}: {reason}", field=field, reason=reason) if field else message(
            "{reason}", reason=reason
        )
    if kind == "union_tag_invalid":
        value = value["source"]
    allowed = _allowed(kind, details)
    return loc, message("{field} is {value}: it must be {wanted}.", field=field, value=_shown(value), wanted=allowed)


def _section(loc: Loc) -> type[Section]:
    """Return the class of the section at `loc`, outside of `data`."""
    section: type[Section] = RunConfig
    for name in loc:
        annotation = section.model_fields[str(name)].annotation
        kinds = (annotation, *get_args(annotation))
        section = next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section))
    return section


def _unknown(field: str, name: str, section: type[Section]) -> Message:
    if similar := difflib.get_close_matches(name, section.model_fields, 1):
        return message("{field} is unknown: did you mean {near}?", field=field, near=similar[0])
    return message("{field} is unknown: there are {known}.", field=field, known=", ".join(section.model_fields))


def _allowed(kind: str, details: ErrorDetails) -> Message:
    """Return what a field must be, by pydantic's type of the error."""
    context = details.get("ctx", {})
    if kind in _LIMITS:
        limit = context.get("min_length", context.get("max_length", next(iter(context.values()))))
        return message(_LIMITS[kind].msgid, limit=limit)
    if kind == "union_tag_invalid":
        return message("one of {values}", values=", ".join(SOURCES))
    if kind == "literal_error":
        return message("one of {values}", values=context["expected"].replace("' or '", "', '").replace("'", ""))
    return next(
        (m for start, m in _KINDS.items() if kind.startswith(start)), message("{reason}", reason=details["msg"])
    )


def _dotted(loc: Loc) -> str:
    """Return the name of a field with those of its sections, as in `data.paths[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")


def _shown(value: Any) -> str:
    text = {True: "true", False: "false", None: "null"}[value] if isinstance(value, bool | None) else str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
