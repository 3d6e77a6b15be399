"""Named lists of series that somebody watches, stored already or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kronos_app.store import tables
from kronos_app.store.database import Database
from kronos_app.store.records import now
from kronos_app.store.repositories import readable

Lists = list["Watchlist"]

_watchlists = tables.watchlists


@dataclass(frozen=True)
class Watched:
    """A series as it is asked for: what a fetch needs, apart from the range."""

    source: str
    symbol: str
    interval: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Watchlist:
    """A name and what is on the list, in the order it was put there."""

    name: str
    entries: tuple[Watched, ...]
    created: datetime = field(default_factory=now)


class Watchlists:
    """Watchlists by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, watchlist: Watchlist) -> None:
        """Save a list, in place of one of the same name."""
        entries = [asdict(entry) | {"options": dict(entry.options)} for entry in watchlist.entries]
        row: dict[str, Any] = {"name": watchlist.name, "entries": entries, "created": watchlist.created}
        self._database.write(
            _watchlists.delete().where(_watchlists.c.name == watchlist.name), _watchlists.insert().values(row)
        )

    def get(self, name: str) -> Watchlist | None:
        """Return a list, None if there is none of this name."""
        return next((one for one in self.list() if one.name == name), None)

    def list(self) -> Lists:
        """Return all lists, by name."""
        rows = self._database.read(_watchlists.select().order_by(_watchlists.c.name))
        return readable(rows, _watchlist, _watchlists)

    def delete(self, name: str) -> None:
        """Forget a list, not what is on it; an unknown name is no error."""
        found = self.get(name)
        if found is not None:
            self._database.write(_watchlists.delete().where(_watchlists.c.name == found.name))


def _watchlist(row: sa.RowMapping) -> Watchlist:
    return Watchlist(row["name"], tuple(Watched(**entry) for entry in row["entries"]), row["created"])
