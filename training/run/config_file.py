"""Run configs as YAML: errors name file, line and field; a written file explains every field."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from training.errors import ConfigError, Message, Unreadable, message
from training.run.config import RunConfig, Section
from training.run.config_problems import Loc, find_problems
from training.run.folder import write_text
from training.saved import parse_saved

MAX_BYTES = 1_000_000
WIDTH = 120
LINE_SEPARATORS = frozenset("\x85\u2028\u2029")

Places = dict[Loc, Message]  # where a field is written: file and line, or an override


def read_config(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Return the config of a YAML file.

    Parameters
    ----------
    overrides
        Settings that replace the file's, as in `predictor.steps=20`; values are YAML.

    Raises ConfigError if the file cannot be read, or a field is unknown, missing, given twice or wrong; each is named
    with its line.
    """
    values, places = _read(path)
    for override in overrides:
        _apply_override(override, values, places)
    return _validate(values, places, message("{file}", file=path.name))


def read_saved_config(path: Path) -> RunConfig:
    """Return the config in a run's folder; unknown fields are ignored and logged, others raise as in `read_config`."""
    values, places = _read(path)
    try:
        return parse_saved(RunConfig, values, path)
    except Unreadable:
        return _validate(values, places, message("{file}", file=path.name))  # names every problem and its line


def parse_config(values: Mapping[str, Any]) -> RunConfig:
    """Return the config of a mapping, as a page or a request builds it; a ConfigError names each wrong field."""
    return _validate(values, {}, None)


def write_config(config: RunConfig, path: Path) -> None:
    """Write every field of a config below its description; `read_config` returns an equal one.

    Raises RunError if the folder cannot be written to, or the disk is full; an existing file stays unchanged.
    """
    write_text(path, "\n".join(_lines(config)) + "\n")


def _validate(values: Mapping[str, Any], places: Places, file: Message | None) -> RunConfig:
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        *earlier, problems = [_at(_place(loc, places, file), problem) for loc, problem in find_problems(error)]
    for problem in reversed(earlier):
        problems = message("{first}\n{rest}", first=problem, rest=problems)
    raise ConfigError(problems)


def _at(place: Message | None, problem: Message) -> Message:
    return problem if place is None else message("{place}: {message}", place=place, message=problem)


def _place(loc: Loc, places: Places, file: Message | None) -> Message | None:
    """Return where a field is written; a missing one is placed at its section."""
    return next((places[loc[:depth]] for depth in range(len(loc), -1, -1) if loc[:depth] in places), file)


def _read(path: Path) -> tuple[dict[str, Any], Places]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError("{file} cannot be read ({reason}).", file=str(path), reason=reason) from error
    if len(content) > MAX_BYTES:
        raise ConfigError("{file} is too large for a config: is it another file?", file=path.name)
    try:
        return _load(content.decode("utf-8"), path.name)
    except ConfigError:
        raise
    except UnicodeDecodeError as error:
        raise ConfigError("{file} is not UTF-8 text: save it as UTF-8.", file=path.name) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = message("this is not YAML: {reason}", reason=error.problem or error.context or "")
        raise ConfigError(_at(_line(path.name, mark.line if mark else 0), problem)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError("{file} is not YAML: {reason}", file=path.name, reason=str(error)) from error


def _load(text: str, file: str) -> tuple[dict[str, Any], Places]:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            problem = message("a config consists of fields, such as `seed: 0`.")
            raise ConfigError(_at(_line(file, node.start_mark.line if node else 0), problem))
        return loader.construct_document(node), dict(_find_places(node, (), file))
    finally:
        loader.dispose()


def _find_places(node: yaml.Node, loc: Loc, file: str) -> Iterator[tuple[Loc, Message]]:
    """Yield the line of every field, and refuse a field that is given twice."""
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line
            if name in lines:
                problem = message("{field} is given twice, first in line {first}.", field=name, first=lines[name] + 1)
                raise ConfigError(_at(_line(file, line), problem))
            lines[name] = line
            yield (*loc, name), _line(file, line)
            yield from _find_places(value, (*loc, name), file)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*loc, index), _line(file, item.start_mark.line)
            yield from _find_places(item, (*loc, index), file)


def _line(file: str, line: int) -> Message:
    return message("{file}, line {line}", file=file, line=line + 1)


def _apply_override(override: str, values: dict[str, Any], places: Places) -> None:
    field, equals, written = override.partition("=")
    *sections, last = names = field.strip().split(".")
    if not equals or not all(names):
        raise ConfigError("“{override}” sets nothing: write FIELD=VALUE.", override=override)
    try:
        value = yaml.safe_load(written)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError("“{override}”: the value is not YAML.", override=override) from error
    section: Any = values
    for name in sections:
        if section.get(name) is None:
            section[name] = {}
        section = section[name]
        if not isinstance(section, dict):
            raise ConfigError("“{override}”: {field} has no fields.", override=override, field=name)
    section[last] = value
    for loc in [loc for loc in places if loc[: len(names)] == tuple(names)]:
        del places[loc]
    places[tuple(names)] = message("“{override}”", override=override)


def _lines(section: Section, indent: str = "") -> Iterator[str]:
    """Yield the lines of a section, each field below its description."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        yield from (f"{indent}# {line}" for line in textwrap.wrap(field.description or "", WIDTH - len(indent) - 2))
        if isinstance(value, Section):
            yield f"{indent}{name}:"
            yield from _lines(value, indent + "  ")
        else:
            yield f"{indent}{name}: {_dump(value)}"


def _dump(value: Any) -> str:
    """Return a value as YAML on one line; unusual line separators are escaped, as they would be read as spaces."""
    plain = list(value) if isinstance(value, tuple) else value
    for readable in (True, False):
        text: str = yaml.safe_dump(
            plain, default_flow_style=True, width=float("inf"), allow_unicode=readable, sort_keys=False
        )
        if not LINE_SEPARATORS & set(text):
            break
    return text.removesuffix("...\n").rstrip("\n")
