"""A job as the API answers it."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import Field

from kronos_app.services.core.view import ErrorView, View
from kronos_app.store.records import Job, JobStatus


class JobView(View):
    """Background work."""

    job_id: str
    status: JobStatus
    progress: float = Field(description="0 to 1")
    done: int
    total: int
    remaining_seconds: float | None
    forecast_id: str | None = Field(description="The result of a forecast.")
    candles_id: str | None = Field(description="The data set of a fetch or query.")
    candles_ids: list[str] | None = Field(description="The data sets of an upload of many series.")
    error: ErrorView | None
    created: datetime
    started: datetime | None
    finished: datetime | None

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return the view of a job."""
        # A fetch or query to be reviewed on the page has a draft as its result, not a data set.
        saves_one = job.kind in {"fetch", "query"} and not job.request["review"]
        return cls(
            job_id=job.id,
            status=job.status,
            progress=job.progress,
            done=job.done,
            total=job.total,
            remaining_seconds=job.remaining,
            forecast_id=job.result_id if job.kind == "forecast" else None,
            candles_id=job.result_id if saves_one else None,
            candles_ids=job.result_id.split(",") if job.kind == "upload" and job.result_id else None,
            error=None if job.error is None else ErrorView.read(job.error),
            created=job.created,
            started=job.started,
            finished=job.finished,
        )
