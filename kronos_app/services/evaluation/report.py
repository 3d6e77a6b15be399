"""The report of an evaluation, JSON-ready, for pages and API."""

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
    *("crps", "crps_centred", "wis", "pinball", "energy"),
    *(f"{name}_{level}" for name in ("coverage", "width") for level in LEVELS),
    *("mae", "mape", "mase", "direction", "brier", "volatility", "realised", "last_mean", "last_actual"),
)


def compile_report(
    report: Report, cutoffs: Sequence[Cutoff], warnings: Sequence[Mapping[str, Any]], seconds: Mapping[str, float]
) -> dict[str, Any]:
    """Return the report.

    Parameters
    ----------
    warnings
        `Text.to_dict` of why scores may look better than they are.
    seconds
        Seconds of a forecast by forecaster: of a model by path and candle, of a baseline by cutoff.
    """
    steps = report.by_step()
    fields = {
        **report.to_dict(),
        "models": report.models,
        "series": len({(cutoff.group, cutoff.symbol) for cutoff in cutoffs}),
        "times": len({cutoff.time for cutoff in cutoffs}),
        "first": _iso(min(cutoff.time for cutoff in cutoffs)),
        "last": _iso(max(cutoff.time for cutoff in cutoffs)),
        "warnings": list(warnings),
        "steps": {name: steps.loc[name]["crps"].tolist() for name in report.names},
        "calibration": {name: report.calibration(name) for name in (*report.models, report.best_baseline)},
        "coverage_over_time": {name: _coverage_by_market(report.of(name)) for name in report.models},
        "markets": _markets(report),
        "worst": {name: _worst(report.worst(name, WORST)) for name in report.models},
        "recalibration": {name: _recalibration(report, name) for name in report.models},
        "pace": dict(seconds),
        "files": {name: [path.name for path in report.results.files[name]] for name in report.models},
    }
    return dict(json_ready(fields))


def scores_csv(report: Report) -> str:
    """Return the scores of every forecaster at every cutoff, a row each; texts are inert in a spreadsheet."""
    table = report.table[list(CSV_COLUMNS)].reset_index()
    return safe_csv(table.assign(**{name: pd.to_datetime(table[name]) for name in ("time", "known_at")}))


def _coverage_by_market(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the coverage of successive periods of each market."""
    return [
        {"market": str(market), **row}
        for market, part in table.groupby(level="group", sort=True)
        for row in _coverage_over_time(part)
    ]


def _coverage_over_time(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the coverage of successive periods with an equal number of cutoff times."""
    times = table.index.get_level_values("time")
    ordered = np.sort(times.unique().to_numpy())
    columns = [f"coverage_{level}" for level in LEVELS]
    rows: list[dict[str, Any]] = []
    for period in np.array_split(ordered, min(PERIODS, len(ordered))):
        scores = table.loc[np.isin(times, period), columns]
        rows.append(
            {
                "until": _iso(period[-1]),
                "cutoffs": len(scores),
                **dict(zip(columns, scores.mean().tolist(), strict=True)),
            }
        )
    return rows


def _markets(report: Report) -> list[dict[str, Any]]:
    """Return CRPS, coverage and skill of the models by market, empty for a single market."""
    table = report.by_group().reset_index()
    return _rows(table[table["forecaster"].isin(report.models)]) if table["part"].nunique() > 1 else []


def _worst(table: pd.DataFrame) -> list[dict[str, Any]]:
    columns = {"group": "group", "symbol": "symbol", "time": "time", "scores": "crps", "reference": "baseline"}
    return _rows(table.reset_index()[list(columns)].rename(columns=columns))


def _recalibration(report: Report, name: str) -> list[dict[str, Any]]:
    """Return coverage, width and score before and after each method; empty where too few outcomes were known."""
    from training.evaluation.calibration import METHODS, before_and_after

    table = before_and_after(pd.concat(report.results.parts(name)), *METHODS).reset_index()
    return _rows(table[np.isfinite(table["wis"])].drop(columns="forecaster"))


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _iso(time: int) -> str:
    return pd.Timestamp(int(time)).isoformat()
