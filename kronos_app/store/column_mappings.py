"""Mappings of the columns of files, as users chose them, by the digest of the header."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kronos_app.store import tables
from kronos_app.store.database import Database
from kronos_app.store.records import now
from kronos_app.store.repository import Repository


@dataclass(frozen=True)
class StoredMapping:
    """How the files with one header are read; `mapping` is JSON-ready."""

    header: str
    columns: list[str]
    mapping: dict[str, Any]
    created: datetime = field(default_factory=now)


class ColumnMappings(Repository[StoredMapping]):
    """Column mappings by the digest of a header."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, tables.column_mappings, StoredMapping)

    def exist(self) -> bool:
        """Return whether there is any."""
        return bool(self._database.fetch(sa.select(self._table.c.header).limit(1)))
