"""Forecasts, with what users wrote about them and their scores from the ledger."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from kronos_app.store import tables
from kronos_app.store.codec import arrays_from_bytes, arrays_to_bytes
from kronos_app.store.database import Database
from kronos_app.store.records import (
    ANY_FORECAST,
    ForecastColumn,
    ForecastFilter,
    ForecastInfo,
    ForecastNote,
    StoredForecast,
)
from kronos_app.store.repository import Conditions, Repository, Row, contains, damaged_record

log = logging.getLogger(__name__)

Names = dict[str, str]
Values = list[str]

_notes, _ledger, _sets = tables.forecast_notes, tables.ledger, tables.candle_sets
_JOINED = (
    tables.forecasts.outerjoin(_notes, _notes.c.id == tables.forecasts.c.id)
    .outerjoin(_ledger, _ledger.c.id == tables.forecasts.c.id)
    .outerjoin(_sets, _sets.c.id == tables.forecasts.c.candles_id)
)
_PRESENT_NAME = sa.func.coalesce(_sets.c.given_name, _sets.c.name)
# The columns of a line: of the forecast, and of the tables that are joined to it.
_COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    field.name: tables.forecasts.c[field.name] for field in fields(ForecastInfo) if field.name in tables.forecasts.c
} | {
    "crps_ratio": _ledger.c.crps_ratio,
    "coverage": _ledger.c.coverage,
    "tags": _notes.c.tags,
    "note": sa.func.coalesce(_notes.c.note, "").label("note"),
    "data_set": _PRESENT_NAME.label("data_set"),
}


class Forecasts(Repository[StoredForecast]):
    """Computed forecasts, by the hash of all they depend on."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, tables.forecasts, StoredForecast)
        self.notes = Repository(database, _notes, ForecastNote)

    def list(
        self,
        only: ForecastFilter = ANY_FORECAST,
        *,
        by: ForecastColumn = "created",
        ascending: bool = False,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[ForecastInfo]:
        """Return a line for each forecast that fits, in the order of a column; rows without a value come last."""
        column = sa.func.nullif(_notes.c.note, "") if by == "note" else _COLUMNS[by]
        order = [column.is_(None), column.asc() if ascending else column.desc(), *self._order()]
        query = sa.select(*_COLUMNS.values()).select_from(_JOINED).where(sa.and_(True, *self._where(only)))
        query = query.order_by(*order)
        return [
            _info(row) for row in self._database.fetch(query if limit is None else query.limit(limit).offset(offset))
        ]

    def count(self, only: ForecastFilter = ANY_FORECAST) -> int:
        """Return how many forecasts fit."""
        query = sa.select(sa.func.count().label("rows")).select_from(_JOINED)
        return int(self._database.fetch(query.where(sa.and_(True, *self._where(only))))[0]["rows"])

    def delete_all(self, ids: Sequence[str]) -> None:
        """Delete forecasts, readable or not, with their tags and notes; unknown ids are no error."""
        self._database.execute(*(table.delete().where(table.c.id.in_(ids)) for table in (self._table, _notes)))

    def models(self) -> Values:
        """Return the names of the models of all forecasts, sorted."""
        model = self._table.c.model
        return [row["model"] for row in self._database.fetch(sa.select(model).distinct().order_by(model))]

    def tags(self) -> Values:
        """Return the tags of all forecasts, sorted."""
        tags = _notes.c.tags
        rows = self._database.fetch(sa.select(tags).where(tags.is_not(None)).distinct())
        return sorted({tag for row in rows for tag in row["tags"]})

    def requests(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the requests of forecasts by id; ids that are unknown are left out."""
        query = sa.select(self._table.c.id, self._table.c.request).where(self._table.c.id.in_(ids))
        rows = self._database.fetch(query) if ids else ()
        return {row["id"]: row["request"] for row in rows if isinstance(row["request"], dict)}

    def data_sets(self) -> Names:
        """Return the names of the data sets of all forecasts, by id: the present name, or else one of then."""
        column = self._table.c
        name = sa.func.max(sa.func.coalesce(_PRESENT_NAME, column.candles_name)).label("name")
        query = sa.select(column.candles_id, name).select_from(_JOINED).group_by(column.candles_id)
        return {row["candles_id"]: row["name"] for row in self._database.fetch(query.order_by("name"))}

    def _where(self, only: ForecastFilter) -> Conditions:
        values = vars(only).copy()
        text, tag, ids = values.pop("text"), values.pop("tag"), values.pop("ids")
        searched = [
            *(self._table.c[name] for name in ("candles_name", "model", "id")),
            _PRESENT_NAME,
            _notes.c.note,
            tables.tags_text(_notes.c.tags),
        ]
        return [
            *self._equal(**values),
            *([] if ids is None else [self._table.c.id.in_(ids)]),
            *([tables.has_tag(_notes.c.tags, tag)] if tag else []),
            *([sa.or_(*(contains(column, text) for column in searched))] if text else []),
        ]

    def _row(self, record: StoredForecast) -> dict[str, Any]:
        samples, horizon, _ = record.paths.shape
        return {
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
            "replay": bool(record.request.get("cutoff")),
            "driftless": record.driftless,
            "seed": record.provenance["seed"],
        }

    def _record(self, row: Row) -> StoredForecast:
        try:
            paths, raw_paths, timestamps = arrays_from_bytes(row["arrays"])
        except ValueError as error:
            raise damaged_record(row["candles_name"]) from error
        arrays = {"paths": paths, "raw_paths": raw_paths, "timestamps": timestamps}
        return StoredForecast(**{field.name: (arrays | dict(row))[field.name] for field in fields(StoredForecast)})


def _info(row: Row) -> ForecastInfo:
    broken = [name for name, value in row.items() if value is tables.DAMAGED]
    if broken:
        log.warning("The forecast %s cannot be read: %s", row["id"], broken)
    return ForecastInfo(**{**row, **{name: {} for name in broken}}, damaged=bool(broken))
