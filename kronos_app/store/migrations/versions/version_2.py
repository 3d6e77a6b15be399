"""Series with their candles, watchlists, the ledger and followed series; candle sets say which instrument they hold."""

import sqlalchemy as sa
from alembic import op

from kronos_app.store.migrations.column_types import KEY, NANOSECONDS, TEXT, TIME

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Upgrade the schema to version 2."""
    op.add_column("candle_sets", sa.Column("about", sa.JSON))
    _create_series()
    _create_ledger()


def _create_series() -> None:
    op.create_table(
        "series",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("source", KEY, nullable=False),
        sa.Column("symbol", KEY, nullable=False),
        sa.Column("interval", KEY, nullable=False),
        sa.Column("adjustment", KEY, nullable=False),
        sa.Column("about", sa.JSON, nullable=False),
        sa.Column("timezone", TEXT),
        sa.Column("columns", sa.JSON, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("covered", sa.JSON, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("asked", sa.JSON, nullable=False),
        sa.Column("note", sa.JSON),
        sa.Column("error", sa.JSON),
        sa.Column("created", TIME, nullable=False),
        sa.Column("checked", TIME, nullable=False),
        sa.Column("used", TIME, nullable=False),
    )
    op.create_table(
        "candles",
        sa.Column("series_id", sa.Integer, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("open", sa.Double),
        sa.Column("high", sa.Double),
        sa.Column("low", sa.Double),
        sa.Column("close", sa.Double),
        sa.Column("volume", sa.Double),
        sa.Column("amount", sa.Double),
    )
    if op.get_bind().dialect.name != "duckdb":
        op.create_index("candles_by_time", "candles", ["series_id", "time"], unique=True)
    op.create_table(
        "watchlists",
        sa.Column("name", KEY, primary_key=True),
        sa.Column("entries", sa.JSON, nullable=False),
        sa.Column("created", TIME, nullable=False),
    )


def _create_ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("created", TIME, nullable=False),
        sa.Column("follow_id", TEXT),
        sa.Column("candles_id", KEY, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("source", KEY, nullable=False),
        sa.Column("symbol", KEY),
        sa.Column("interval", KEY),
        sa.Column("adjustment", KEY),
        sa.Column("timezone", TEXT),
        sa.Column("step", NANOSECONDS, nullable=False),
        sa.Column("model", KEY, nullable=False),
        sa.Column("weights", TEXT, nullable=False),
        sa.Column("horizon", sa.Integer, nullable=False),
        sa.Column("samples", sa.Integer, nullable=False),
        sa.Column("cutoff", NANOSECONDS, nullable=False),
        sa.Column("first", NANOSECONDS, nullable=False),
        sa.Column("last", NANOSECONDS, nullable=False),
        sa.Column("last_close", sa.Double, nullable=False),
        sa.Column("ahead", sa.Boolean, nullable=False),
        sa.Column("state", KEY, nullable=False),
        sa.Column("until", NANOSECONDS),
        sa.Column("graded", TIME),
        sa.Column("matched", sa.Integer, nullable=False),
        sa.Column("grade", sa.JSON),
    )
    op.create_table(
        "follows",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("created", TIME, nullable=False),
        sa.Column("source", KEY, nullable=False),
        sa.Column("symbol", KEY, nullable=False),
        sa.Column("interval", KEY, nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("cadence", sa.Integer, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("next_run", TIME),
        sa.Column("last_run", TIME),
        sa.Column("job_id", TEXT),
        sa.Column("candles_id", KEY),
        sa.Column("last_candle", NANOSECONDS),
        sa.Column("forecast_id", TEXT),
        sa.Column("made", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("error", sa.JSON),
    )
