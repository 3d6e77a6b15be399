"""Backtests as pages and API show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from kronos_app.i18n import Text
from kronos_app.services.rendering import localised

if TYPE_CHECKING:
    from kronos_app.jobs import Job
    from kronos_app.services.backtest_folders import KeptBacktest
    from kronos_app.services.backtest_request import BacktestRequest

BacktestState = Literal["queued", "running", "finished", "failed", "cancelled", "interrupted"]


@dataclass(frozen=True)
class BacktestView:
    """A backtest as it stands.

    Attributes
    ----------
    instruments
        How many are traded.
    state
        `interrupted` where its job is gone: resume it.
    progress
        0 to 1, of the days of signals.
    done, total
        Days of signals.
    remaining
        Seconds until all signals are there, None while unknown.
    verdict
        One sentence, None as long as it has not finished.
    report
        `backtest_report.compiled`, None as long as there is none.
    """

    id: str
    created: datetime
    request: BacktestRequest
    origin: str
    instruments: int
    notes: tuple[Text, ...]
    state: BacktestState
    job_id: str | None
    progress: float
    done: int
    total: int
    remaining: float | None
    error: Text | None
    verdict: Text | None
    warnings: tuple[Text, ...]
    report: dict[str, Any] | None

    @property
    def active(self) -> bool:
        """Return whether it waits or is under way."""
        return self.state in {"queued", "running"}


def view(kept: KeptBacktest, job: Job | None) -> BacktestView:
    """Return a backtest with what its job and its report say."""
    report = kept.report()
    error = job.error if job is not None and report is None else None
    found = report or {}
    return BacktestView(
        id=kept.id,
        created=kept.created,
        request=kept.request,
        origin=kept.origin,
        instruments=len(kept.members),
        notes=(*kept.notes, *(Text.from_dict(told) for told in found.get("notes", []))),
        state=_state(report, job),
        job_id=None if job is None else job.id,
        progress=1.0 if report is not None else job.progress if job is not None else 0.0,
        done=0 if job is None else job.done,
        total=0 if job is None else job.total,
        remaining=None if job is None else job.remaining,
        error=None if error is None else Text.from_dict(error["message"]),
        verdict=Text.from_dict(found["verdict"]) if found else None,
        warnings=tuple(Text.from_dict(told) for told in found.get("warnings", [])),
        report=report,
    )


def backtest_json(seen: BacktestView, language: str) -> dict[str, Any]:
    """Return a backtest as the API lists it: without curves."""
    return {
        "id": seen.id,
        "created": seen.created.isoformat(),
        "request": seen.request.model_dump(mode="json"),
        "origin": seen.origin,
        "instruments": seen.instruments,
        "notes": [note.render(language) for note in seen.notes],
        "state": seen.state,
        "job_id": seen.job_id,
        "progress": seen.progress,
        "remaining_seconds": seen.remaining,
        "error": None if seen.error is None else seen.error.render(language),
        "verdict": None if seen.verdict is None else seen.verdict.render(language),
        "warnings": [told.render(language) for told in seen.warnings],
        "percentile": None if seen.report is None else seen.report["percentile"],
        "figures": None if seen.report is None else seen.report["figures"],
    }


def report_json(seen: BacktestView, language: str) -> dict[str, Any] | None:
    """Return the report as the API tells it."""
    return None if seen.report is None else dict(localised(seen.report, language))


def _state(report: Mapping[str, Any] | None, job: Job | None) -> BacktestState:
    if report is not None:
        return "finished"
    if job is None or job.status == "succeeded":
        return "interrupted"
    return job.status
