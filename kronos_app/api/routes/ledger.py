"""What forecasts were worth."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import JSONResponse

from kronos_app.api.context import DeskOf, Language, require_token
from kronos_app.api.paging import PageOf
from kronos_app.api.schemas import ErrorBody
from kronos_app.jsonable import json_ready
from kronos_app.services.ledger.service import entry_json, summary_json
from kronos_app.store.ledger import EntryState, LedgerFilter

router = APIRouter(prefix="/ledger", tags=["live"], dependencies=[Depends(require_token)])

MOST = 10_000  # entries that a summary is made of, the newest


def _wanted(
    model: Annotated[str | None, Query(max_length=200, description="Of this model only.")] = None,
    symbol: Annotated[str | None, Query(max_length=200, description="Of this symbol or data set only.")] = None,
    follow_id: Annotated[str | None, Query(max_length=64, description="Made by this follow only.")] = None,
    ahead: Annotated[
        bool | None, Query(description="true: made before the outcome could be known; false: replays.")
    ] = None,
    state: Annotated[list[EntryState] | None, Query(description="In one of these states only.")] = None,
) -> LedgerFilter:
    return LedgerFilter(states=state, model=model, symbol=symbol, follow_id=follow_id, ahead=ahead)


Wanted = Annotated[LedgerFilter, Depends(_wanted)]


@router.get("", summary="Forecasts and their grades")
def list_entries(desk: DeskOf, wanted: Wanted, page: PageOf) -> JSONResponse:
    """Return the forecasts that fit, newest first, each with what it was worth as far as its candles have come."""
    entries = desk.ledger.list(wanted, limit=page.limit, offset=page.offset)
    shown = [entry_json(entry) for entry in entries]
    return JSONResponse(json_ready({"count": desk.ledger.count(wanted), "entries": shown}))


@router.get("/summary", summary="The record of models")
def summary(desk: DeskOf, language: Language, wanted: Wanted) -> JSONResponse:
    """Return coverage, CRPS and skill of all that fit, of each model and symbol, and as they stood over time."""
    entries = desk.ledger.list(wanted, limit=MOST)
    return JSONResponse(json_ready(summary_json(desk.ledger.summary(entries), language)))


@router.get("/{forecast_id}", summary="The grade of one forecast", responses={404: {"model": ErrorBody}})
def get(desk: DeskOf, forecast_id: str) -> dict[str, Any]:
    """Return what a forecast was worth."""
    return dict(json_ready(entry_json(desk.ledger.get(forecast_id))))
