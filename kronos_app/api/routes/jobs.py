"""Follow or cancel background work."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import JSONResponse

from kronos_app.api.answers import refused
from kronos_app.api.context import DeskOf, Language, require_token
from kronos_app.api.paging import PageOf
from kronos_app.api.schemas import Jobs
from kronos_app.services.core.job_view import JobView

router = APIRouter(prefix="/jobs", tags=["jobs"], dependencies=[Depends(require_token)], responses=refused(404))


@router.get("", summary="List the jobs", response_model=Jobs)
def list_jobs(
    desk: DeskOf,
    language: Language,
    page: PageOf,
    active: Annotated[bool, Query(description="Only those that are queued or running.")] = False,
    kind: Annotated[str | None, Query(max_length=50, description="Of this kind only.")] = None,
) -> JSONResponse:
    """Return the jobs, newest first, and their number; finished ones are kept for a week."""
    jobs, total = desk.jobs.page(active_only=active, kind=kind, limit=page.limit, offset=page.offset)
    return JSONResponse(Jobs(total=total, jobs=[JobView.of(job) for job in jobs]).to_json(language))


@router.get("/{job_id}", summary="Follow a job", name="get_job", response_model=JobView)
def get(desk: DeskOf, language: Language, job_id: str) -> JSONResponse:
    """Return status and progress; `forecast_id` or `candles_id` once it succeeded, `error` if it failed."""
    return JSONResponse(JobView.of(desk.jobs.get(job_id)).to_json(language))


@router.delete("/{job_id}", summary="Cancel a job", response_model=JobView)
def cancel(desk: DeskOf, language: Language, job_id: str) -> JSONResponse:
    """Cancel a queued job at once and a running one at its next step; a finished one stays as it is."""
    return JSONResponse(JobView.of(desk.jobs.cancel(job_id)).to_json(language))
