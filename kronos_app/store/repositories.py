"""Candle sets, forecasts and jobs: put, get, list, count, delete.

What a list shows is in columns of its own, and the database filters, sorts and pages; arrays are read by `get` alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from kronos_app.data.about import About
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.errors import Unavailable
from kronos_app.i18n import Text, text
from kronos_app.store import bulk, tables
from kronos_app.store.codec import arrays_from_bytes, arrays_to_bytes, frame_from_bytes, frame_to_bytes
from kronos_app.store.database import Database
from kronos_app.store.records import (
    ACTIVE,
    ANY_FORECAST,
    CandleSet,
    CandleSetInfo,
    ForecastFilter,
    ForecastInfo,
    Job,
    StoredForecast,
    UnreadableRecord,
)

ROWS_AT_ONCE = 200  # candle sets in one statement

log = logging.getLogger(__name__)

Record = TypeVar("Record")
Conditions = list[sa.ColumnElement[bool]]
Row = sa.RowMapping
Names = dict[str, str]
Values = list[str]


def readable(rows: Iterable[Row], make: Callable[[Row], Record], table: sa.Table) -> list[Record]:
    """Return a record for each row; one that is damaged is left out and logged, so that it does not hide the others."""
    return split(rows, make, table)[0]


def split(
    rows: Iterable[Row],
    make: Callable[[Row], Record],
    table: sa.Table,
    id_of: Callable[[Row], str] = lambda row: str(row.get("id", row.get("name"))),
) -> tuple[list[Record], list[UnreadableRecord]]:
    """Return a record for each row that can be read, and the id and reason of each other one, which is logged."""
    records, unreadable = [], []
    for row in rows:
        try:
            records.append(make(undamaged(row)))
        except (Unavailable, TypeError, ValueError, KeyError) as error:
            log.warning("A record in %s cannot be read (%s): %s", table.name, id_of(row), error)
            unreadable.append(UnreadableRecord(id_of(row), _reason(error)))
    return records, unreadable


def _reason(error: Exception) -> Text:
    message = getattr(error, "message", None)
    if isinstance(message, Text):
        return message
    return Text.from_dict(message.to_dict()) if message is not None else text("Its stored record is damaged.")


def undamaged(row: Row) -> Row:
    """Return `row`.

    Raises
    ------
    Unavailable
        `record_damaged`, if one of its values cannot be read any more.
    """
    if any(value is tables.DAMAGED for value in row.values()):
        raise damaged(str(row.get("candles_name") or row.get("name") or row.get("symbol") or row.get("id")))
    return row


class Repository:
    """Rows of one table by id."""

    def __init__(self, database: Database, table: sa.Table) -> None:
        self._database = database
        self._table = table

    def _write(self, row: dict[str, Any]) -> None:
        # Delete and insert is the one upsert that every dialect knows.
        self._database.write(self._with_id(row["id"]), self._table.insert().values(row))

    def _read(self, record_id: str) -> Row | None:
        if not record_id.isascii():  # Not an id of ours, and lone surrogates cannot even be asked for.
            return None
        rows = self._database.read(self._table.select().where(self._table.c.id == record_id))
        return undamaged(rows[0]) if rows else None

    def _rows(
        self, columns: Sequence[str], where: Conditions, limit: int | None = None, offset: int = 0
    ) -> Sequence[sa.RowMapping]:
        """Return rows, newest first; the id decides between those of one moment, so that no page repeats one."""
        query = sa.select(*(self._table.c[name] for name in columns)).where(sa.and_(True, *where))
        query = query.order_by(self._table.c.created.desc(), self._table.c.id)
        if limit is not None:
            query = query.limit(limit).offset(offset)
        return self._database.read(query)

    def _count(self, where: Conditions) -> int:
        query = sa.select(sa.func.count().label("rows")).select_from(self._table)
        return int(self._database.read(query.where(sa.and_(True, *where)))[0]["rows"])

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
        self.put_all([record])

    def put_all(self, records: Sequence[CandleSet]) -> None:
        """Save all `records` or none, in place of those with the same ids."""
        rows = list({record.id: _candle_row(record) for record in records}.values())
        ids = [row["id"] for row in rows]

        def work(connection: sa.Connection) -> None:
            for start in range(0, len(rows), ROWS_AT_ONCE):
                chunk = slice(start, start + ROWS_AT_ONCE)
                connection.execute(self._table.delete().where(self._table.c.id.in_(ids[chunk])))
                bulk.insert_rows(connection, self._table, rows[chunk])

        if rows:
            self._database.writing(work)

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
            raise damaged(row["name"]) from error
        about = About.from_dict(row["about"] or {})
        candles = CandleFrame(frame, row["name"], row["source"], row["timezone"], about)
        return CandleSet(row["id"], candles, row["quality"], row["repair"], row["created"])

    def list(self, text: str | None = None, *, limit: int | None = None, offset: int = 0) -> list[CandleSetInfo]:
        """Return a line for each candle set with `text` in its name, newest first."""
        rows = self._rows(_names(CandleSetInfo), self._with_text(text), limit, offset)
        return readable(rows, lambda row: CandleSetInfo(**row), self._table)

    def count(self, text: str | None = None) -> int:
        """Return how many candle sets have `text` in their names."""
        return self._count(self._with_text(text))

    def _with_text(self, text: str | None) -> Conditions:
        return [_contains(self._table.c.name, text)] if text else []


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
            raise damaged(row["candles_name"]) from error
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

    def list(
        self, wanted: ForecastFilter = ANY_FORECAST, *, limit: int | None = None, offset: int = 0
    ) -> list[ForecastInfo]:
        """Return a line for each forecast that fits, newest first."""
        names = [name for name in _names(ForecastInfo) if name != "damaged"]
        return [_forecast_info(row) for row in self._rows(names, self._where(wanted), limit, offset)]

    def count(self, wanted: ForecastFilter = ANY_FORECAST) -> int:
        """Return how many forecasts fit."""
        return self._count(self._where(wanted))

    def models(self) -> Values:
        """Return the names of the models that forecasts were made with, in order."""
        model = self._table.c.model
        return [row["model"] for row in self._database.read(sa.select(model).distinct().order_by(model))]

    def requests(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the requests of forecasts by id; ids that are unknown are left out."""
        query = sa.select(self._table.c.id, self._table.c.request).where(self._table.c.id.in_(ids))
        rows = self._database.read(query) if ids else ()
        return {row["id"]: row["request"] for row in rows if isinstance(row["request"], dict)}

    def data_sets(self) -> Names:
        """Return the names of the data sets that forecasts were made from, by id."""
        column = self._table.c
        query = sa.select(column.candles_id, sa.func.max(column.candles_name).label("name")).group_by(column.candles_id)
        return {row["candles_id"]: row["name"] for row in self._database.read(query.order_by("name"))}

    def _where(self, wanted: ForecastFilter) -> Conditions:
        column = self._table.c
        if not (wanted.id or "").isascii():  # not an id of ours, and lone surrogates cannot even be asked for
            return [sa.false()]
        equal = {name: getattr(wanted, name) for name in ("id", "model", "candles_id", "cutoff", "horizon")}
        conditions = [column[name] == value for name, value in equal.items() if value is not None]
        if wanted.text:
            conditions.append(
                sa.or_(*(_contains(column[name], wanted.text) for name in ("candles_name", "model", "id")))
            )
        return conditions


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

    def list(
        self, *, active_only: bool = False, kind: str | None = None, limit: int | None = None, offset: int = 0
    ) -> list[Job]:
        """Return the jobs, newest first; with `active_only` those that are queued or running."""
        rows = self._rows(_names(Job), self._where(active_only, kind), limit, offset)
        return readable(rows, lambda row: Job(**row), self._table)

    def count(self, *, active_only: bool = False, kind: str | None = None) -> int:
        """Return how many jobs there are."""
        return self._count(self._where(active_only, kind))

    def _where(self, active_only: bool, kind: str | None) -> Conditions:
        column = self._table.c
        return [
            *([column.status.in_(ACTIVE)] if active_only else []),
            *([column.kind == kind] if kind is not None else []),
        ]

    def prune(self, before: datetime) -> None:
        """Forget the jobs that finished before a time."""
        self._database.write(self._table.delete().where(self._table.c.finished < before))


def _candle_row(record: CandleSet) -> dict[str, Any]:
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
    }


def _forecast_info(row: Row) -> ForecastInfo:
    broken = [name for name, value in row.items() if value is tables.DAMAGED]
    if broken:
        log.warning("The forecast %s cannot be read: %s", row["id"], broken)
    return ForecastInfo(**{**row, **{name: {} for name in broken}}, damaged=bool(broken))


def _contains(column: sa.ColumnElement[str], text: str) -> sa.ColumnElement[bool]:
    return column.icontains(text.encode("utf-8", "replace").decode(), autoescape=True)


def _names(record: type[CandleSetInfo | ForecastInfo | Job]) -> Sequence[str]:
    return [field.name for field in fields(record)]


def damaged(name: str) -> Unavailable:
    """Return the error of a record that cannot be read any more."""
    return Unavailable(
        "record_damaged",
        text("The stored record of {name} is damaged and cannot be read. All other records are kept.", name=name),
        text("Delete it and make it again, or restore the database from a backup."),
    )
