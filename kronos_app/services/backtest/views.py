"""Backtests as pages and API show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kronos_app.i18n import Text
from kronos_app.jsonable import localised
from kronos_app.services.backtest.request import BacktestRequest
from kronos_app.services.runs.views import WorkState, WorkView, standing, work_json

if TYPE_CHECKING:
    from kronos_app.jobs import Job
    from kronos_app.services.backtest.folders import KeptBacktest

BacktestState = WorkState


@dataclass(frozen=True)
class BacktestView(WorkView[BacktestRequest]):
    """A backtest as it stands.

    Attributes
    ----------
    instruments
        How many are traded.
    progress, done, total, remaining
        Of the days of signals.
    verdict
        One sentence, None as long as it has not finished.
    report
        `backtest_report.compiled`, None as long as there is none.
    """

    instruments: int
    verdict: Text | None


def view(kept: KeptBacktest, job: Job | None) -> BacktestView:
    """Return a backtest with what its job and its report say."""
    fields = standing(kept, job)
    report = fields["report"]
    return BacktestView(
        **fields,
        instruments=len(kept.members),
        verdict=Text.from_dict(report["verdict"]) if report else None,
    )


def backtest_json(seen: BacktestView, language: str) -> dict[str, Any]:
    """Return a backtest as the API lists it: without curves."""
    return {
        **work_json(seen, language),
        "instruments": seen.instruments,
        "verdict": None if seen.verdict is None else seen.verdict.render(language),
        "percentile": None if seen.report is None else seen.report["percentile"],
        "figures": None if seen.report is None else seen.report["figures"],
    }


def report_json(seen: BacktestView, language: str) -> dict[str, Any] | None:
    """Return the report as the API tells it."""
    return None if seen.report is None else dict(localised(seen.report, language))
