"""What an evaluation comes to, put together once: JSON-ready, for pages and API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kronos_app.data.export import safe_csv
from kronos_app.jsonable import json_ready

if TYPE_CHECKING:
    from training.evaluation.cutoffs import Cutoff
    from training.evaluation.report import Report

WORST = 10  # cutoffs that are listed
PERIODS = 20  # points of coverage over time
LEVELS = ("50", "80", "90", "95")
CSV_COLUMNS = (
    "crps",
    "crps_centred",
    "wis",
    "pinball",
    "energy",
    *(f"coverage_{level}" for level in LEVELS),
    *(f"width_{level}" for level in LEVELS),
    "mae",
    "mape",
    "mase",
    "direction",
    "brier",
    "volatility",
    "realised",
    "last_mean",
    "last_actual",
)


def compiled(
    report: Report, places: Sequence[Cutoff], warnings: Sequence[Mapping[str, Any]], pace: Mapping[str, float]
) -> dict[str, Any]:
    """Return all that is shown of an evaluation.

    Parameters
    ----------
    warnings
        `Message.to_dict` of what a reader should know first.
    pace
        Seconds that a forecast took, by forecaster: a model's by path and candle, a baseline's by cutoff.
    """
    steps = report.by_step()
    shown = [*report.models, report.best_baseline]
    found = {
        **report.to_dict(),
        "models": report.models,
        "series": len({(place.group, place.symbol) for place in places}),
        "times": len({place.time for place in places}),
        "first": _iso(min(place.time for place in places)),
        "last": _iso(max(place.time for place in places)),
        "warnings": list(warnings),
        "steps": {name: steps.loc[name]["crps"].tolist() for name in report.names},
        "calibration": {name: report.calibration(name) for name in shown},
        "coverage_over_time": {name: _over_time(report.of(name)) for name in report.models},
        "markets": _markets(report),
        "worst": {name: _worst(report.worst(name, WORST)) for name in report.models},
        "recalibration": {name: _recalibration(report, name) for name in report.models},
        "pace": dict(pace),
        "files": {name: [path.name for path in report.results.files[name]] for name in report.models},
    }
    return dict(json_ready(found))


def scores_csv(report: Report) -> str:
    """Return the scores of every forecaster at every cutoff, a row each; texts are inert in a spreadsheet."""
    table = report.table[list(CSV_COLUMNS)].reset_index()
    times = {name: pd.to_datetime(table[name]) for name in ("time", "known_at")}
    return safe_csv(table.assign(**times))


def _over_time(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the coverage of successive parts, each of as many cutoff times, and until when it reaches."""
    times = np.sort(table.index.get_level_values("time").unique().to_numpy())
    columns = [f"coverage_{level}" for level in LEVELS]
    rows: list[dict[str, Any]] = []
    for part in np.array_split(times, min(PERIODS, len(times))):
        here = table[np.isin(table.index.get_level_values("time"), part)]
        rows.append(
            {
                "until": _iso(part[-1]),
                "cutoffs": len(here),
                **dict(zip(columns, here[columns].mean().tolist(), strict=True)),
            }
        )
    return rows


def _markets(report: Report) -> list[dict[str, Any]]:
    """Return CRPS, coverage and skill of the models by market, none where there is one market."""
    table = report.by_group()
    if table.index.get_level_values("part").nunique() < 2:
        return []
    of_models = table[table.index.get_level_values("forecaster").isin(report.models)].reset_index()
    rows = of_models.to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def _worst(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "group": row["group"],
            "symbol": row["symbol"],
            "time": int(row["time"]),
            "crps": float(row["one"]),
            "baseline": float(row["other"]),
        }
        for row in table.reset_index().to_dict("records")
    ]


def _recalibration(report: Report, name: str) -> list[dict[str, Any]]:
    """Return coverage, width and score before and after each method; nothing where too little was known."""
    from training.evaluation.calibration import METHODS, before_and_after

    table = before_and_after(pd.concat(report.results.parts(name)), *METHODS).reset_index()
    rows = [{str(key): value for key, value in row.items() if key != "forecaster"} for row in table.to_dict("records")]
    return [row for row in rows if np.isfinite(row["wis"])]


def _iso(time: int) -> str:
    return pd.Timestamp(int(time)).isoformat()
