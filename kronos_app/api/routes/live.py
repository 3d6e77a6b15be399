"""Followed series: forecast whenever a candle is completed."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.responses import JSONResponse

from kronos_app.api.answers import refused
from kronos_app.api.context import DeskOf, Language, require_token
from kronos_app.api.schemas import FollowPatch, Follows, unreadable_out
from kronos_app.services.live.views import FollowRequest, FollowView

router = APIRouter(prefix="/follows", tags=["live"], dependencies=[Depends(require_token)])


@router.get("", summary="List the followed series", response_model=Follows)
def list_follows(desk: DeskOf, language: Language) -> JSONResponse:
    """Return every followed series, newest first."""
    unreadable = unreadable_out(desk.following.unreadable(), language)
    return JSONResponse(Follows(follows=desk.following.list(), unreadable=unreadable).to_json(language))


@router.post(
    "",
    status_code=201,
    summary="Follow a series",
    response_model=FollowView,
    responses=refused(404, 409, 422),
)
def add(desk: DeskOf, language: Language, body: FollowRequest) -> JSONResponse:
    """Check a series regularly and forecast from each completed candle; the first check is now."""
    view = desk.following.add(body)
    desk.keeper.wake()
    return JSONResponse(view.to_json(language), 201)


@router.get("/{follow_id}", summary="One followed series", response_model=FollowView, responses=refused(404))
def get(desk: DeskOf, language: Language, follow_id: str) -> JSONResponse:
    """Return a followed series: the last and the next check, the last forecast, the last error."""
    return JSONResponse(desk.following.get(follow_id).to_json(language))


@router.patch("/{follow_id}", summary="Pause or resume", response_model=FollowView, responses=refused(404))
def switch(desk: DeskOf, language: Language, follow_id: str, body: FollowPatch) -> JSONResponse:
    """Resume, which checks the series now, or pause, which cancels a check in progress."""
    view = desk.following.switch(follow_id, body.active)
    desk.keeper.wake()
    return JSONResponse(view.to_json(language))


@router.post(
    "/{follow_id}/look",
    status_code=202,
    summary="Check now",
    response_model=FollowView,
    responses=refused(404, 409),
)
def check_now(desk: DeskOf, language: Language, follow_id: str) -> JSONResponse:
    """Check the series as soon as no other check is running."""
    view = desk.following.check_now(follow_id)
    desk.keeper.wake()
    return JSONResponse(view.to_json(language), 202)


@router.delete("/{follow_id}", status_code=204, summary="Delete a followed series", responses=refused(404))
def delete(desk: DeskOf, follow_id: str) -> None:
    """Delete a followed series; its forecasts and their grades stay."""
    if all(one.id != follow_id for one in desk.following.unreadable()):
        desk.following.get(follow_id)
    desk.following.delete(follow_id)
