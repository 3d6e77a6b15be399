"""Whether the service works, and which models it has."""

from __future__ import annotations

from typing import Any

import anyio
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import JSONResponse

from kronos_app.api.context import DeskOf, Language, require_token
from kronos_app.api.guard import AUTHORIZED
from kronos_app.api.schemas import Health, Models
from kronos_app.errors import Unavailable
from kronos_app.i18n import Text
from kronos_app.services.desk import Desk

router = APIRouter(tags=["status"])

# A store that hangs is down, too; the calls that wait for it must not take the threads of others.
SECONDS_TO_ANSWER = 5.0
MAX_WAITING = 2


@router.get(
    "/health",
    summary="Whether the service works; needs no token",
    response_model_exclude_unset=True,
    responses={503: {"description": "A part is down.", "model": Health}},
)
async def health(request: Request, response: Response, desk: DeskOf, language: Language) -> Health:
    """Return which parts are up; with the token also the store's notice and whether the bundled model is there."""
    store = workers = False
    notice: Text | None = None
    with anyio.move_on_after(SECONDS_TO_ANSWER):
        store, workers, notice = await to_thread.run_sync(
            _look, desk, abandon_on_cancel=True, limiter=_limiter(request.app.state)
        )
    response.status_code = 200 if store and workers else 503
    parts = Health(
        status="ok" if store and workers else "failing",
        version=request.app.version,
        store="up" if store else "down",
        workers="up" if workers else "down",
    )
    if not request.scope[AUTHORIZED]:
        return parts
    details = {"store_notice": notice and notice.render(language), "bundled_model": desk.models.bundled_present()}
    return Health(**parts.model_dump(exclude_unset=True), **details)


def _look(desk: Desk) -> tuple[bool, bool, Text | None]:
    """Return whether the store answers, whether the workers live, and what happened to the store."""
    workers = desk.jobs.working()
    try:
        desk.store.jobs.list(active_only=True)
        return True, workers, desk.store.notice or desk.unwritable()
    except Unavailable:
        return False, workers, desk.store.notice


def _limiter(state: Any) -> CapacityLimiter:
    """Return the limit of threads that ask the store for its health; it belongs to the event loop, as the app does."""
    if not hasattr(state, "health_limiter"):
        state.health_limiter = CapacityLimiter(MAX_WAITING)
    limiter: CapacityLimiter = state.health_limiter
    return limiter


@router.get("/models", summary="List the models", response_model=Models, dependencies=[Depends(require_token)])
def models(desk: DeskOf, language: Language) -> JSONResponse:
    """Return every model with its size, licence and state."""
    return JSONResponse(Models(models=desk.models.list()).to_json(language))
