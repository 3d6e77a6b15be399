"""The ledger for page and API: a summary of many forecasts, and one entry as JSON."""

from __future__ import annotations

from typing import Annotated, Any

import pandas as pd
from pydantic import PlainSerializer

from kronos_app.services.core.view import View
from kronos_app.services.ledger.comparison import COVERAGE_LEVELS
from kronos_app.services.ledger.record import Record
from kronos_app.store.ledger import LedgerEntry


def _list_points(running: pd.DataFrame | None) -> list[dict[str, Any]]:
    rows = [] if running is None else running.to_dict("records")
    figures = ("share", "low", "high")
    return [
        {
            "end": row["end"].isoformat(),
            "apart": row["apart"],
            "ratio": row["ratio"],
            "coverage": {
                f"{level:g}": {name: row[f"{name}_{level:g}"] for name in figures} for level in COVERAGE_LEVELS
            },
        }
        for row in rows
    ]


class Summary(View):
    """The record of a list of forecasts, by model and symbol, and over time.

    Attributes
    ----------
    waiting
        The number without a complete grade whose actual candles a source can still deliver.
    static
        The number without a complete grade whose series no source continues, such as an uploaded file.
    total
        None while nothing is graded, as is `running`; see `record.running_figures`.
    """

    waiting: int
    static: int = 0
    total: Record | None = None
    groups: tuple[Record, ...] = ()
    running: Annotated[pd.DataFrame | None, PlainSerializer(_list_points)] = None


def entry_json(entry: LedgerEntry) -> dict[str, Any]:
    """Return an entry as the API shows it; numbers that are not finite are to be made null by the caller."""
    moments = {name: getattr(entry, name) for name in ("created", "graded", "cutoff", "first", "last", "until")}
    fields = vars(entry) | {name: moment and moment.isoformat() for name, moment in moments.items()}
    fields["forecast_id"], fields["step_seconds"] = fields.pop("id"), fields.pop("step").total_seconds()
    return fields
