"""The tables, in SQLAlchemy Core so that the same definitions serve DuckDB, SQLite and a team's server."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

SCHEMA_VERSION = 4

MYSQL = ("mysql", "mariadb")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def storable(words: str) -> str:
    """Return text with U+FFFD for what not every database stores: NUL, and halves of surrogate pairs."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", words)


class Words(sa.TypeDecorator[str]):
    """Text of any length; what no database can hold equals nothing that is stored, rather than being an error."""

    impl = sa.String
    cache_ok = True
    _mysql: ClassVar[sa.types.TypeEngine[str]] = mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin")

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Return the database's type; MySQL would by default take upper and lower case for the same."""
        return dialect.type_descriptor(self._mysql if dialect.name in MYSQL else sa.String())

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Return the value as the database stores it."""
        return None if value is None else storable(value)


class Key(Words):
    """Text that is indexed, for which MySQL wants a length."""

    cache_ok = True
    _mysql = mysql.VARCHAR(255, charset="utf8mb4", collation="utf8mb4_bin")


Bytes = sa.LargeBinary().with_variant(mysql.LONGBLOB(), *MYSQL)


class Damaged:
    """What stands in the place of a stored value that cannot be read any more."""


DAMAGED: Final = Damaged()


def write_json(content: Any) -> str:
    """Return what a JSON column stores."""
    return storable(json.dumps(content, ensure_ascii=False, allow_nan=False))


def read_json(content: str | bytes) -> Any:
    """Return what a JSON column holds, `DAMAGED` where that is no JSON: one bad row must not hide the others."""
    try:
        return json.loads(content)
    except ValueError:
        return DAMAGED


class UtcDateTime(sa.TypeDecorator[datetime]):
    """An aware UTC datetime, stored naive because not every database keeps a zone."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Return the database's type; MySQL would leave out the parts of a second."""
        return dialect.type_descriptor(mysql.DATETIME(fsp=6) if dialect.name in MYSQL else sa.DateTime())

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

# Alembic's version table, and the same number for releases that know no Alembic.
schema_revision = sa.Table(
    "schema_revision",
    metadata,
    sa.Column("version_num", sa.String(32)),
    sa.PrimaryKeyConstraint("version_num", name="schema_revision_pkc"),
)
schema_version = sa.Table("schema_version", metadata, sa.Column("version", sa.Integer, nullable=False))

candle_sets = sa.Table(
    "candle_sets",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("created", UtcDateTime, nullable=False),
    sa.Column("name", Words, nullable=False),
    sa.Column("source", Key, nullable=False),
    sa.Column("timezone", Words),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("first", Moment, nullable=False),
    sa.Column("last", Moment, nullable=False),
    sa.Column("interval", Duration, nullable=False),
    sa.Column("quality", sa.JSON, nullable=False),
    sa.Column("repair", sa.JSON, nullable=False),
    sa.Column("frame", Bytes, nullable=False),
    sa.Column("about", sa.JSON(none_as_null=True)),
)

forecasts = sa.Table(
    "forecasts",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("created", UtcDateTime, nullable=False),
    sa.Column("candles_id", Key, nullable=False),
    sa.Column("candles_name", Key, nullable=False),
    sa.Column("model", Key, nullable=False),
    sa.Column("cutoff", Moment, nullable=False),
    sa.Column("horizon", sa.Integer, nullable=False),
    sa.Column("samples", sa.Integer, nullable=False),
    sa.Column("lookback", sa.Integer, nullable=False),
    sa.Column("last_close", sa.Double, nullable=False),
    sa.Column("repairs", sa.Integer, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("provenance", sa.JSON, nullable=False),
    sa.Column("arrays", Bytes, nullable=False),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("kind", Key, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("status", Key, nullable=False),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("error", sa.JSON(none_as_null=True)),
    sa.Column("result_id", Words),
    sa.Column("created", UtcDateTime, nullable=False),
    sa.Column("started", UtcDateTime),
    sa.Column("finished", UtcDateTime),
    sa.Column("attempts", sa.Integer, nullable=False),
)

series = sa.Table(
    "series",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("source", Key, nullable=False),
    sa.Column("symbol", Key, nullable=False),
    sa.Column("interval", Key, nullable=False),
    sa.Column("adjustment", Key, nullable=False),
    sa.Column("about", sa.JSON, nullable=False),
    sa.Column("timezone", Words),
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

watchlists = sa.Table(
    "watchlists",
    metadata,
    sa.Column("name", Key, primary_key=True),
    sa.Column("entries", sa.JSON, nullable=False),
    sa.Column("created", UtcDateTime, nullable=False),
)

ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("created", UtcDateTime, nullable=False),
    sa.Column("follow_id", Words),
    sa.Column("candles_id", Key, nullable=False),
    sa.Column("name", Words, nullable=False),
    sa.Column("source", Key, nullable=False),
    sa.Column("symbol", Key),
    sa.Column("interval", Key),
    sa.Column("adjustment", Key),
    sa.Column("timezone", Words),
    sa.Column("step", Duration, nullable=False),
    sa.Column("model", Key, nullable=False),
    sa.Column("weights", Words, nullable=False),
    sa.Column("horizon", sa.Integer, nullable=False),
    sa.Column("samples", sa.Integer, nullable=False),
    sa.Column("cutoff", Moment, nullable=False),
    sa.Column("first", Moment, nullable=False),
    sa.Column("last", Moment, nullable=False),
    sa.Column("last_close", sa.Double, nullable=False),
    sa.Column("ahead", sa.Boolean, nullable=False),
    sa.Column("state", Key, nullable=False),
    sa.Column("until", Moment),
    sa.Column("graded", UtcDateTime),
    sa.Column("matched", sa.Integer, nullable=False),
    sa.Column("grade", sa.JSON(none_as_null=True)),
)

follows = sa.Table(
    "follows",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("created", UtcDateTime, nullable=False),
    sa.Column("source", Key, nullable=False),
    sa.Column("symbol", Key, nullable=False),
    sa.Column("interval", Key, nullable=False),
    sa.Column("options", sa.JSON, nullable=False),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("cadence", sa.Integer, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("next_run", UtcDateTime),
    sa.Column("last_run", UtcDateTime),
    sa.Column("job_id", Words),
    sa.Column("candles_id", Key),
    sa.Column("last_candle", Moment),
    sa.Column("forecast_id", Words),
    sa.Column("made", sa.Integer, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("error", sa.JSON(none_as_null=True)),
)

registered_models = sa.Table(
    "registered_models",
    metadata,
    sa.Column("name", Key, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("run_id", Words, nullable=False),
    sa.Column("created", UtcDateTime, nullable=False),
    sa.Column("state", Key, nullable=False),
    sa.Column("base", Words),
    sa.Column("method", Words, nullable=False),
    sa.Column("scores", sa.JSON(none_as_null=True)),
    sa.Column("worse", sa.Boolean),
    sa.Column("parameters", sa.BigInteger, nullable=False),
    sa.Column("context", sa.Integer, nullable=False),
    sa.Column("trained_until", UtcDateTime),
    sa.Column("digest", Words, nullable=False),
    sa.Column("note", Words, nullable=False),
)

# The process that works with the database.
owner = sa.Table(
    "owner",
    metadata,
    sa.Column("process", sa.Integer, nullable=False),
    sa.Column("host", Words, nullable=False),
    sa.Column("since", UtcDateTime, nullable=False),
)

# How files with a header are read, as their users chose; by the digest of the header.
column_mappings = sa.Table(
    "column_mappings",
    metadata,
    sa.Column("header", Key, primary_key=True),
    sa.Column("columns", sa.JSON, nullable=False),
    sa.Column("mapping", sa.JSON, nullable=False),
    sa.Column("created", UtcDateTime, nullable=False),
)


def _index(name: str, *columns: sa.Column[Any], unique: bool = False) -> None:
    """Add an index, except on DuckDB: it finds rows by the statistics of its blocks, and indexes slow down writing."""
    index = sa.Index(name, *columns, unique=unique)
    index.ddl_if(callable_=lambda *_args, dialect, **_more: dialect.name != "duckdb")


_index("candles_by_time", candles.c.series_id, candles.c.time, unique=True)
_index("forecasts_by_age", forecasts.c.created)
_index("forecasts_by_cutoff", forecasts.c.cutoff)
_index("candle_sets_by_age", candle_sets.c.created)
_index("jobs_by_age", jobs.c.created)
_index("ledger_by_age", ledger.c.created)
_index("ledger_by_state", ledger.c.state)
