"""Answers in the caller's language, and the errors that routes document."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from kronos_app.api.schemas import ErrorBody, FetchAccepted
from kronos_app.services.core.view import View

Documented = dict[int | str, dict[str, Any]]


def refused(*statuses: int) -> Documented:
    """Return the documentation of answers that refuse a call with these statuses."""
    return {status: {"model": ErrorBody} for status in statuses}


REFUSED = refused(404, 409, 413, 422, 503)  # a run that is planned or started
QUEUED: dict[str, Any] = {  # a route that queues a job
    "status_code": 202,
    "response_model": FetchAccepted,
    "responses": refused(404, 409, 422),
}


def answer(view: View, language: str, status: int = 200) -> Response:
    """Return a view as JSON, messages in `language`."""
    return JSONResponse(view.to_json(language), status)


def answer_csv(content: str, filename: str) -> Response:
    """Return a CSV file to be downloaded."""
    headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)
