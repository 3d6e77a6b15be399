"""Follow series: forecast them whenever a candle has ended."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends

from kronos_app.api.context import DeskOf, Language, require_token
from kronos_app.api.schemas import ErrorBody, FollowOut, FollowPatch, Follows, unreadable_out
from kronos_app.services.live.service import FollowRequest, follow_json

router = APIRouter(prefix="/follows", tags=["live"], dependencies=[Depends(require_token)])
NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": ErrorBody}}


@router.get("", summary="What is followed")
def list_follows(desk: DeskOf, language: Language) -> Follows:
    """Return every follow as it stands, newest first."""
    follows = [follow_json(one, language) for one in desk.following.list()]
    unreadable = unreadable_out(desk.following.unreadable(), language)
    return Follows.model_validate({"follows": follows, "unreadable": unreadable})


@router.post(
    "",
    status_code=201,
    summary="Follow a series",
    responses={status: {"model": ErrorBody} for status in (404, 409, 422)},
)
def add(desk: DeskOf, language: Language, body: FollowRequest) -> FollowOut:
    """Look at a series again and again, and forecast it from each candle that has ended; the first look is now."""
    follow = desk.following.add(body)
    desk.keeper.wake()
    return FollowOut.model_validate(follow_json(desk.following.get(follow.id), language))


@router.get("/{follow_id}", summary="One follow", responses=NOT_FOUND)
def get(desk: DeskOf, language: Language, follow_id: str) -> FollowOut:
    """Return a follow as it stands: the last look and the next, the last forecast, what went wrong."""
    return FollowOut.model_validate(follow_json(desk.following.get(follow_id), language))


@router.patch("/{follow_id}", summary="Switch a follow on or off", responses=NOT_FOUND)
def switch(desk: DeskOf, language: Language, follow_id: str, body: FollowPatch) -> FollowOut:
    """Switched on, it is looked at now; switched off, a look under way is cancelled."""
    status = desk.following.switch(follow_id, body.active)
    desk.keeper.wake()
    return FollowOut.model_validate(follow_json(status, language))


@router.post(
    "/{follow_id}/look",
    status_code=202,
    summary="Look now",
    responses={**NOT_FOUND, 409: {"model": ErrorBody}},
)
def look(desk: DeskOf, language: Language, follow_id: str) -> FollowOut:
    """Have it looked at as soon as no other is."""
    status = desk.following.look(follow_id)
    desk.keeper.wake()
    return FollowOut.model_validate(follow_json(status, language))


@router.delete("/{follow_id}", status_code=204, summary="Follow no more", responses=NOT_FOUND)
def delete(desk: DeskOf, follow_id: str) -> None:
    """Forget a follow; its forecasts and their grades stay."""
    if all(one.id != follow_id for one in desk.following.unreadable()):
        desk.following.get(follow_id)
    desk.following.delete(follow_id)
