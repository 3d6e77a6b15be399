"""Candle sets, forecasts and jobs: put, get, list, delete.

What a list shows is in columns of its own; arrays are read by `get` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kronos_app.data.about import About
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.errors import Unavailable
from kronos_app.i18n import text
from kronos_app.store import tables
from kronos_app.store.codec import arrays_from_bytes, arrays_to_bytes, frame_from_bytes, frame_to_bytes
from kronos_app.store.database import Database
from kronos_app.store.records import ACTIVE, CandleSet, CandleSetInfo, ForecastInfo, Job, StoredForecast


class Repository:
    """Rows of one table by id."""

    def __init__(self, database: Database, table: sa.Table) -> None:
        self._database = database
        self._table = table

    def _write(self, row: dict[str, Any]) -> None:
        # Delete and insert is the one upsert that every dialect knows.
        self._database.write(self._with_id(row["id"]), self._table.insert().values(row))

    def _read(self, record_id: str) -> sa.RowMapping | None:
        if not record_id.isascii():  # Not an id of ours, and lone surrogates cannot even be asked for.
            return None
        rows = self._database.read(self._table.select().where(self._table.c.id == record_id))
        return rows[0] if rows else None

    def _rows(self, columns: Sequence[str], where: sa.ColumnElement[bool] | None = None) -> Sequence[sa.RowMapping]:
        query = sa.select(*(self._table.c[name] for name in columns)).order_by(self._table.c.created.desc())
        return self._database.read(query if where is None else query.where(where))

    def _with_id(self, record_id: str) -> sa.Delete:
        return self._table.delete().where(self._table.c.id == record_id)

    def delete(self, record_id: str) -> None:
        """Forget the record; an unknown id is no error."""
        if record_id.isascii():
            self._database.write(self._with_id(record_id))


class CandleSets(Repository):
    """Saved candles."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, tables.candle_sets)

    def put(self, record: CandleSet) -> None:
        """Save `record`, in place of one with the same id."""
        candles = record.candles
        row = {
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
        }
        self._write(row)

    def get(self, record_id: str) -> CandleSet | None:
        """Return the candle set, None if there is none of this id.

        Raises
        ------
        Unavailable
            If the stored bytes are damaged, or the database fails.
        """
        row = self._read(record_id)
        if row is None:
            return None
        try:
            frame = frame_from_bytes(row["frame"])
        except ValueError as error:
            raise _damaged(row["name"]) from error
        about = About.from_dict(row["about"] or {})
        candles = CandleFrame(frame, row["name"], row["source"], row["timezone"], about)
        return CandleSet(row["id"], candles, row["quality"], row["repair"], row["created"])

    def list(self) -> list[CandleSetInfo]:
        """Return a line for every candle set, newest first."""
        return [CandleSetInfo(**row) for row in self._rows(_names(CandleSetInfo))]


class Forecasts(Repository):
    """Computed forecasts, by the hash of all they depend on."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, tables.forecasts)

    def put(self, record: StoredForecast) -> None:
        """Save `record`, in place of one with the same id."""
        samples, horizon, _ = record.paths.shape
        row = {
            "id": record.id,
            "created": record.created,
            "candles_id": record.candles_id,
            "candles_name": record.candles_name,
            "model": record.provenance["model"],
            "cutoff": record.cutoff,
            "horizon": horizon,
            "samples": samples,
            "lookback": record.provenance["history_rows"],
            "last_close": record.last_close,
            "repairs": record.repairs,
            "request": record.request,
            "provenance": record.provenance,
            "arrays": arrays_to_bytes(record.paths, record.raw_paths, record.timestamps),
        }
        self._write(row)

    def get(self, record_id: str) -> StoredForecast | None:
        """Return the forecast, None if there is none of this id.

        Raises
        ------
        Unavailable
            If the stored bytes are damaged, or the database fails.
        """
        row = self._read(record_id)
        if row is None:
            return None
        try:
            paths, raw_paths, timestamps = arrays_from_bytes(row["arrays"])
        except ValueError as error:
            raise _damaged(row["candles_name"]) from error
        columns = (
            "id",
            "created",
            "candles_id",
            "candles_name",
            "request",
            "provenance",
            "cutoff",
            "last_close",
            "repairs",
        )
        values = {name: row[name] for name in columns}
        return StoredForecast(**values, paths=paths, raw_paths=raw_paths, timestamps=timestamps)

    def list(self) -> list[ForecastInfo]:
        """Return a line for every forecast, newest first."""
        return [ForecastInfo(**row) for row in self._rows(_names(ForecastInfo))]


class Jobs(Repository):
    """Records of background work."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, tables.jobs)

    def put(self, job: Job) -> None:
        """Save `job`, in place of its earlier state."""
        self._write(vars(job))

    def get(self, job_id: str) -> Job | None:
        """Return the job, None if there is none of this id."""
        row = self._read(job_id)
        return None if row is None else Job(**row)

    def list(self, *, active_only: bool = False) -> list[Job]:
        """Return the jobs, newest first; with `active_only` those that are queued or running."""
        where = self._table.c.status.in_(ACTIVE) if active_only else None
        return [Job(**row) for row in self._rows(_names(Job), where)]

    def prune(self, before: datetime) -> None:
        """Forget the jobs that finished before a time."""
        self._database.write(self._table.delete().where(self._table.c.finished < before))


def _names(record: type[CandleSetInfo | ForecastInfo | Job]) -> Sequence[str]:
    return [field.name for field in fields(record)]


def _damaged(name: str) -> Unavailable:
    return Unavailable(
        "record_damaged",
        text("What was stored for {name} cannot be read any more.", name=name),
        text("Delete the entry and make it again."),
    )
