"""Whether the service works, and which models it has."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Depends, Request

from kronos_app.api.context import DeskOf, Language, require_token
from kronos_app.api.schemas import Health, Models

router = APIRouter(tags=["status"])


@router.get("/health", summary="Whether the service works; needs no token")
def health(request: Request, desk: DeskOf, language: Language) -> Health:
    """Return status, version, what happened to the store, and whether the bundled model is there."""
    notice = desk.store.notice
    return Health(
        status="ok",
        version=request.app.version,
        store_notice=notice.render(language) if notice else None,
        bundled_model=desk.models.bundled_present(),
    )


@router.get("/models", summary="List the models", dependencies=[Depends(require_token)])
def models(desk: DeskOf, language: Language) -> Models:
    """Return every model with its size, licence and state."""
    listed: list[dict[str, Any]] = [
        asdict(status) | {"description": status.description.render(language)} for status in desk.models.list()
    ]
    return Models.model_validate({"models": listed})
