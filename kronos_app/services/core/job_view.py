"""Jobs as JSON."""

from __future__ import annotations

from typing import Any

from kronos_app.jsonable import localised
from kronos_app.store.records import Job


def job_json(job: Job, language: str = "en") -> dict[str, Any]:
    """Return a job as the API tells it."""
    return {
        "job_id": job.id,
        "status": job.status,
        "progress": job.progress,
        "done": job.done,
        "total": job.total,
        "remaining_seconds": job.remaining,
        "forecast_id": job.result_id if job.kind == "forecast" else None,
        # What the page fetched to be looked at first may not be a candle set.
        "candles_id": job.result_id if job.kind in {"fetch", "query"} and not job.request["review"] else None,
        "candles_ids": job.result_id.split(",") if job.kind == "upload" and job.result_id else None,
        "error": localised(job.error, language),
        "created": job.created.isoformat(),
        "started": job.started.isoformat() if job.started else None,
        "finished": job.finished.isoformat() if job.finished else None,
    }
