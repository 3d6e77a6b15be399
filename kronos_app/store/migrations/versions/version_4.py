"""The process that owns the database, remembered column mappings, and indexes for lists."""

import sqlalchemy as sa
from alembic import op

from kronos_app.store.migrations.column_types import KEY, TEXT, TIME

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Upgrade the schema to version 4."""
    op.create_table(
        "owner",
        sa.Column("process", sa.Integer, nullable=False),
        sa.Column("host", TEXT, nullable=False),
        sa.Column("since", TIME, nullable=False),
    )
    op.create_table(
        "column_mappings",
        sa.Column("header", KEY, primary_key=True),
        sa.Column("columns", sa.JSON, nullable=False),
        sa.Column("mapping", sa.JSON, nullable=False),
        sa.Column("created", TIME, nullable=False),
    )
    if op.get_bind().dialect.name != "duckdb":
        op.create_index("forecasts_by_age", "forecasts", ["created"])
        op.create_index("forecasts_by_cutoff", "forecasts", ["cutoff"])
        op.create_index("candle_sets_by_age", "candle_sets", ["created"])
        op.create_index("jobs_by_age", "jobs", ["created"])
        op.create_index("ledger_by_age", "ledger", ["created"])
        op.create_index("ledger_by_state", "ledger", ["state"])
