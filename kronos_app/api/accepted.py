"""The answer to a request that queues a job."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import JSONResponse

from kronos_app.api.schemas import FetchAccepted
from kronos_app.jobs import Job


def accepted(request: Request, job: Job) -> JSONResponse:
    """Return status 202 with the id of a job, and its address as `Location`."""
    body = FetchAccepted(job_id=job.id, status=job.status)
    return JSONResponse(body.model_dump(), 202, {"Location": request.url_for("get_job", job_id=job.id).path})
