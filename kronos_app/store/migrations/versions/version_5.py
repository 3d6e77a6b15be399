"""Tags and notes of forecasts, and columns by which lists of forecasts are filtered and sorted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

from kronos_app.store.migrations.column_types import KEY, TEXT

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Upgrade the schema to version 5, and fill in the new columns of existing rows."""
    op.create_table(
        "forecast_notes",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("tags", TEXT),
        sa.Column("note", TEXT, nullable=False),
    )
    for column in (
        sa.Column("replay", sa.Boolean),
        sa.Column("driftless", sa.Boolean),
        sa.Column("seed", sa.BigInteger),
    ):
        op.add_column("forecasts", column)
    for name in ("crps_ratio", "coverage"):
        op.add_column("ledger", sa.Column(name, sa.Double))
    _fill(_forecasts, _describe_forecast)
    _fill(_ledger, _describe_grade)


_forecasts = sa.table(
    "forecasts",
    sa.column("id", sa.String),
    sa.column("request", sa.JSON),
    sa.column("provenance", sa.JSON),
    sa.column("replay", sa.Boolean),
    sa.column("driftless", sa.Boolean),
    sa.column("seed", sa.BigInteger),
)
_ledger = sa.table(
    "ledger",
    sa.column("id", sa.String),
    sa.column("grade", sa.JSON),
    sa.column("crps_ratio", sa.Double),
    sa.column("coverage", sa.Double),
)


def _fill(table: sa.TableClause, describe: Callable[..., dict[str, Any]]) -> None:
    """Set the columns that `describe` returns for the JSON columns of a row, in every row."""
    connection = op.get_bind()
    read = [column for column in table.c if isinstance(column.type, sa.JSON)]
    rows = connection.execute(sa.select(table.c.id, *read)).all()
    values = [{"key": key, **describe(*saved)} for key, *saved in rows]
    if values:
        columns: dict[str, Any] = {name: sa.bindparam(name) for name in values[0] if name != "key"}
        connection.execute(table.update().where(table.c.id == sa.bindparam("key")).values(columns), values)


def _describe_forecast(request: Any, provenance: Any) -> dict[str, Any]:
    readable = isinstance(request, dict)
    seed = provenance.get("seed") if isinstance(provenance, dict) else None
    return {
        "replay": bool(request.get("cutoff")) if readable else None,
        "driftless": bool(request.get("driftless")) if readable else None,
        "seed": seed if isinstance(seed, int) else None,
    }


def _describe_grade(grade: Any) -> dict[str, Any]:
    """Return the figures of a grade; none where there is no grade, or one that cannot be read."""
    try:
        model, baseline = (grade["scores"][name] for name in ("model", "ewma"))
        ratio = model["crps"] / baseline["crps"] if baseline["crps"] else math.nan
        return {"crps_ratio": ratio if math.isfinite(ratio) else None, "coverage": model["coverage"]["0.8"]}
    except (TypeError, KeyError):
        return {"crps_ratio": None, "coverage": None}
