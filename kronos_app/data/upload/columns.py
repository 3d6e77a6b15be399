"""Which column of a file has which role, by the names that vendors use; how headers are compared and shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from kronos_app.data.upload import time_columns
from kronos_app.data.upload.names import NAMES, QUOTE_CURRENCIES
from kronos_app.data.upload.units import split_unit

ALIASES: dict[str, tuple[str, ...]] = {"timestamp": time_columns.NAMES, **NAMES}
UNNAMED = ("", "index", "unnamed0", "indexlevel0", "column1")  # unique_labels calls a first column without a name so
_ROLES: dict[str, tuple[str, ...]] = {}
for _role, _aliases in ALIASES.items():
    for _alias in _aliases:
        _ROLES[_alias] = (*_ROLES.get(_alias, ()), _role)
_VOLUME_OF_ASSET = re.compile(r"^vol(?:ume)?[\s_(\[-]+([a-z][a-z0-9]{1,9})[)\]]?$")
_NO_ASSETS = re.compile(r"ma|sma|ema|avg|average|mean|ratio|change|chg|weighted|delta|pct|rate|shares?|stocks?")


def plain(header: str) -> str:
    """Return a header reduced to what tells columns apart: `" <Open Price> "` and `open_price` are both `openprice`."""
    name = unicodedata.normalize("NFKC", header).casefold().strip("\ufeff \t\"'<>")
    name = re.sub(r"^\d+[a-z]?\.\s+", "", name)  # "1. open"
    name = re.sub(r"[(\[（].*$", "", name)  # units: 成交量(手)
    return re.sub(r"[\s_\-./:$*#'’]+", "", name)


def roles_of(header: str) -> tuple[str, ...]:
    """Return the roles that a header's name allows; the first is the likeliest."""
    if "%" in header or "％" in header:
        return ()  # a rate or a change, whatever its name
    asset = asset_of(header)
    if asset is not None:
        return ("amount",) if asset in QUOTE_CURRENCIES else ("volume",)
    for name in (plain(header), plain(split_unit(header)[0])):
        if name in _ROLES:
            return _ROLES[name]
    return ()


def asset_of(header: str) -> str | None:
    """Return `btc` of `Volume BTC` or `Volume_(BTC)`: the asset in which a volume is counted."""
    match = _VOLUME_OF_ASSET.match(unicodedata.normalize("NFKC", header).casefold().strip("\ufeff \t\"'<>"))
    if match is None or split_unit(header)[1] is not None or _NO_ASSETS.match(match[1]):
        return None
    return match[1]


def preference(header: str, role: str) -> int:
    """Return the place of a header among the names of a role; less is better."""
    names = ALIASES[role]
    places = [names.index(name) for name in (plain(header), plain(split_unit(header)[0])) if name in names]
    return places[0] if places else len(names)


def recognised(headers: Sequence[str]) -> int:
    """Return how many different columns these headers name; used to find the header row, delimiter and encoding."""
    return len({roles_of(header)[0] for header in headers if roles_of(header)})


def candidates(headers: Sequence[str]) -> dict[str, list[int]]:
    """Return the positions of the columns that each role may have, the best name first.

    A name of two roles, such as `value`, is a candidate of both.
    """
    places: dict[str, list[int]] = {}
    for position, header in enumerate(headers):
        for role in roles_of(header):
            places.setdefault(role, []).append(position)
    return {
        role: sorted(where, key=lambda position: preference(headers[position], role)) for role, where in places.items()
    }


def choose_times(headers: Sequence[str]) -> dict[str, int]:
    """Return the positions of the columns that hold the time: `timestamp`, or `date` and `clock`; empty if none."""
    names = [plain(header) for header in headers]
    times = time_columns.choose(names)
    if times is not None:
        return {"timestamp": times.time} if times.clock is None else {"date": times.time, "clock": times.clock}
    if "indexlevel0" in names or set(names[:1]) & set(UNNAMED):  # the index of a data frame
        return {"timestamp": names.index("indexlevel0") if "indexlevel0" in names else 0}
    return {}


def unique_labels(headers: Sequence[str]) -> tuple[str, ...]:
    """Return headers that differ: a repeated one gets its number, one without a name its place."""
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
    shown = ", ".join(f"“{shorten(value)}”" for value in values[:count])
    return shown + (", …" if len(values) > count else "")
