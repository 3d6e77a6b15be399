"""Candle sets, forecasts and jobs."""

import sqlalchemy as sa
from alembic import op

from kronos_app.store.migrations.column_types import BYTES, KEY, NANOSECONDS, TEXT, TIME

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Upgrade the schema to version 1."""
    op.create_table(
        "candle_sets",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("created", TIME, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("source", KEY, nullable=False),
        sa.Column("timezone", TEXT),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("first", NANOSECONDS, nullable=False),
        sa.Column("last", NANOSECONDS, nullable=False),
        sa.Column("interval", NANOSECONDS, nullable=False),
        sa.Column("quality", sa.JSON, nullable=False),
        sa.Column("repair", sa.JSON, nullable=False),
        sa.Column("frame", BYTES, nullable=False),
    )
    op.create_table(
        "forecasts",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("created", TIME, nullable=False),
        sa.Column("candles_id", KEY, nullable=False),
        sa.Column("candles_name", KEY, nullable=False),
        sa.Column("model", KEY, nullable=False),
        sa.Column("cutoff", NANOSECONDS, nullable=False),
        sa.Column("horizon", sa.Integer, nullable=False),
        sa.Column("samples", sa.Integer, nullable=False),
        sa.Column("lookback", sa.Integer, nullable=False),
        sa.Column("last_close", sa.Double, nullable=False),
        sa.Column("repairs", sa.Integer, nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("provenance", sa.JSON, nullable=False),
        sa.Column("arrays", BYTES, nullable=False),
    )
    op.create_table(
        "jobs",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("status", KEY, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("error", sa.JSON),
        sa.Column("result_id", TEXT),
        sa.Column("created", TIME, nullable=False),
        sa.Column("started", TIME),
        sa.Column("finished", TIME),
        sa.Column("attempts", sa.Integer, nullable=False),
    )
