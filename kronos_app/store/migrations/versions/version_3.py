"""Registered models."""

import sqlalchemy as sa
from alembic import op

from kronos_app.store.migrations.column_types import KEY, TEXT, TIME

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Upgrade the schema to version 3."""
    op.create_table(
        "registered_models",
        sa.Column("name", KEY, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.Column("state", KEY, nullable=False),
        sa.Column("base", TEXT),
        sa.Column("method", TEXT, nullable=False),
        sa.Column("scores", sa.JSON),
        sa.Column("worse", sa.Boolean),
        sa.Column("parameters", sa.BigInteger, nullable=False),
        sa.Column("context", sa.Integer, nullable=False),
        sa.Column("trained_until", TIME),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("note", TEXT, nullable=False),
    )
