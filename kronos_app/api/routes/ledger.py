"""The ledger: forecasts with their grades, and the record of models."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import JSONResponse

from kronos_app.api.answers import refused
from kronos_app.api.context import DeskOf, Language, require_token
from kronos_app.api.paging import PageOf
from kronos_app.jsonable import json_ready
from kronos_app.services.ledger.views import entry_json
from kronos_app.store.ledger import EntryState, LedgerFilter

router = APIRouter(prefix="/ledger", tags=["live"], dependencies=[Depends(require_token)])

MOST = 10_000  # newest entries in a summary


def _where(
    model: Annotated[str | None, Query(max_length=200, description="This model only.")] = None,
    symbol: Annotated[str | None, Query(max_length=200, description="This symbol or data set only.")] = None,
    follow_id: Annotated[str | None, Query(max_length=64, description="Forecasts of this follow only.")] = None,
    ahead: Annotated[bool | None, Query(description="true: made before the outcome was known; false: replays.")] = None,
    state: Annotated[list[EntryState] | None, Query(description="These states only.")] = None,
) -> LedgerFilter:
    return LedgerFilter(states=state, model=model, symbol=symbol, follow_id=follow_id, ahead=ahead)


Where = Annotated[LedgerFilter, Depends(_where)]


@router.get("", summary="Forecasts and their grades")
def list_entries(desk: DeskOf, where: Where, page: PageOf) -> JSONResponse:
    """Return the forecasts that match, newest first, each with its grade by the actual candles known so far."""
    entries = desk.ledger.list(where, limit=page.limit, offset=page.offset)
    rows = [entry_json(entry) for entry in entries]
    return JSONResponse(json_ready({"count": desk.ledger.count(where), "entries": rows}))


@router.get("/summary", summary="The record of models")
def summary(desk: DeskOf, language: Language, where: Where) -> JSONResponse:
    """Return coverage, CRPS and skill of all that match, by model and symbol, and over time."""
    entries = desk.ledger.list(where, limit=MOST)
    return JSONResponse(desk.ledger.summary(entries).to_json(language))


@router.get("/{forecast_id}", summary="The grade of one forecast", responses=refused(404))
def get(desk: DeskOf, forecast_id: str) -> dict[str, Any]:
    """Return the entry of a forecast."""
    return dict(json_ready(entry_json(desk.ledger.get(forecast_id))))
