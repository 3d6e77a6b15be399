"""Names and tags that users give to candle sets."""

import sqlalchemy as sa
from alembic import op

from kronos_app.store.migrations.column_types import TEXT

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Upgrade the schema to version 6."""
    for name in ("given_name", "tags"):
        op.add_column("candle_sets", sa.Column(name, TEXT))
