"""What is wrong with a config, field by field, in plain words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from training.errors import Message, message
from training.run.config import FileData, QlibData, RunConfig, Section, StoreData

Loc = tuple[str | int, ...]
Problem = tuple[Loc, Message]

SOURCES: dict[str, type[Section]] = {"files": FileData, "store": StoreData, "qlib": QlibData}
SHOWN = 60  # characters of a wrong value


def problems_of(error: ValidationError) -> list[Problem]:
    """Return where each problem is and what it is."""
    return [_problem(details) for details in error.errors(include_url=False)]


def truths_for_numbers(values: Mapping[str, Any]) -> list[Problem]:
    """Return the fields where true or false stands for a number, which Python would take for 1 or 0."""
    return [
        (loc, message("{field} is {value}: it must be a number.", field=_dotted(loc), value=_shown(value)))
        for loc, value in _fields(values)
        if isinstance(value, bool) and _takes_numbers(loc, values)
    ]


def _fields(values: Mapping[str, Any], loc: Loc = ()) -> list[tuple[Loc, Any]]:
    """Return the fields of the sections, not what lies in the lists and mappings they hold."""
    found: list[tuple[Loc, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping) and _model((*loc, name), None) is not None:
            found += _fields(value, (*loc, name))
        else:
            found.append(((*loc, name), value))
    return found


def _takes_numbers(loc: Loc, values: Mapping[str, Any]) -> bool:
    model = _model(loc[:-1], values)
    field = model.model_fields.get(str(loc[-1])) if model else None
    return field is not None and bool({int, float} & {field.annotation, *get_args(field.annotation)})


def _model(loc: Loc, values: Mapping[str, Any] | None) -> type[Section] | None:
    """Return the class of the section at `loc`, None where there is no section."""
    model: type[Section] | None = RunConfig
    for name in loc:
        field = model.model_fields.get(str(name)) if model else None
        if field is None:
            return None
        if model is RunConfig and name == "data":
            source = values.get("data", {}).get("source") if values else None
            model = SOURCES.get(str(source), FileData)
            continue
        kinds = (field.annotation, *get_args(field.annotation))
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)), None)
    return model


def _problem(details: ErrorDetails) -> Problem:
    loc, tag = details["loc"], None
    if len(loc) > 1 and loc[0] == "data" and loc[1] in SOURCES:  # pydantic puts the kind of source in between
        tag, loc = str(loc[1]), (loc[0], *loc[2:])
    if details["type"].startswith("union_tag"):
        loc = ("data", "source")
    return loc, _message(details, loc, {"data": {"source": tag}})


def _message(details: ErrorDetails, loc: Loc, values: Mapping[str, Any]) -> Message:
    field, given, context = _dotted(loc), details["input"], details.get("ctx", {})
    kind = details["type"]
    if kind == "extra_forbidden":
        return _unknown(field, loc, values)
    if kind == "missing":
        return message("{field} is missing.", field=field)
    if kind == "union_tag_not_found":
        return message("{field} is missing: it is one of {values}.", field=field, values=", ".join(SOURCES))
    if kind == "value_error":
        reason = str(context["error"])
        return message("{field}: {reason}", field=field, reason=reason) if field else message("{reason}", reason=reason)
    if kind == "union_tag_invalid":
        given, wanted = given["source"], message("one of {values}", values=", ".join(SOURCES))
    else:
        wanted = _wanted(kind, context, details["msg"])
    return message("{field} is {value}: it must be {wanted}.", field=field, value=_shown(given), wanted=wanted)


def _unknown(field: str, loc: Loc, values: Mapping[str, Any]) -> Message:
    model = _model(loc[:-1], values)
    known = list(model.model_fields) if model else []
    near = difflib.get_close_matches(str(loc[-1]), known, 1)
    if near:
        return message("{field} is no field: is {near} meant?", field=field, near=near[0])
    return message("{field} is no field: there are {known}.", field=field, known=", ".join(known))


def _wanted(kind: str, context: Mapping[str, Any], said: str) -> Message:
    """Return what a field must be, by pydantic's word for what it is not."""
    if kind in _LIMITS:
        return replace(_LIMITS[kind], params={"limit": next(iter(context.values()))})
    if kind in {"too_short", "too_long"}:
        few = kind == "too_short"
        count = context["min_length" if few else "max_length"]
        return (
            message("a list of {count} or more", count=count)
            if few
            else message("a list of {count} or fewer", count=count)
        )
    if kind == "literal_error":
        return message("one of {values}", values=context["expected"].replace("' or '", "', '").replace("'", ""))
    return next(
        (wanted for start, wanted in _KINDS.items() if kind.startswith(start)), message("{reason}", reason=said)
    )


def _dotted(loc: Loc) -> str:
    """Return the name of a field with those of its sections, as in `data.paths[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")


def _shown(value: Any) -> str:
    text = {True: "true", False: "false", None: "null"}[value] if isinstance(value, bool | None) else str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


_LIMITS = {
    "greater_than": message("greater than {limit}"),
    "greater_than_equal": message("at least {limit}"),
    "less_than": message("less than {limit}"),
    "less_than_equal": message("at most {limit}"),
}
_KINDS = {
    "int_from_float": message("a whole number"),
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
