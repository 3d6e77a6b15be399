"""Escapes text of users in generated Markdown, so that it can neither link, load nor format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#|~$!&@]|:(?=[/A-Za-z]))")
_SPACE = re.compile(r"[\s\x00-\x1f\x7f]+")
_HEAD = re.compile(r"^[-+=]|^\d{1,9}[.)](?=\s|$)")  # would begin a list, or a line below a heading
_WWW = re.compile(r"\b(www)\.", re.IGNORECASE)


class Markup(str):
    """Markdown that `table` does not escape."""

    __slots__ = ()


def escape(value: object) -> str:
    """Return a text on one line, in Markdown that shows exactly its characters."""
    plain = _SPACE.sub(" ", str(value)).strip()
    inert = _WWW.sub(r"\1\\.", _SPECIAL.sub(r"\\\1", plain))
    return _HEAD.sub(lambda match: f"{match[0][:-1]}\\{match[0][-1]}", inert)


def code(value: object) -> Markup:
    """Return a text as inline code; backticks become apostrophes, as they cannot be escaped there."""
    return Markup(f"`{_SPACE.sub(' ', str(value)).replace('`', chr(39)).strip()}`")


def code_block(content: str, language: str) -> Markup:
    """Return lines as a code block, with a fence longer than any inside."""
    longest = max((len(run) for run in re.findall(r"`+", content)), default=0)
    fence = "`" * max(3, longest + 1)
    return Markup(f"{fence}{language}\n{content.rstrip()}\n{fence}")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table of escaped cells; in `Markup` only bars are escaped."""
    lines = [head, [Markup("---")] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: object) -> str:
    return value.replace("|", "\\|") if isinstance(value, Markup) else escape(value)
