"""Run configs as YAML: read so that an error names file, line and field, written with every field explained."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from training.errors import ConfigError, Message, RunError, Unreadable, message
from training.run.config import RunConfig, Section
from training.run.config_problems import Loc, problems_of, truths_for_numbers
from training.run.folder import unwritable
from training.saved import parse_saved

MAX_BYTES = 1_000_000
WIDTH = 120
LINE_SEPARATORS = frozenset("\x85\u2028\u2029")

Places = dict[Loc, Message]  # where a field was written


def read_config(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Return the config in a YAML file.

    Parameters
    ----------
    overrides
        Fields that take the place of the file's, as in `predictor.steps=20`; values are written as in YAML.

    Raises
    ------
    ConfigError
        The file cannot be read or is no YAML, or a field is unknown, missing, given twice or wrong; each is named with
        its line.
    """
    values, places = _read(path)
    for override in overrides:
        _put(override, values, places)
    return _parse(values, places, message("{file}", file=path.name))


def read_saved_config(path: Path) -> RunConfig:
    """Return the config in a run's folder; fields that this version does not know are ignored and logged.

    Raises
    ------
    ConfigError
        The file cannot be read or is no YAML, or a field is missing or wrong.
    """
    values, places = _read(path)
    try:
        return parse_saved(RunConfig, values, path)
    except Unreadable:
        return _parse(values, places, message("{file}", file=path.name))  # names every problem and its line


def parse_config(values: Mapping[str, Any]) -> RunConfig:
    """Return the config of a mapping, as a page or a request makes it.

    Raises
    ------
    ConfigError
        A field is unknown, missing or wrong; each is named.
    """
    return _parse(values, {}, None)


def write_config(config: RunConfig, path: Path) -> None:
    """Write every field of a config with what it means; `read_config` returns it equal.

    Raises
    ------
    RunError
        The folder cannot be written to, or the disk is full; a file that was there stays as it was.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text("\n".join(_lines(config)) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise RunError(unwritable(path.parent, error)) from error


def _parse(values: Mapping[str, Any], places: Places, whole: Message | None) -> RunConfig:
    try:
        problems = truths_for_numbers(values)
        if not problems:
            return RunConfig.model_validate(values)
    except ValidationError as error:
        problems = problems_of(error)
    told = [_told(problem, _place(loc, places, whole)) for loc, problem in problems]
    problem = told[-1]
    for earlier in reversed(told[:-1]):
        problem = message("{first}\n{rest}", first=earlier, rest=problem)
    raise ConfigError(problem)


def _told(problem: Message, place: Message | None) -> Message:
    return problem if place is None else message("{place}: {message}", place=place, message=problem)


def _place(loc: Loc, places: Places, whole: Message | None) -> Message | None:
    """Return where a field is written; one that is missing belongs where its section is."""
    return next((places[loc[:depth]] for depth in range(len(loc), -1, -1) if loc[:depth] in places), whole)


def _read(path: Path) -> tuple[dict[str, Any], Places]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(message("{file} cannot be read ({reason}).", file=str(path), reason=reason)) from error
    if len(content) > MAX_BYTES:
        raise ConfigError(message("{file} is too large for a config: is it another file?", file=path.name))
    try:
        return _load(content.decode("utf-8"), path.name)
    except UnicodeDecodeError as error:
        raise ConfigError(message("{file} is no text in UTF-8: save it as such.", file=path.name)) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = _line(path.name, mark.line if mark else 0)
        problem = message("this is no YAML: {reason}", reason=error.problem or error.context or "")
        raise ConfigError(_told(problem, place)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(message("{file} is no YAML: {reason}", file=path.name, reason=str(error))) from error


def _load(text: str, file: str) -> tuple[dict[str, Any], Places]:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            place = _line(file, node.start_mark.line if node else 0)
            raise ConfigError(_told(message("a config is made of fields, such as `seed: 0`."), place))
        places = dict(_places(node, (), file))
        values: dict[str, Any] = loader.construct_document(node)
    finally:
        loader.dispose()
    return values, places


def _places(node: yaml.Node, loc: Loc, file: str) -> Iterator[tuple[Loc, Message]]:
    """Yield the line of every field, and refuse a field that is given twice."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line
            if name in seen:
                twice = message("{field} is given twice, first in line {first}.", field=name, first=seen[name] + 1)
                raise ConfigError(_told(twice, _line(file, line)))
            seen[name] = line
            yield (*loc, name), _line(file, line)
            yield from _places(value, (*loc, name), file)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*loc, index), _line(file, item.start_mark.line)
            yield from _places(item, (*loc, index), file)


def _line(file: str, line: int) -> Message:
    return message("{file}, line {line}", file=file, line=line + 1)


def _put(override: str, values: dict[str, Any], places: Places) -> None:
    """Set the field that an override names."""
    field, given, written = override.partition("=")
    names = field.strip().split(".")
    if not given or not all(names):
        raise ConfigError(message("“{override}” sets nothing: write FIELD=VALUE.", override=override))
    try:
        value = yaml.safe_load(written)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(message("“{override}”: the value is no YAML.", override=override)) from error
    section: Any = values
    for name in names[:-1]:
        if section.get(name) is None:
            section[name] = {}
        section = section[name]
        if not isinstance(section, dict):
            raise ConfigError(message("“{override}”: {field} has no fields.", override=override, field=name))
    section[names[-1]] = value
    for loc in [loc for loc in places if loc[: len(names)] == tuple(names)]:
        del places[loc]
    places[tuple(names)] = message("“{override}”", override=override)


def _lines(section: Section, indent: str = "") -> Iterator[str]:
    """Yield the lines of a section, each field after what it means."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        yield from (f"{indent}# {line}" for line in textwrap.wrap(field.description or "", WIDTH - len(indent) - 2))
        if isinstance(value, Section):
            yield f"{indent}{name}:"
            yield from _lines(value, indent + "  ")
        else:
            yield f"{indent}{name}: {_scalar(value)}"


def _scalar(value: Any) -> str:
    plain = list(value) if isinstance(value, tuple) else value

    def dumped(legible: bool) -> str:
        written: str = yaml.safe_dump(
            plain, default_flow_style=True, width=float("inf"), allow_unicode=legible, sort_keys=False
        )
        return written.removesuffix("...\n").rstrip("\n")

    written = dumped(True)
    # Other line separators than the usual one would be written as they are, and read as spaces.
    return dumped(False) if LINE_SEPARATORS & set(written) else written
