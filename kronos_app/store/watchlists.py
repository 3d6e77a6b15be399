"""Named lists of series, which need not be stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kronos_app.store import tables
from kronos_app.store.database import Database
from kronos_app.store.records import now
from kronos_app.store.repository import Repository, Row

Lists = list["Watchlist"]


@dataclass(frozen=True)
class Watched:
    """A series to fetch, without its range."""

    source: str
    symbol: str
    interval: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Watchlist:
    """A watchlist with its entries in order."""

    name: str
    entries: tuple[Watched, ...]
    created: datetime = field(default_factory=now)


class Watchlists(Repository[Watchlist]):
    """Watchlists by name."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, tables.watchlists, Watchlist)

    def list(self) -> Lists:
        """Return all lists, by name."""
        return self._read_all()[0]

    def _order(self) -> Sequence[sa.ColumnElement[Any]]:
        return [self._table.c.name]

    def _row(self, record: Watchlist) -> dict[str, Any]:
        entries = [asdict(entry) | {"options": dict(entry.options)} for entry in record.entries]
        return {"name": record.name, "entries": entries, "created": record.created}

    def _record(self, row: Row) -> Watchlist:
        return Watchlist(row["name"], tuple(Watched(**entry) for entry in row["entries"]), row["created"])
