"""Follow or cancel background work."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from kronos_app.api.context import DeskOf, Language, require_token
from kronos_app.api.paging import PageOf
from kronos_app.api.schemas import ErrorBody, JobOut, Jobs
from kronos_app.services.core.job_view import job_json

router = APIRouter(
    prefix="/jobs", tags=["jobs"], dependencies=[Depends(require_token)], responses={404: {"model": ErrorBody}}
)


@router.get("", summary="List the jobs")
def list_jobs(
    desk: DeskOf,
    language: Language,
    page: PageOf,
    active: Annotated[bool, Query(description="Only those that are queued or running.")] = False,
    kind: Annotated[str | None, Query(max_length=50, description="Of this kind only.")] = None,
) -> Jobs:
    """Return the jobs, newest first, and how many there are in all; finished ones are kept for a week."""
    jobs, total = desk.jobs.page(active_only=active, kind=kind, limit=page.limit, offset=page.offset)
    return Jobs(total=total, jobs=[JobOut.model_validate(job_json(job, language)) for job in jobs])


@router.get("/{job_id}", summary="Follow a job", name="get_job")
def get(desk: DeskOf, language: Language, job_id: str) -> JobOut:
    """Return status and progress; `forecast_id` or `candles_id` once it succeeded, `error` if it failed."""
    return JobOut.model_validate(job_json(desk.jobs.get(job_id), language))


@router.delete("/{job_id}", summary="Cancel a job")
def cancel(desk: DeskOf, language: Language, job_id: str) -> JobOut:
    """Cancel a queued job at once and a running one at its next step; a finished one stays as it is."""
    return JobOut.model_validate(job_json(desk.jobs.cancel(job_id), language))
