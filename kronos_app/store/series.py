"""Stored series: candles by source, symbol, interval and adjustment, with times in UTC.

Each write is one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from kronos_app.data import schema
from kronos_app.data.about import About
from kronos_app.data.candle_frame import FEATURES, PRICES, CandleFrame
from kronos_app.data.coverage import Range, to_ns
from kronos_app.i18n import Text
from kronos_app.store import bulk, tables
from kronos_app.store.database import Database
from kronos_app.store.records import now
from kronos_app.store.repository import split_rows, undamaged

Infos = list["SeriesInfo"]
Keys = list["SeriesKey"]

OPTIONAL = FEATURES[len(PRICES) :]
BYTES_A_VALUE = 8

_series, _candles = tables.series, tables.candles


@dataclass(frozen=True, order=True)
class SeriesKey:
    """The key of a series.

    Attributes
    ----------
    source, symbol, interval
        As the source writes them.
    adjustment
        Adjustment of prices in the source's terms; empty if the source has only one kind.
    """

    source: str
    symbol: str
    interval: str
    adjustment: str = ""


@dataclass(frozen=True)
class SeriesState:
    """The state of a series besides its candles.

    Attributes
    ----------
    covered
        The ranges that were requested from the source, disjoint and ascending, in nanoseconds UTC.
    complete
        Whether the earliest candles of the source were requested.
    options
        Options of the source besides symbol and interval.
    asked
        The requests of this series, each as one string: a source may rename a requested symbol.
    note
        A note about candles that the vendor revised.
    error
        `AppError.to_dict()` of the last failed update.
    checked, used
        Times of the last request to the source and of the last use.
    """

    covered: tuple[Range, ...] = ()
    complete: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    asked: tuple[str, ...] = ()
    note: Text | None = None
    error: Mapping[str, Any] | None = None
    checked: datetime = field(default_factory=now)
    used: datetime = field(default_factory=now)


@dataclass(frozen=True)
class SeriesInfo:
    """A line in the list of series: all but its candles.

    Attributes
    ----------
    first, last
        Times of the first and last candle, in UTC.
    features
        Its columns.
    """

    key: SeriesKey
    about: About
    timezone: str | None
    features: tuple[str, ...]
    rows: int
    first: pd.Timestamp
    last: pd.Timestamp
    created: datetime
    state: SeriesState

    @property
    def size_bytes(self) -> int:
        """Return the size of its candles before compression."""
        return self.rows * (1 + len(self.features)) * BYTES_A_VALUE


class Series:
    """Stored series; thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: SeriesKey) -> SeriesInfo | None:
        """Return a series without its candles, None if there is none of this key."""
        rows = self._database.fetch(_series.select().where(_is(key)))
        return _info(rows[0]) if rows else None

    def list(self) -> Infos:
        """Return all series, by key."""
        return sorted(split_rows(self._database.fetch(_series.select()), _info, _series)[0], key=lambda info: info.key)

    def read(
        self,
        key: SeriesKey,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        last: int | None = None,
    ) -> CandleFrame | None:
        """Return candles in the zone of their exchange, None if there are none.

        Parameters
        ----------
        start, end
            Aware times; the end is not included.
        last
            The number of latest candles to return.
        """
        begin, stop = (None if moment is None else to_ns(moment) for moment in (start, end))

        def work(connection: sa.Connection) -> tuple[SeriesInfo, bulk.Table] | None:
            row = _find(connection, key)
            return None if row is None else (_info(row), _select(connection, row, begin, stop, last))

        stored = self._database.read(work)
        if stored is None or not len(stored[1][0]):
            return None
        info, table = stored
        frame, timezone = bulk.to_frame(table, info.features, info.timezone)
        return CandleFrame(frame, key.symbol, key.source, timezone, info.about)

    def edge(self, key: SeriesKey, moment: int, count: int) -> int | None:
        """Return the time of the candle `-count` places before, or `count` places after `moment`, or the outermost one.

        Both times are nanoseconds UTC; None if there is no candle on that side.
        """
        column = _candles.c.time
        side = column < moment if count < 0 else column >= moment
        query = (
            sa.select(column)
            .join(_series, _series.c.id == _candles.c.series_id)
            .where(_is(key), side)
            .order_by(column.desc() if count < 0 else column)
            .limit(abs(count))
        )
        rows = self._database.fetch(query)
        return int(rows[-1]["time"]) if rows else None

    def merge(
        self,
        key: SeriesKey,
        candles: CandleFrame,
        about: About | None = None,
        *,
        state: SeriesState | None = None,
        replace: bool = False,
    ) -> SeriesInfo:
        """Add candles, which replace all stored ones between the first and the last of them.

        A column that only one side has is zero on the other: sources omit a volume that is zero throughout.

        Parameters
        ----------
        about
            Their instrument; default: that of `candles`.
        state
            Default: unchanged, or unknown for a new series.
        replace
            Whether they replace all stored candles.

        Raises
        ------
        InvalidInput
            The candles are not sorted; nothing is changed.
        Unavailable
            The database fails; nothing is changed.
        """
        schema.check(candles)
        about = candles.about if about is None else about

        def work(connection: sa.Connection) -> SeriesInfo:
            row = _find(connection, key)
            series_id = _next_id(connection) if row is None else int(undamaged(row)["id"])
            if row is not None:
                _clear(connection, series_id, None if replace else candles)
            columns = _insert(connection, series_id, candles, None if row is None or replace else row["columns"])
            values = {
                "about": about.to_dict(),
                "timezone": candles.timezone,
                "columns": columns,
                **_measured(connection, series_id),
                **({} if state is None and row is not None else _state_values(state or SeriesState())),
            }
            if row is None:
                connection.execute(_series.insert().values(id=series_id, **asdict(key), created=now(), **values))
            else:
                connection.execute(_series.update().where(_series.c.id == series_id).values(values))
            return _info(connection.execute(_series.select().where(_is(key))).mappings().one())

        return self._database.write(work)

    def update(self, key: SeriesKey, **changes: Any) -> None:
        """Change fields of the state of a series; an unknown key is no error."""
        info = self.get(key)
        if info is not None:
            values = _state_values(replace(info.state, **changes))
            self._database.execute(_series.update().where(_is(key)).values({name: values[name] for name in changes}))

    def delete(self, key: SeriesKey) -> None:
        """Delete a series; an unknown key is no error."""
        self._database.execute(
            _candles.delete().where(_candles.c.series_id.in_(sa.select(_series.c.id).where(_is(key)))),
            _series.delete().where(_is(key)),
        )

    def size_bytes(self) -> int:
        """Return the size of all candles before compression."""
        return sum(info.size_bytes for info in self.list())

    def evict(self, limit: int, keep: Collection[SeriesKey] = ()) -> Keys:
        """Delete the least recently used series until the rest takes at most `limit` bytes; return the deleted keys.

        Parameters
        ----------
        keep
            Series that are not deleted.
        """
        infos = self.list()
        size = sum(info.size_bytes for info in infos)
        deleted = []
        for info in sorted(infos, key=lambda info: info.state.used):
            if size <= limit:
                break
            if info.key not in keep:
                self.delete(info.key)
                deleted.append(info.key)
                size -= info.size_bytes
        return deleted


def _is(key: SeriesKey) -> sa.ColumnElement[bool]:
    return sa.and_(*(_series.c[name] == value for name, value in asdict(key).items()))


def _find(connection: sa.Connection, key: SeriesKey) -> sa.RowMapping | None:
    return connection.execute(_series.select().where(_is(key))).mappings().one_or_none()


def _select(
    connection: sa.Connection, row: sa.RowMapping, start: int | None, end: int | None, last: int | None
) -> bulk.Table:
    if last is not None and start is None and end is None:
        likely = bulk.near_end(row["rows"], row["first"], row["last"], last)
        if likely is not None:
            times, columns = bulk.select(connection, row["id"], start=likely)
            if len(times) >= last:
                return times[-last:], {name: column[-last:] for name, column in columns.items()}
    return bulk.select(connection, row["id"], start, end, last)


def _clear(connection: sa.Connection, series_id: int, stretch: CandleFrame | None) -> None:
    """Remove the candles of a series, or those between the first and the last of `stretch`."""
    statement = _candles.delete().where(_candles.c.series_id == series_id)
    if stretch is not None:
        first, last = (int(stretch.utc[place].value) for place in (0, -1))
        statement = statement.where(_candles.c.time.between(first, last))
    connection.execute(statement)


def _insert(
    connection: sa.Connection, series_id: int, candles: CandleFrame, stored: Collection[str] | None
) -> list[str]:
    """Add candles, and return the optional columns of the series; `stored` are those of its other candles, if any."""
    columns = [name for name in OPTIONAL if name in candles.features or name in (stored or ())]
    lacking = {name: 0.0 for name in columns if stored is not None and name not in stored}
    if lacking:
        connection.execute(_candles.update().where(_candles.c.series_id == series_id).values(lacking))
    absent = {name: 0.0 for name in columns if name not in candles.features}
    bulk.insert(connection, series_id, replace(candles, frame=candles.frame.assign(**absent)) if absent else candles)
    return columns


def _next_id(connection: sa.Connection) -> int:
    return int(connection.scalar(sa.select(sa.func.coalesce(sa.func.max(_series.c.id), 0))) or 0) + 1


def _measured(connection: sa.Connection, series_id: int) -> dict[str, int]:
    time = _candles.c.time
    query = sa.select(sa.func.count(), sa.func.min(time), sa.func.max(time)).where(_candles.c.series_id == series_id)
    rows, first, last = connection.execute(query).one()
    return {"rows": int(rows), "first": int(first), "last": int(last)}


def _state_values(state: SeriesState) -> dict[str, Any]:
    return {
        "covered": [list(stretch) for stretch in state.covered],
        "complete": state.complete,
        "options": dict(state.options),
        "asked": list(state.asked),
        "note": None if state.note is None else state.note.to_dict(),
        "error": None if state.error is None else dict(state.error),
        "checked": state.checked,
        "used": state.used,
    }


def _info(row: sa.RowMapping) -> SeriesInfo:
    row = undamaged(row)
    state = SeriesState(
        covered=tuple((start, end) for start, end in row["covered"]),
        complete=bool(row["complete"]),
        options=row["options"],
        asked=tuple(row["asked"]),
        note=None if row["note"] is None else Text.from_dict(row["note"]),
        error=row["error"],
        checked=row["checked"],
        used=row["used"],
    )
    first, last = (pd.Timestamp(row[name], unit="ns", tz="UTC") for name in ("first", "last"))
    key = SeriesKey(row["source"], row["symbol"], row["interval"], row["adjustment"])
    features = (*PRICES, *row["columns"])
    about = About.from_dict(row["about"])
    return SeriesInfo(key, about, row["timezone"], features, row["rows"], first, last, row["created"], state)
