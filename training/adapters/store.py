"""Series of a Kronos Desk store, read where they lie: DuckDB, SQLite or a team's server."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from engine.candles import FEATURES
from training.adapters.symbol import SymbolCandles, check_times
from training.errors import DataError, message
from training.run.config import StoreData

_SERIES = sa.table(
    "series",
    *(
        sa.column(name)
        for name in ("id", "source", "symbol", "interval", "adjustment", "timezone", "rows", "first", "last")
    ),
    sa.column("about", sa.JSON),
    sa.column("asked", sa.JSON),
)
_CANDLES = sa.table("candles", *(sa.column(name) for name in ("series_id", "time", *FEATURES)))
_WATCHLISTS = sa.table("watchlists", sa.column("name"), sa.column("entries", sa.JSON))

# What registered models know the end of their training by, from the calendars that series name.
MARKETS = {
    "XNYS": "us_equity",
    "XNAS": "us_equity",
    "XSHG": "cn_equity",
    "XSHE": "cn_equity",
    "24/7": "crypto",
    "24/5": "fx",
}
OTHER = "other"
NAMED = 10  # symbols that a message lists

Row = Mapping[str, Any]


def read(data: StoreData) -> Iterator[SymbolCandles]:
    """Yield the candles of each series in its exchange's time; its group is market and interval.

    Raises
    ------
    DataError
        The store cannot be opened, a running desk holds it, or what is wanted is not in it.
    """
    with _connection(data) as connection:
        wanted = _wanted(connection, data)
        names = _names(wanted)
        for done, row in enumerate(wanted):
            frame = _frame(connection, row)
            check_times(frame, names[row["id"]], row["source"])
            frame = frame.drop(columns="row")
            yield SymbolCandles(_group(row), names[row["id"]], frame, done, len(wanted))


def fingerprint(data: StoreData) -> list[Any]:
    """Return number and ends of the candles of every series that is wanted.

    Raises
    ------
    DataError
        As `read`.
    """
    with _connection(data) as connection:
        return [
            [
                *(row[name] for name in ("source", "symbol", "interval", "adjustment", "rows", "first", "last")),
                _sum(connection, row),
            ]
            for row in _wanted(connection, data)
        ]


def _sum(connection: sa.Connection, row: Row) -> str:
    """Return the sum of closes, which changes when a vendor mends candles without adding any.

    Databases add in any order, so only the digits are told that do not depend on it.
    """
    query = sa.select(sa.func.sum(_CANDLES.c.close)).where(_CANDLES.c.series_id == row["id"])
    return f"{connection.scalar(query) or 0.0:.10g}"


@contextmanager
def _connection(data: StoreData) -> Iterator[sa.Connection]:
    engine = _engine(data.url)
    shown = engine.url.render_as_string(hide_password=True)
    try:
        with engine.connect() as connection:
            yield connection
    except sa.exc.DBAPIError as error:
        reason = str(error.orig or error)
        if "lock" in reason.lower() or "different configuration" in reason.lower():
            raise DataError(
                message(
                    "{url} is in use by a running Kronos Desk: stop it, or export the series and train on the files.",
                    url=shown,
                )
            ) from error
        first = reason.strip().splitlines()[0]
        raise DataError(
            message("{url} is no Kronos Desk store that can be read ({reason}).", url=shown, reason=first)
        ) from error
    finally:
        engine.dispose()


def _engine(url: str) -> sa.Engine:
    try:
        address = sa.make_url(url)
        in_file = address.get_backend_name() in {"duckdb", "sqlite"}
        if in_file and not Path(address.database or "").expanduser().is_file():
            raise DataError(message("There is no store {file}.", file=str(address.database)))
        # Reading holds up nobody; DuckDB would else lock its file.
        settings = {"read_only": True} if address.get_backend_name() == "duckdb" else {}
        return sa.create_engine(address, connect_args=settings)
    except (sa.exc.ArgumentError, ImportError) as error:
        # SQLAlchemy quotes the whole address, and with it the password, when it cannot read it.
        reason = str(error).split(" from given URL string")[0].rstrip(".")
        raise DataError(
            message("The store's address cannot be used ({reason}): write it as in KRONOS_DATABASE_URL.", reason=reason)
        ) from error


def _wanted(connection: sa.Connection, data: StoreData) -> list[Row]:
    """Return the series to read, in order of group and symbol."""
    known = [dict(row) for row in connection.execute(sa.select(_SERIES)).mappings()]
    rows = known if data.watchlist is None else _listed(connection, data.watchlist, known)
    missing = sorted({*data.symbols} - {row["symbol"] for row in rows})
    if missing:
        raise DataError(
            message("The store has no series {symbols}. It has {known}.",
                   symbols=", ".join(missing[:NAMED]), known=_listing({row["symbol"] for row in rows}))
        )  # fmt: skip
    rows = [row for row in rows if not data.symbols or row["symbol"] in data.symbols]
    kept = [row for row in rows if data.interval in {None, row["interval"]}]
    if not kept:
        raise DataError(
            message("The store has no series of interval {interval}. It has {known}.",
                   interval=data.interval or "-", known=_listing({row["interval"] for row in rows}))
        )  # fmt: skip
    return sorted(kept, key=lambda row: (_group(row), row["symbol"], row["source"], row["adjustment"]))


def _listed(connection: sa.Connection, name: str, known: Sequence[Row]) -> list[Row]:
    lists = {row["name"]: row["entries"] for row in connection.execute(sa.select(_WATCHLISTS)).mappings()}
    if name not in lists:
        raise DataError(
            message("The store has no watchlist “{name}”. It has {known}.", name=name, known=_listing(set(lists)))
        )
    asked = {(entry["source"], _asked_as(entry)) for entry in lists[name]}
    rows = [row for row in known if any((row["source"], one) in asked for one in row["asked"])]
    if not rows:
        raise DataError(message("Nothing on the watchlist “{name}” is stored yet: bring it up to date.", name=name))
    return rows


def _asked_as(entry: Row) -> str:
    """Return how a series keeps the request that a watchlist's entry makes."""
    return json.dumps([entry["symbol"], entry["interval"], sorted(entry["options"].items())], ensure_ascii=False)


def _names(rows: Sequence[Row]) -> dict[int, str]:
    """Return a name for each series, with its source and adjustment where its group has two of a symbol."""
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
    query = sa.select(_CANDLES.c.time, *(_CANDLES.c[name] for name in FEATURES)).where(
        _CANDLES.c.series_id == row["id"]
    )
    found = connection.execute(query.order_by(_CANDLES.c.time)).all()
    frame = pd.DataFrame([tuple(one) for one in found], columns=["time", *FEATURES])
    times = pd.DatetimeIndex(frame["time"].to_numpy(np.int64).view("datetime64[ns]"))
    values = frame[list(FEATURES)].astype(np.float64)
    return values.assign(timestamp=_local(times, row["timezone"]), row=np.arange(1, len(frame) + 1))


def _local(times: pd.DatetimeIndex, timezone: str | None) -> pd.DatetimeIndex:
    """Return the exchange's own times, or UTC where those would repeat in the night that clocks are put back."""
    if timezone is None:
        return times
    local = times.tz_localize("UTC").tz_convert(timezone).tz_localize(None)
    return local if local.is_monotonic_increasing and local.is_unique else times


def _listing(names: set[str]) -> str:
    shown = sorted(names)
    return (", ".join(shown[:NAMED]) + (" …" if len(shown) > NAMED else "")) or "-"
