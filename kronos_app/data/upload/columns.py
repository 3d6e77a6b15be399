"""Which role a column may have, by the names that vendors use; how headers are compared and shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import chain

from kronos_app.data.upload.units import split_unit, strip_marks
from kronos_app.data.upload.vocabulary import VOCABULARY

_TIMES = VOCABULARY["times"]
ALIASES: dict[str, tuple[str, ...]] = {
    "timestamp": tuple(chain.from_iterable(_TIMES.values())),
    **{role: tuple(names) for role, names in VOCABULARY["columns"].items()},
}
_GROUPS = {name: frozenset(names) for name, names in VOCABULARY["groups"].items()}
_MAYBE_CLOCK = _GROUPS["maybe_clock"].union(_TIMES["clock"])
QUALIFIERS: Sequence[str] = VOCABULARY["groups"]["qualifiers"]
_ROLES: dict[str, list[str]] = {}
for _role, _names in ALIASES.items():
    for _name in _names:
        _ROLES.setdefault(_name, []).append(_role)
_VOLUME_OF_ASSET = re.compile(r"^vol(?:ume)?[\s_(\[-]+([a-z][a-z0-9]{1,9})[)\]]?$")
_NO_ASSETS = re.compile(r"ma|sma|ema|avg|average|mean|ratio|change|chg|weighted|delta|pct|rate|shares?|stocks?")


def plain(header: str) -> str:
    """Return a header in the form of `vocabulary.toml`: `" <Open Price> "` and `open_price` are both `openprice`."""
    name = strip_marks(unicodedata.normalize("NFKC", header).casefold())
    name = re.sub(r"^\d+[a-z]?\.\s+", "", name)  # "1. open"
    name = re.sub(r"[(\[（].*$", "", name)  # units: 成交量(手)
    return re.sub(r"[\s_\-./:$*#'’]+", "", name)


def in_group(header: str, group: str) -> bool:
    """Return whether a header is in one of the groups of `vocabulary.toml`, such as `pieces`."""
    return plain(header) in _GROUPS[group]


def is_quote_currency(asset: str | None) -> bool:
    """Return whether a volume counted in this asset is an amount."""
    return asset in _GROUPS["quote_currencies"]


def is_end_time(header: str) -> bool:
    """Return whether a column of times says when candles end."""
    return plain(header) in _TIMES["end"]


def roles_of(header: str) -> Sequence[str]:
    """Return the roles that a header's name allows; the first is the likeliest."""
    if "%" in header or "％" in header:
        return ()  # a rate or a change, whatever its name
    asset = asset_of(header)
    if asset is not None:
        return ("amount",) if is_quote_currency(asset) else ("volume",)
    return _ROLES.get(plain(header)) or _ROLES.get(plain(split_unit(header)[0])) or ()


def asset_of(header: str) -> str | None:
    """Return `btc` of `Volume BTC` or `Volume_(BTC)`: the asset in which a volume is counted."""
    match = _VOLUME_OF_ASSET.match(strip_marks(unicodedata.normalize("NFKC", header).casefold()))
    if match is None or split_unit(header)[1] is not None or _NO_ASSETS.match(match[1]):
        return None
    return match[1]


def preference(header: str, role: str) -> int:
    """Return the position of a header among the names of a role; lower is better."""
    names = ALIASES[role]
    positions = [names.index(name) for name in (plain(header), plain(split_unit(header)[0])) if name in names]
    return positions[0] if positions else len(names)


def recognised(headers: Sequence[str]) -> int:
    """Return how many different columns these headers name; used to find the header row, delimiter and encoding."""
    return len({roles[0] for header in headers if (roles := roles_of(header))})


def candidates(headers: Sequence[str]) -> dict[str, list[int]]:
    """Return the positions of the columns that each role may have, the best name first.

    A name of two roles, such as `value`, is a candidate of both.
    """
    positions: dict[str, list[int]] = {}
    for position, header in enumerate(headers):
        for role in roles_of(header):
            positions.setdefault(role, []).append(position)
    return {role: sorted(at, key=lambda p: preference(headers[p], role)) for role, at in positions.items()}


def named_times(headers: Sequence[str]) -> dict[str, int]:
    """Return the positions of the columns named as the time: `timestamp`, or `date` and `clock`; empty if none is.

    A date goes with a time of day. Where the latter may hold whole times as well, its cells decide later.
    """
    names = [plain(header) for header in headers]
    aliases = ALIASES["timestamp"]
    ranked = sorted((p for p, name in enumerate(names) if name in aliases), key=lambda p: aliases.index(names[p]))
    date = next((p for p in ranked if names[p] in _TIMES["date"]), None)
    clock = next((p for p in ranked if names[p] in _MAYBE_CLOCK), None)
    if date is not None and clock is not None and ranked[0] in {date, clock}:
        return {"date": date, "clock": clock}
    return {"timestamp": ranked[0]} if ranked else {}


def choose_times(headers: Sequence[str]) -> dict[str, int]:
    """Return the columns of `named_times`, or else the index of a data frame."""
    names = [plain(header) for header in headers]
    if not (times := named_times(headers)):
        if "indexlevel0" in names:
            return {"timestamp": names.index("indexlevel0")}
        if names and names[0] in _GROUPS["unnamed"]:
            return {"timestamp": 0}
    return times


def unique_labels(headers: Sequence[str]) -> tuple[str, ...]:
    """Return headers that differ: a repeated one gets its number, one without a name its position."""
    labels: list[str] = []
    for position, header in enumerate(headers, start=1):
        label = base = header.strip("\ufeff \t\"'") or f"column {position}"
        number = 2
        while label in labels:
            label, number = f"{base} ({number})", number + 1
        labels.append(label)
    return tuple(labels)


def shorten(value: str, length: int = 40) -> str:
    """Return text from a file fit to be shown: no control characters, on one line, at most `length` long."""
    clean = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in value[: 4 * length]).strip()
    return clean if len(clean) <= length else clean[: length - 1] + "…"


def shorten_list(values: Sequence[str], count: int = 20) -> str:
    """Return the first values as one line of text."""
    quoted = ", ".join(f"“{shorten(value)}”" for value in values[:count])
    return quoted + (", …" if len(values) > count else "")
