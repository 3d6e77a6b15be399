"""The tables, in SQLAlchemy Core so that the same definitions serve DuckDB, SQLite and a team's server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

SCHEMA_VERSION = 1


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
