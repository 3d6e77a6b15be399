"""How files with a header are read, as their users chose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from kronos_app.store import tables
from kronos_app.store.database import Database
from kronos_app.store.records import now

_mappings = tables.column_mappings


class ColumnMappings:
    """Column mappings by the digest of a header."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def exist(self) -> bool:
        """Return whether there is any."""
        return bool(self._database.read(sa.select(_mappings.c.header).limit(1)))

    def get(self, header: str) -> dict[str, Any] | None:
        """Return the mapping of a header's digest, JSON-ready, None where there is none."""
        rows = self._database.read(_mappings.select().where(_mappings.c.header == header))
        return dict(rows[0]["mapping"]) if rows else None

    def put(self, header: str, columns: Sequence[str], mapping: Mapping[str, Any]) -> None:
        """Save a mapping, in place of an earlier one of the same header."""
        row = {"header": header, "columns": list(columns), "mapping": dict(mapping), "created": now()}
        self._database.write(_mappings.delete().where(_mappings.c.header == header), _mappings.insert().values(row))

    def delete(self, header: str) -> None:
        """Forget the mapping of a header; an unknown one is no error."""
        self._database.write(_mappings.delete().where(_mappings.c.header == header))
