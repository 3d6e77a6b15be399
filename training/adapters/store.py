"""Series of a Kronos Desk store: DuckDB, SQLite or a team's server."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from engine.candles import FEATURES
from training.adapters.symbol import SymbolCandles, check_times
from training.errors import DataError
from training.run.config import StoreData

_KEY = ("source", "symbol", "interval", "adjustment")
_SPAN = ("rows", "first", "last")
_SERIES = sa.table(
    "series",
    *map(sa.column, ("id", *_KEY, "timezone", *_SPAN)),
    sa.column("about", sa.JSON),
    sa.column("asked", sa.JSON),
)
_CANDLES = sa.table("candles", *map(sa.column, ("series_id", "time", *FEATURES)))
_WATCHLISTS = sa.table("watchlists", sa.column("name"), sa.column("entries", sa.JSON))

# The markets by which registered models know the end of their training, from the calendars of series.
MARKETS = {
    "XNYS": "us_equity",
    "XNAS": "us_equity",
    "XSHG": "cn_equity",
    "XSHE": "cn_equity",
    "24/7": "crypto",
    "24/5": "fx",
}
OTHER = "other"
MAX_NAMES = 10  # that a message lists

Row = Mapping[str, Any]


def read(data: StoreData) -> Iterator[SymbolCandles]:
    """Yield the candles of each series in its exchange's time; its group is market and interval.

    Raises DataError if the store cannot be opened, a running desk holds it, or it lacks the series.
    """
    with _connect(data) as connection:
        series = _select(connection, data)
        names = _names(series)
        for done, row in enumerate(series):
            frame = _frame(connection, row)
            check_times(frame, names[row["id"]], row["source"])
            yield SymbolCandles(_group(row), names[row["id"]], frame.drop(columns="row"), done, len(series))


def fingerprint(data: StoreData) -> list[Any]:
    """Return key, span and sum of closes of every series, which changes when a vendor corrects candles; see `read`."""
    with _connect(data) as connection:
        return [
            [*(row[name] for name in (*_KEY, *_SPAN)), _sum_of_closes(connection, row)]
            for row in _select(connection, data)
        ]


def _sum_of_closes(connection: sa.Connection, row: Row) -> str:
    """Return the sum to ten digits, as databases add in any order."""
    query = sa.select(sa.func.sum(_CANDLES.c.close)).where(_CANDLES.c.series_id == row["id"])
    return f"{connection.scalar(query) or 0.0:.10g}"


@contextmanager
def _connect(data: StoreData) -> Iterator[sa.Connection]:
    engine = _engine(data.url)
    url = engine.url.render_as_string(hide_password=True)
    try:
        with engine.connect() as connection:
            yield connection
    except sa.exc.DBAPIError as error:
        reason = str(error.orig or error)
        if "lock" in reason.lower() or "different configuration" in reason.lower():
            raise DataError(
                "{url} is in use by a running Kronos Desk: stop it, or export the series and train on the files.",
                url=url,
            ) from error
        reason = reason.strip().splitlines()[0]
        raise DataError("{url} is not a readable Kronos Desk store ({reason}).", url=url, reason=reason) from error
    finally:
        engine.dispose()


def _engine(url: str) -> sa.Engine:
    try:
        address = sa.make_url(url)
        backend = address.get_backend_name()
        if backend in {"duckdb", "sqlite"} and not Path(address.database or "").expanduser().is_file():
            raise DataError("There is no store {file}.", file=str(address.database))
        # DuckDB would lock its file.
        return sa.create_engine(address, connect_args={"read_only": True} if backend == "duckdb" else {})
    except (sa.exc.ArgumentError, ImportError) as error:
        # SQLAlchemy quotes an address that it cannot read, with the password.
        reason = str(error).split(" from given URL string")[0].rstrip(".")
        raise DataError(
            "The store's address cannot be used ({reason}): write it as in KRONOS_DATABASE_URL.", reason=reason
        ) from error


def _select(connection: sa.Connection, data: StoreData) -> list[Row]:
    """Return the series to read, in order of group and symbol."""
    rows: list[Row] = [dict(row) for row in connection.execute(sa.select(_SERIES)).mappings()]
    if data.watchlist is not None:
        rows = _on_watchlist(connection, data.watchlist, rows)
    if missing := {*data.symbols} - {row["symbol"] for row in rows}:
        raise DataError(
            "The store has no series {symbols}. It has {known}.",
            symbols=", ".join(sorted(missing)[:MAX_NAMES]), known=_list(row["symbol"] for row in rows),
        )  # fmt: skip
    rows = [row for row in rows if not data.symbols or row["symbol"] in data.symbols]
    selected = [row for row in rows if data.interval in {None, row["interval"]}]
    if not selected:
        raise DataError(
            "The store has no series of interval {interval}. It has {known}.",
            interval=data.interval or "-", known=_list(row["interval"] for row in rows),
        )  # fmt: skip
    return sorted(selected, key=lambda row: (_group(row), row["symbol"], row["source"], row["adjustment"]))


def _on_watchlist(connection: sa.Connection, name: str, series: Sequence[Row]) -> list[Row]:
    lists = {row["name"]: row["entries"] for row in connection.execute(sa.select(_WATCHLISTS)).mappings()}
    if name not in lists:
        raise DataError("The store has no watchlist “{name}”. It has {known}.", name=name, known=_list(lists))
    requests = {(entry["source"], _request_key(entry)) for entry in lists[name]}
    rows = [row for row in series if any((row["source"], key) in requests for key in row["asked"])]
    if not rows:
        raise DataError("No series of the watchlist “{name}” is stored yet: update it.", name=name)
    return rows


def _request_key(entry: Row) -> str:
    """Return the key under which a series stores the request of a watchlist's entry."""
    return json.dumps([entry["symbol"], entry["interval"], sorted(entry["options"].items())], ensure_ascii=False)


def _names(rows: Sequence[Row]) -> dict[int, str]:
    """Return a name for each series, with its source and adjustment if its group has a symbol twice."""
    count = Counter((_group(row), row["symbol"]) for row in rows)
    return {
        row["id"]: row["symbol"]
        if count[_group(row), row["symbol"]] == 1
        else f"{row['symbol']} ({row['source']} {row['adjustment']})".replace(" )", ")")
        for row in rows
    }


def _group(row: Row) -> str:
    calendar = str((row["about"] or {}).get("calendar") or OTHER)
    return f"{MARKETS.get(calendar, calendar)}/{row['interval']}"


def _frame(connection: sa.Connection, row: Row) -> pd.DataFrame:
    query = sa.select(_CANDLES.c.time, *(_CANDLES.c[name] for name in FEATURES))
    query = query.where(_CANDLES.c.series_id == row["id"]).order_by(_CANDLES.c.time)
    frame = pd.DataFrame([tuple(candle) for candle in connection.execute(query)], columns=["time", *FEATURES])
    times = pd.DatetimeIndex(frame["time"].to_numpy(np.int64).view("datetime64[ns]"))
    values = frame[list(FEATURES)].astype(np.float64)
    return values.assign(timestamp=_local(times, row["timezone"]), row=np.arange(1, len(frame) + 1))


def _local(times: pd.DatetimeIndex, timezone: str | None) -> pd.DatetimeIndex:
    """Return the exchange's times, or UTC if those would repeat when clocks are put back."""
    if timezone is None:
        return times
    local = times.tz_localize("UTC").tz_convert(timezone).tz_localize(None)
    return local if local.is_monotonic_increasing and local.is_unique else times


def _list(names: Iterable[str]) -> str:
    ordered = sorted(set(names))
    return (", ".join(ordered[:MAX_NAMES]) + (" …" if len(ordered) > MAX_NAMES else "")) or "-"
