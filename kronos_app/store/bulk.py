"""Reading and writing many candles: DuckDB with Arrow and NumPy, other databases with their drivers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from kronos_app.data.candle_frame import FEATURES, CandleFrame
from kronos_app.store import tables

Columns = dict[str, npt.NDArray[np.float64]]
Table = tuple[npt.NDArray[np.int64], Columns]
"""Times in nanoseconds UTC, `(n,)`, and each feature, `(n,)`, NaN where there is no value."""

_candles = tables.candles
_ARRIVING = "kronos_arriving"
# Factor by which more candles than requested are read by time, because only their average distance is known.
_ALLOWANCE = 2.0


def insert(connection: sa.Connection, series_id: int, candles: CandleFrame) -> None:
    """Add candles to a series; missing values become NULL."""
    features = {name: candles.frame[name].to_numpy(np.float64) for name in candles.features}
    times = candles.utc.as_unit("ns").asi8
    if connection.dialect.name == "duckdb":
        arriving = {"time": pa.array(times)} | {
            name: pa.array(features[name], from_pandas=True) if name in features else pa.nulls(len(times), pa.float64())
            for name in FEATURES
        }
        _insert_arrow(connection, _candles.name, arriving, f"{int(series_id)}, ")
        return
    values = {
        name: [None if np.isnan(value) else value for value in column.tolist()] for name, column in features.items()
    }
    rows = [
        dict(zip(("series_id", "time", *values), (series_id, *row), strict=True))
        for row in zip(times.tolist(), *values.values(), strict=True)
    ]
    connection.execute(_candles.insert(), rows)


def insert_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Add rows with a value for every column to a table."""
    if connection.dialect.name != "duckdb":
        connection.execute(table.insert(), list(rows))
        return
    columns = {}
    for column in table.columns:
        process = column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
        values = [row[column.name] for row in rows]
        columns[column.name] = pa.array(values if process is None else [process(value) for value in values])
    _insert_arrow(connection, table.name, columns)


def _insert_arrow(connection: sa.Connection, name: str, columns: dict[str, pa.Array], first: str = "") -> None:
    """Add a row for each value of `columns`, which have the table's order; `first` is SQL before them."""
    raw = connection.connection.driver_connection
    assert raw is not None
    raw.complete()  # The result of an earlier statement may not have been read to its end.
    raw.register(_ARRIVING, pa.table(columns))
    try:
        connection.exec_driver_sql(f"INSERT INTO {name} SELECT {first}* FROM {_ARRIVING}")  # noqa: S608
    finally:
        raw.unregister(_ARRIVING)


def select(
    connection: sa.Connection, series_id: int, start: int | None = None, end: int | None = None, last: int | None = None
) -> Table:
    """Return candles of a series sorted by time: from `start` to before `end`, or only the `last` of them."""
    bounds = {"series_id =": series_id, "time >=": start, "time <": end}
    limits = {name: value for name, value in bounds.items() if value is not None}
    if connection.dialect.name == "duckdb":
        # Its dialect does not cache compiled statements, and compiling takes as long as executing.
        where = " AND ".join(f"{name} ?" for name in limits)
        sql = f"SELECT time, {', '.join(FEATURES)} FROM candles WHERE {where} ORDER BY time"  # noqa: S608
        sql += "" if last is None else " DESC LIMIT ?"
        values = (*limits.values(), *(() if last is None else (last,)))
        table = _from_arrays(connection.exec_driver_sql(sql, values))
    else:
        query = sa.select(_candles.c.time, *(_candles.c[name] for name in FEATURES))
        query = query.where(_candles.c.series_id == series_id)
        query = query if start is None else query.where(_candles.c.time >= start)
        query = query if end is None else query.where(_candles.c.time < end)
        time = _candles.c.time
        query = query.order_by(time) if last is None else query.order_by(time.desc()).limit(last)
        table = _from_rows([tuple(row) for row in connection.execute(query)])
    return table if last is None else _reversed(table)


def _reversed(table: Table) -> Table:
    times, columns = table
    return times[::-1], {name: column[::-1] for name, column in columns.items()}


def near_end(rows: int, first: int, last: int, count: int) -> int | None:
    """Return a time before the last `count` of `rows` candles, as an estimate; None if all may be needed."""
    share = _ALLOWANCE * count / max(rows, 1)
    return None if share >= 1 else last - int((last - first) * share)


def _from_arrays(result: sa.CursorResult[Any]) -> Table:
    assert result.cursor is not None
    try:
        arrays = result.cursor.fetchnumpy()
    except duckdb.Error as error:
        raise sa.exc.DatabaseError("fetchnumpy", None, error) from error
    finally:
        result.close()
    times = np.asarray(arrays.pop("time"), dtype=np.int64)
    return times, {name: np.ma.filled(np.ma.asarray(arrays[name], np.float64), np.nan) for name in FEATURES}


def _from_rows(rows: Sequence[tuple[object, ...]]) -> Table:
    times = np.array([row[0] for row in rows], dtype=np.int64)
    values = np.array([row[1:] for row in rows], dtype=np.float64).reshape(len(rows), len(FEATURES))
    return times, {name: np.ascontiguousarray(values[:, place]) for place, name in enumerate(FEATURES)}


def to_frame(table: Table, columns: Sequence[str], timezone: str | None) -> tuple[pd.DataFrame, str | None]:
    """Return a frame in local times of `timezone`, and the zone; UTC if local times would repeat."""
    times, values = table
    moments = pd.DatetimeIndex(times.view("datetime64[ns]"))
    local = moments if timezone is None else moments.tz_localize("UTC").tz_convert(timezone).tz_localize(None)
    if not (local.is_monotonic_increasing and local.is_unique):
        local, timezone = moments, "UTC"
    frame = pd.DataFrame({"timestamp": local.as_unit("ns")} | {name: values[name] for name in columns})
    return frame, timezone
