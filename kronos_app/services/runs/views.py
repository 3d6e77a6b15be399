"""What pages and API show of every kind of work that is a folder and a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Literal

from kronos_app.i18n import Text
from kronos_app.services.runs.folders import Request, Work

if TYPE_CHECKING:
    from kronos_app.jobs import Job

WorkState = Literal["queued", "running", "finished", "failed", "cancelled", "interrupted"]


@dataclass(frozen=True)
class WorkView(Generic[Request]):
    """A piece of work as it stands.

    Attributes
    ----------
    state
        `interrupted` where its job is gone: resume it.
    progress
        0 to 1.
    remaining
        Seconds, None while unknown.
    warnings
        Why the result may look better than it is.
    report
        What came of it, None as long as there is none.
    """

    id: str
    created: datetime
    request: Request
    origin: str
    notes: tuple[Text, ...]
    state: WorkState
    job_id: str | None
    progress: float
    done: int
    total: int
    remaining: float | None
    error: Text | None
    warnings: tuple[Text, ...]
    report: dict[str, Any] | None

    @property
    def active(self) -> bool:
        """Return whether it waits or is under way."""
        return self.state in {"queued", "running"}


def standing(work: Work[Any], job: Job | None) -> dict[str, Any]:
    """Return the fields of `WorkView`: a folder with what its job and its report say."""
    report = work.report()
    found = report or {}
    return {
        "id": work.id,
        "created": work.created,
        "request": work.request,
        "origin": work.origin,
        "notes": (*work.notes, *(Text.from_dict(told) for told in found.get("notes", []))),
        "state": _state(report, job),
        "job_id": None if job is None else job.id,
        "progress": 1.0 if report is not None else job.progress if job is not None else 0.0,
        "done": 0 if job is None else job.done,
        "total": 0 if job is None else job.total,
        "remaining": None if job is None else job.remaining,
        "error": _error(work, job) if report is None else None,
        "warnings": tuple(Text.from_dict(told) for told in found.get("warnings", [])),
        "report": report,
    }


def work_json(seen: WorkView[Any], language: str) -> dict[str, Any]:
    """Return what the API tells of every kind of work."""
    return {
        "id": seen.id,
        "created": seen.created.isoformat(),
        "request": seen.request.model_dump(mode="json"),
        "origin": seen.origin,
        "notes": [note.render(language) for note in seen.notes],
        "state": seen.state,
        "job_id": seen.job_id,
        "progress": seen.progress,
        "remaining_seconds": seen.remaining,
        "error": None if seen.error is None else seen.error.render(language),
        "warnings": [told.render(language) for told in seen.warnings],
    }


def _error(work: Work[Any], job: Job | None) -> Text | None:
    if job is not None and job.error is not None:
        return Text.from_dict(job.error["message"])
    return work.report_problem()


def _state(report: Mapping[str, Any] | None, job: Job | None) -> WorkState:
    if report is not None:
        return "finished"
    if job is None or job.status == "succeeded":
        return "interrupted"
    return job.status
