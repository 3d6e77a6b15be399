"""Long names: cut in the middle, because names of files differ at both ends, with a tooltip of the whole name."""

from __future__ import annotations

from collections.abc import Iterable
from unicodedata import east_asian_width

from kronos_app.widgets.kit.errors import escape

WIDTH = 40  # Latin letters, of which a Chinese character takes two


def shorten(name: str, width: int = WIDTH) -> str:
    """Return a name that is at most `width` Latin letters wide."""
    widths = [2 if east_asian_width(c) in "WF" else 1 for c in name]
    if sum(widths) <= width:
        return name
    head, tail, room = 0, len(name), width - 1
    while True:
        front = sum(widths[:head]) <= sum(widths[tail:])
        room -= widths[head] if front else widths[tail - 1]
        if room < 0:
            return f"{name[:head].rstrip()}…{name[tail:].lstrip()}"
        head, tail = (head + 1, tail) if front else (head, tail - 1)


def cut(name: str, width: int = WIDTH) -> str:
    """Return the Markdown of a name, cut as by `shorten`."""
    return escape(shorten(name, width))


def tooltip(shown: Iterable[str], *more: str) -> str | None:
    """Return the Markdown of the tooltip of a field: those of the names that are cut, then more; None without any."""
    return "\n\n".join([*filter(None, map(whole, shown)), *more]) or None


def whole(name: str, width: int = WIDTH) -> str | None:
    """Return the Markdown of the tooltip of a name, None where `cut` shows the whole name."""
    return None if shorten(name, width) == name else escape(name)
