"""The tables, in SQLAlchemy Core so that the same definitions serve DuckDB, SQLite and a team's server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

SCHEMA_VERSION = 3


class UtcDateTime(sa.TypeDecorator[datetime]):
    """An aware UTC datetime, stored naive because not every database keeps a zone."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Return the value as the database stores it."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Return the value as the records hold it."""
        return None if value is None else value.replace(tzinfo=UTC)


class Moment(sa.TypeDecorator[pd.Timestamp]):
    """A candle's time without zone, stored as nanoseconds: databases round their own types to microseconds."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> int | None:
        """Return the value as the database stores it."""
        return None if value is None else int(pd.Timestamp(value).as_unit("ns").value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> pd.Timestamp | None:
        """Return the value as the records hold it."""
        return None if value is None else pd.Timestamp(value, unit="ns")


class Duration(sa.TypeDecorator[pd.Timedelta]):
    """A step between candles, stored as nanoseconds."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> int | None:
        """Return the value as the database stores it."""
        return None if value is None else int(pd.Timedelta(value).as_unit("ns").value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> pd.Timedelta | None:
        """Return the value as the records hold it."""
        return None if value is None else pd.Timedelta(value, unit="ns")


metadata = sa.MetaData()

schema_version = sa.Table("schema_version", metadata, sa.Column("version", sa.Integer, nullable=False))

candle_sets = sa.Table(
    "candle_sets",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("created", UtcDateTime, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("timezone", sa.String),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("first", Moment, nullable=False),
    sa.Column("last", Moment, nullable=False),
    sa.Column("interval", Duration, nullable=False),
    sa.Column("quality", sa.JSON, nullable=False),
    sa.Column("repair", sa.JSON, nullable=False),
    sa.Column("frame", sa.LargeBinary, nullable=False),
    sa.Column("about", sa.JSON(none_as_null=True)),  # since version 2
)

forecasts = sa.Table(
    "forecasts",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("created", UtcDateTime, nullable=False),
    sa.Column("candles_id", sa.String, nullable=False),
    sa.Column("candles_name", sa.String, nullable=False),
    sa.Column("model", sa.String, nullable=False),
    sa.Column("cutoff", Moment, nullable=False),
    sa.Column("horizon", sa.Integer, nullable=False),
    sa.Column("samples", sa.Integer, nullable=False),
    sa.Column("lookback", sa.Integer, nullable=False),
    sa.Column("last_close", sa.Double, nullable=False),
    sa.Column("repairs", sa.Integer, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("provenance", sa.JSON, nullable=False),
    sa.Column("arrays", sa.LargeBinary, nullable=False),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("error", sa.JSON(none_as_null=True)),
    sa.Column("result_id", sa.String),
    sa.Column("created", UtcDateTime, nullable=False),
    sa.Column("started", UtcDateTime),
    sa.Column("finished", UtcDateTime),
    sa.Column("attempts", sa.Integer, nullable=False),
)

series = sa.Table(
    "series",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("symbol", sa.String, nullable=False),
    sa.Column("interval", sa.String, nullable=False),
    sa.Column("adjustment", sa.String, nullable=False),
    sa.Column("about", sa.JSON, nullable=False),
    sa.Column("timezone", sa.String),
    sa.Column("columns", sa.JSON, nullable=False),
    sa.Column("first", sa.BigInteger, nullable=False),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("covered", sa.JSON, nullable=False),
    sa.Column("complete", sa.Boolean, nullable=False),
    sa.Column("options", sa.JSON, nullable=False),
    sa.Column("asked", sa.JSON, nullable=False),
    sa.Column("note", sa.JSON(none_as_null=True)),
    sa.Column("error", sa.JSON(none_as_null=True)),
    sa.Column("created", UtcDateTime, nullable=False),
    sa.Column("checked", UtcDateTime, nullable=False),
    sa.Column("used", UtcDateTime, nullable=False),
)

# Times are nanoseconds UTC.
candles = sa.Table(
    "candles",
    metadata,
    sa.Column("series_id", sa.Integer, nullable=False),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("open", sa.Double),
    sa.Column("high", sa.Double),
    sa.Column("low", sa.Double),
    sa.Column("close", sa.Double),
    sa.Column("volume", sa.Double),
    sa.Column("amount", sa.Double),
)
# DuckDB finds rows by the statistics of its blocks, and would only be slowed down by an index.
sa.Index("candles_by_time", candles.c.series_id, candles.c.time, unique=True).ddl_if(
    callable_=lambda *_args, dialect, **_more: dialect.name != "duckdb"
)

watchlists = sa.Table(
    "watchlists",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("entries", sa.JSON, nullable=False),
    sa.Column("created", UtcDateTime, nullable=False),
)

ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("created", UtcDateTime, nullable=False),
    sa.Column("follow_id", sa.String),
    sa.Column("candles_id", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("symbol", sa.String),
    sa.Column("interval", sa.String),
    sa.Column("adjustment", sa.String),
    sa.Column("timezone", sa.String),
    sa.Column("step", Duration, nullable=False),
    sa.Column("model", sa.String, nullable=False),
    sa.Column("weights", sa.String, nullable=False),
    sa.Column("horizon", sa.Integer, nullable=False),
    sa.Column("samples", sa.Integer, nullable=False),
    sa.Column("cutoff", Moment, nullable=False),
    sa.Column("first", Moment, nullable=False),
    sa.Column("last", Moment, nullable=False),
    sa.Column("last_close", sa.Double, nullable=False),
    sa.Column("ahead", sa.Boolean, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("until", Moment),
    sa.Column("graded", UtcDateTime),
    sa.Column("matched", sa.Integer, nullable=False),
    sa.Column("grade", sa.JSON(none_as_null=True)),
)

follows = sa.Table(
    "follows",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("created", UtcDateTime, nullable=False),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("symbol", sa.String, nullable=False),
    sa.Column("interval", sa.String, nullable=False),
    sa.Column("options", sa.JSON, nullable=False),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("cadence", sa.Integer, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("next_run", UtcDateTime),
    sa.Column("last_run", UtcDateTime),
    sa.Column("job_id", sa.String),
    sa.Column("candles_id", sa.String),
    sa.Column("last_candle", Moment),
    sa.Column("forecast_id", sa.String),
    sa.Column("made", sa.Integer, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("error", sa.JSON(none_as_null=True)),
)

# Since version 3.
registered_models = sa.Table(
    "registered_models",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("run_id", sa.String, nullable=False),
    sa.Column("created", UtcDateTime, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("base", sa.String),
    sa.Column("method", sa.String, nullable=False),
    sa.Column("scores", sa.JSON(none_as_null=True)),
    sa.Column("worse", sa.Boolean),
    sa.Column("parameters", sa.BigInteger, nullable=False),
    sa.Column("context", sa.Integer, nullable=False),
    sa.Column("trained_until", UtcDateTime),
    sa.Column("digest", sa.String, nullable=False),
    sa.Column("note", sa.String, nullable=False),
)
