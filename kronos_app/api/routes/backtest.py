"""Backtests: start one, follow it, read figures, days, holdings and trades."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response

from kronos_app.api.context import DeskOf, Language, require_token
from kronos_app.api.paging import PageOf
from kronos_app.api.schemas import (
    BacktestOut,
    BacktestPlanOut,
    Backtests,
    BehindBody,
    ErrorBody,
    FetchAccepted,
    unreadable_out,
)
from kronos_app.jsonable import json_ready
from kronos_app.services.backtest.behind import behind_json
from kronos_app.services.backtest.compare import comparison_json
from kronos_app.services.backtest.service import MOST_COMPARED, BacktestRequest, Table
from kronos_app.services.backtest.views import BacktestView, backtest_json, report_json

router = APIRouter(prefix="/backtests", tags=["backtests"], dependencies=[Depends(require_token)])
NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": ErrorBody}}
REFUSED: dict[int | str, dict[str, Any]] = {status: {"model": ErrorBody} for status in (404, 409, 413, 422, 503)}


@router.get("", summary="List the backtests")
def list_backtests(desk: DeskOf, language: Language, page: PageOf) -> Backtests:
    """Return every backtest as it stands, newest first."""
    backtests = desk.backtests.list()
    return Backtests(
        total=len(backtests),
        backtests=[_out(one, language) for one in page.of(backtests)],
        unreadable=unreadable_out(desk.backtests.unreadable(), language),
    )


@router.post("", status_code=202, summary="Start a backtest", responses=REFUSED)
def start(desk: DeskOf, language: Language, body: BacktestRequest) -> BacktestOut:
    """Queue signals by a model and a rule that trades by them; its job can be followed and cancelled."""
    return _out(desk.backtests.start(body), language)


@router.post("/plan", summary="What a backtest would come to", responses=REFUSED)
def plan(desk: DeskOf, language: Language, body: BacktestRequest) -> BacktestPlanOut:
    """Return instruments, and forecasts at most."""
    planned = desk.backtests.plan(body)
    return BacktestPlanOut(
        instruments=planned.instruments,
        forecasts=planned.forecasts,
        notes=[note.render(language) for note in planned.notes],
    )


@router.get("/compare", summary="Backtests side by side", responses={**NOT_FOUND, 422: {"model": ErrorBody}})
def compare(
    desk: DeskOf,
    language: Language,
    backtest_id: Annotated[list[str], Query(max_length=MOST_COMPARED, description="Several times, an id each.")],
) -> JSONResponse:
    """Return finished backtests, their growth since the first day that all have, and the settings that differ."""
    return JSONResponse(json_ready(comparison_json(desk.backtests.compare(backtest_id), language)))


@router.get("/{backtest_id}", summary="One backtest", responses=NOT_FOUND)
def get(desk: DeskOf, language: Language, backtest_id: str) -> BacktestOut:
    """Return a backtest as it stands, with its sentence and figures once it has finished."""
    return _out(desk.backtests.get(backtest_id), language)


@router.get("/{backtest_id}/report", summary="The report of a backtest", responses=NOT_FOUND)
def report(desk: DeskOf, language: Language, backtest_id: str) -> JSONResponse:
    """Return figures, curves, months, drawdowns, luck and comparisons, null as long as there are none."""
    return JSONResponse(json_ready(report_json(desk.backtests.get(backtest_id), language)))


@router.post(
    "/{backtest_id}/behind",
    status_code=202,
    summary="The forecast behind a trade",
    response_model=FetchAccepted,
    responses={
        200: {"description": "It was drawn again before: the forecast itself.", "model": dict[str, Any]},
        **{status: {"model": ErrorBody} for status in (404, 409, 422)},
    },
)
def behind(desk: DeskOf, request: Request, backtest_id: str, body: BehindBody) -> Response:
    """Queue the forecast that an instrument was traded by on a day, or return it where it was drawn again before."""
    asked = backtest_id, body.instrument, body.day
    found = desk.backtests.behind(*asked)
    if found is not None:
        return JSONResponse(json_ready(behind_json(found)))
    job = desk.backtests.draw_behind(*asked)
    accepted = FetchAccepted(job_id=job.id, status=job.status)
    return JSONResponse(accepted.model_dump(), 202, {"Location": request.url_for("get_job", job_id=job.id).path})


@router.get(
    "/{backtest_id}/tables/{table}",
    summary="A table of a backtest",
    response_class=Response,
    responses={status: {"model": ErrorBody} for status in (404, 422)},
)
def csv(desk: DeskOf, backtest_id: str, table: Table) -> Response:
    """Return days, holdings or trades as CSV."""
    content = desk.backtests.csv(backtest_id, table)
    name = f'attachment; filename="backtest-{desk.backtests.get(backtest_id).id}-{table}.csv"'
    return Response(content, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": name})


@router.post("/{backtest_id}/resume", status_code=202, summary="Resume a backtest", responses=REFUSED)
def resume(desk: DeskOf, language: Language, backtest_id: str) -> BacktestOut:
    """Go on with one that was cancelled, failed or was interrupted; no signal is made twice."""
    return _out(desk.backtests.resume(backtest_id), language)


@router.delete("/{backtest_id}", status_code=204, summary="Delete a backtest", responses=NOT_FOUND)
def delete(desk: DeskOf, backtest_id: str) -> None:
    """End it and delete it with all it has."""
    desk.backtests.delete(backtest_id)


def _out(seen: BacktestView, language: str) -> BacktestOut:
    return BacktestOut.model_validate(json_ready(backtest_json(seen, language)))
