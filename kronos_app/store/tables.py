"""The tables of the newest schema, for DuckDB, SQLite, PostgreSQL, MySQL and MariaDB."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

SCHEMA_VERSION = 6

MYSQL = ("mysql", "mariadb")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def storable(words: str) -> str:
    """Return text with U+FFFD for what not every database stores: NUL, and halves of surrogate pairs."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", words)


class _Text(sa.TypeDecorator[str]):
    """Text of any length, with characters that not every database stores replaced."""

    impl = sa.String
    cache_ok = True
    # MySQL would by default not distinguish upper from lower case.
    _mysql: ClassVar[sa.types.TypeEngine[str]] = mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin")

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(self._mysql if dialect.name in MYSQL else sa.String())

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else storable(value)


class _Key(_Text):
    """Text in an index, for which MySQL needs a length."""

    cache_ok = True
    _mysql = mysql.VARCHAR(255, charset="utf8mb4", collation="utf8mb4_bin")


class _Tags(_Text):
    """Tags as one text in which each stands between line breaks, so that every database can search for one."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        return super().process_bind_param("\n".join(("", *value, "")) if value else None, dialect)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Any:
        return tuple((value or "").strip("\n").split("\n")) if value else ()


class _UtcDateTime(sa.TypeDecorator[datetime]):
    """An aware UTC datetime, stored naive because not every database keeps a zone."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        # MySQL would by default drop fractions of a second.
        return dialect.type_descriptor(mysql.DATETIME(fsp=6) if dialect.name in MYSQL else sa.DateTime())

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class _Nanoseconds(sa.TypeDecorator[Any]):
    """A `Timestamp` or `Timedelta`, stored as nanoseconds: databases round their own types to microseconds."""

    impl = sa.BigInteger
    cache_ok = True

    def __init__(self, kind: type[pd.Timestamp | pd.Timedelta]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> int | None:
        return None if value is None else int(self.kind(value).as_unit("ns").value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        return None if value is None else self.kind(value, unit="ns")


_Moment = _Nanoseconds(pd.Timestamp)  # a candle's time without zone
_Duration = _Nanoseconds(pd.Timedelta)
_Bytes = sa.LargeBinary().with_variant(mysql.LONGBLOB(), *MYSQL)

DAMAGED: Final = object()  # in place of a stored value that cannot be read


def write_json(content: Any) -> str:
    """Return the text of a JSON column."""
    return storable(json.dumps(content, ensure_ascii=False, allow_nan=False))


def read_json(content: str | bytes) -> Any:
    """Return the value of a JSON column, or `DAMAGED`: one damaged row must not hide the others."""
    try:
        return json.loads(content)
    except ValueError:
        return DAMAGED


def tags_text(column: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """Return a column of tags as the text that is stored."""
    return sa.type_coerce(column, _Text())


def has_tag(column: sa.ColumnElement[Any], tag: str) -> sa.ColumnElement[bool]:
    """Return the condition that a column of tags has this tag."""
    return tags_text(column).contains(f"\n{tag}\n", autoescape=True)


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
    sa.Column("id", _Key, primary_key=True),
    sa.Column("created", _UtcDateTime, nullable=False),
    sa.Column("name", _Text, nullable=False),
    sa.Column("source", _Key, nullable=False),
    sa.Column("timezone", _Text),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("first", _Moment, nullable=False),
    sa.Column("last", _Moment, nullable=False),
    sa.Column("interval", _Duration, nullable=False),
    sa.Column("quality", sa.JSON, nullable=False),
    sa.Column("repair", sa.JSON, nullable=False),
    sa.Column("frame", _Bytes, nullable=False),
    sa.Column("about", sa.JSON(none_as_null=True)),
    sa.Column("given_name", _Text),
    sa.Column("tags", _Tags),
)

forecasts = sa.Table(
    "forecasts",
    metadata,
    sa.Column("id", _Key, primary_key=True),
    sa.Column("created", _UtcDateTime, nullable=False),
    sa.Column("candles_id", _Key, nullable=False),
    sa.Column("candles_name", _Key, nullable=False),
    sa.Column("model", _Key, nullable=False),
    sa.Column("cutoff", _Moment, nullable=False),
    sa.Column("horizon", sa.Integer, nullable=False),
    sa.Column("samples", sa.Integer, nullable=False),
    sa.Column("lookback", sa.Integer, nullable=False),
    sa.Column("last_close", sa.Double, nullable=False),
    sa.Column("repairs", sa.Integer, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("provenance", sa.JSON, nullable=False),
    sa.Column("arrays", _Bytes, nullable=False),
    # From `request` and `provenance`, for lists; NULL where these are damaged.
    sa.Column("replay", sa.Boolean),
    sa.Column("driftless", sa.Boolean),
    sa.Column("seed", sa.BigInteger),
)

# What users write about forecasts.
forecast_notes = sa.Table(
    "forecast_notes",
    metadata,
    sa.Column("id", _Key, primary_key=True),
    sa.Column("tags", _Tags),
    sa.Column("note", _Text, nullable=False),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", _Key, primary_key=True),
    sa.Column("kind", _Key, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("status", _Key, nullable=False),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("error", sa.JSON(none_as_null=True)),
    sa.Column("result_id", _Text),
    sa.Column("created", _UtcDateTime, nullable=False),
    sa.Column("started", _UtcDateTime),
    sa.Column("finished", _UtcDateTime),
    sa.Column("attempts", sa.Integer, nullable=False),
)

series = sa.Table(
    "series",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("source", _Key, nullable=False),
    sa.Column("symbol", _Key, nullable=False),
    sa.Column("interval", _Key, nullable=False),
    sa.Column("adjustment", _Key, nullable=False),
    sa.Column("about", sa.JSON, nullable=False),
    sa.Column("timezone", _Text),
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
    sa.Column("created", _UtcDateTime, nullable=False),
    sa.Column("checked", _UtcDateTime, nullable=False),
    sa.Column("used", _UtcDateTime, nullable=False),
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
    sa.Column("name", _Key, primary_key=True),
    sa.Column("entries", sa.JSON, nullable=False),
    sa.Column("created", _UtcDateTime, nullable=False),
)

ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("id", _Key, primary_key=True),
    sa.Column("created", _UtcDateTime, nullable=False),
    sa.Column("follow_id", _Text),
    sa.Column("candles_id", _Key, nullable=False),
    sa.Column("name", _Text, nullable=False),
    sa.Column("source", _Key, nullable=False),
    sa.Column("symbol", _Key),
    sa.Column("interval", _Key),
    sa.Column("adjustment", _Key),
    sa.Column("timezone", _Text),
    sa.Column("step", _Duration, nullable=False),
    sa.Column("model", _Key, nullable=False),
    sa.Column("weights", _Text, nullable=False),
    sa.Column("horizon", sa.Integer, nullable=False),
    sa.Column("samples", sa.Integer, nullable=False),
    sa.Column("cutoff", _Moment, nullable=False),
    sa.Column("first", _Moment, nullable=False),
    sa.Column("last", _Moment, nullable=False),
    sa.Column("last_close", sa.Double, nullable=False),
    sa.Column("ahead", sa.Boolean, nullable=False),
    sa.Column("state", _Key, nullable=False),
    sa.Column("until", _Moment),
    sa.Column("graded", _UtcDateTime),
    sa.Column("matched", sa.Integer, nullable=False),
    sa.Column("grade", sa.JSON(none_as_null=True)),
    # From `grade`, for lists.
    sa.Column("crps_ratio", sa.Double),
    sa.Column("coverage", sa.Double),
)

follows = sa.Table(
    "follows",
    metadata,
    sa.Column("id", _Key, primary_key=True),
    sa.Column("created", _UtcDateTime, nullable=False),
    sa.Column("source", _Key, nullable=False),
    sa.Column("symbol", _Key, nullable=False),
    sa.Column("interval", _Key, nullable=False),
    sa.Column("options", sa.JSON, nullable=False),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("cadence", sa.Integer, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("next_run", _UtcDateTime),
    sa.Column("last_run", _UtcDateTime),
    sa.Column("job_id", _Text),
    sa.Column("candles_id", _Key),
    sa.Column("last_candle", _Moment),
    sa.Column("forecast_id", _Text),
    sa.Column("made", sa.Integer, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("error", sa.JSON(none_as_null=True)),
)

registered_models = sa.Table(
    "registered_models",
    metadata,
    sa.Column("name", _Key, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("run_id", _Text, nullable=False),
    sa.Column("created", _UtcDateTime, nullable=False),
    sa.Column("state", _Key, nullable=False),
    sa.Column("base", _Text),
    sa.Column("method", _Text, nullable=False),
    sa.Column("scores", sa.JSON(none_as_null=True)),
    sa.Column("worse", sa.Boolean),
    sa.Column("parameters", sa.BigInteger, nullable=False),
    sa.Column("context", sa.Integer, nullable=False),
    sa.Column("trained_until", _UtcDateTime),
    sa.Column("digest", _Text, nullable=False),
    sa.Column("note", _Text, nullable=False),
)

# The process that works with the database.
owner = sa.Table(
    "owner",
    metadata,
    sa.Column("process", sa.Integer, nullable=False),
    sa.Column("host", _Text, nullable=False),
    sa.Column("since", _UtcDateTime, nullable=False),
)

# The columns of files as users chose them, by the digest of the header.
column_mappings = sa.Table(
    "column_mappings",
    metadata,
    sa.Column("header", _Key, primary_key=True),
    sa.Column("columns", sa.JSON, nullable=False),
    sa.Column("mapping", sa.JSON, nullable=False),
    sa.Column("created", _UtcDateTime, nullable=False),
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
