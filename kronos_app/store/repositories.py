"""Candle sets and jobs.

What lists show is in columns of its own, and the database filters, sorts and pages; only `get` reads arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kronos_app.data.about import About
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.store import bulk, tables
from kronos_app.store.codec import frame_from_bytes, frame_to_bytes
from kronos_app.store.database import Database
from kronos_app.store.records import (
    ACTIVE,
    ANY_CANDLE_SET,
    CandleSet,
    CandleSetFilter,
    CandleSetInfo,
    Job,
    Labels,
)
from kronos_app.store.repository import Conditions, Repository, Row, contains, damaged_record, split_rows

Values = list[str]
ROWS_AT_ONCE = 200  # candle sets in one statement


class CandleSets(Repository[CandleSet]):
    """Saved candles."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, tables.candle_sets, CandleSet)

    def put_all(self, records: Sequence[CandleSet]) -> None:
        """Save all records or none, in place of those with the same ids."""
        rows = list({record.id: self._row(record) for record in records}.values())

        def insert(connection: sa.Connection) -> None:
            for start in range(0, len(rows), ROWS_AT_ONCE):
                chunk = rows[start : start + ROWS_AT_ONCE]
                ids = [row["id"] for row in chunk]
                connection.execute(self._table.delete().where(self._table.c.id.in_(ids)))
                bulk.insert_rows(connection, self._table, chunk)

        if rows:
            self._database.write(insert)

    def update(self, candles_id: str, **labels: Any) -> None:
        """Change the given name or the tags; an unknown id is no error."""
        self._database.execute(self._table.update().where(self._has(candles_id)).values(labels))

    def list(
        self, only: CandleSetFilter = ANY_CANDLE_SET, *, limit: int | None = None, offset: int = 0
    ) -> list[CandleSetInfo]:
        """Return a line for each candle set that fits, newest first."""
        names = [field.name for field in fields(CandleSetInfo)]
        rows = self._rows(names, self._where(only), limit, offset)
        return split_rows(rows, lambda row: CandleSetInfo(**row), self._table)[0]

    def find(self, candles_id: str) -> CandleSetInfo | None:
        """Return the line of a candle set in the list, None if there is no such set; much faster than `get`."""
        return next(iter(self.list(CandleSetFilter(id=candles_id))), None)

    def count(self, only: CandleSetFilter = ANY_CANDLE_SET) -> int:
        """Return how many candle sets fit."""
        return self._count(self._where(only))

    def labels(self) -> dict[str, Labels]:
        """Return the shown name and the tags of each candle set, by id."""
        query = sa.select(self._table.c.id, self._title.label("title"), self._table.c.tags)
        return {row["id"]: Labels(row["title"], row["tags"]) for row in self._database.fetch(query)}

    def tags(self) -> Values:
        """Return all tags in use, sorted."""
        column = self._table.c.tags
        rows = self._database.fetch(sa.select(column).where(column.is_not(None)).distinct())
        return sorted({tag for row in rows for tag in row["tags"]})

    @property
    def _title(self) -> sa.ColumnElement[str]:
        return sa.func.coalesce(self._table.c.given_name, self._table.c.name)

    def _where(self, only: CandleSetFilter) -> Conditions:
        text = [contains(self._title, only.text)] if only.text else []
        tags = [tables.has_tag(self._table.c.tags, tag) for tag in only.tags]
        return [*self._equal(id=only.id), *text, *tags]

    def _row(self, record: CandleSet) -> dict[str, Any]:
        candles = record.candles
        return {
            "id": record.id,
            "created": record.created,
            "name": candles.name,
            "source": candles.source,
            "timezone": candles.timezone,
            "rows": len(candles),
            "first": candles.timestamps[0],
            "last": candles.timestamps[-1],
            "interval": candles.interval,
            "quality": record.quality,
            "repair": record.repair,
            "frame": frame_to_bytes(candles.frame),
            "about": candles.about.to_dict(),
            "given_name": record.given_name,
            "tags": record.tags,
        }

    def _record(self, row: Row) -> CandleSet:
        try:
            frame = frame_from_bytes(row["frame"])
        except ValueError as error:
            raise damaged_record(row["name"]) from error
        about = About.from_dict(row["about"] or {})
        candles = CandleFrame(frame, row["name"], row["source"], row["timezone"], about)
        labels = row["given_name"], row["tags"]
        return CandleSet(row["id"], candles, row["quality"], row["repair"], row["created"], *labels)


class Jobs(Repository[Job]):
    """Records of background work."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, tables.jobs, Job)

    def list(
        self, *, active_only: bool = False, kind: str | None = None, limit: int | None = None, offset: int = 0
    ) -> list[Job]:
        """Return the jobs, newest first; with `active_only` those that are queued or running."""
        return self._read_all(self._where(active_only, kind), limit, offset)[0]

    def count(self, *, active_only: bool = False, kind: str | None = None) -> int:
        """Return how many jobs there are."""
        return self._count(self._where(active_only, kind))

    def _where(self, active_only: bool, kind: str | None) -> Conditions:
        active = [self._table.c.status.in_(ACTIVE)] if active_only else []
        return [*active, *self._equal(kind=kind)]

    def prune(self, before: datetime) -> None:
        """Delete the jobs that finished before a time."""
        self._database.execute(self._table.delete().where(self._table.c.finished < before))
