"""Backtests: plan, start and follow them, read figures, days, holdings and trades."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response

from kronos_app.api.answers import REFUSED, answer, answer_csv, refused
from kronos_app.api.context import DeskOf, Language, require_token
from kronos_app.api.routes.runs import add_run_routes
from kronos_app.api.schemas import BehindBody, FetchAccepted
from kronos_app.jsonable import json_ready
from kronos_app.services.backtest.service import MOST_COMPARED, Backtest, BacktestPlan, BacktestRequest, Table

router = APIRouter(prefix="/backtests", tags=["backtests"], dependencies=[Depends(require_token)])


@router.post("", status_code=202, summary="Start a backtest", responses=REFUSED, response_model=Backtest)
def start(desk: DeskOf, language: Language, body: BacktestRequest) -> Response:
    """Queue signals by a model and a rule that trades by them; its job can be followed and cancelled."""
    return answer(desk.backtests.start(body), language, 202)


@router.post("/plan", summary="The size of a backtest", responses=REFUSED, response_model=BacktestPlan)
def plan(desk: DeskOf, language: Language, body: BacktestRequest) -> Response:
    """Return instruments, and forecasts at most."""
    return answer(desk.backtests.plan(body), language)


@router.get("/compare", summary="Backtests side by side", responses=refused(404, 422))
def compare(
    desk: DeskOf,
    language: Language,
    backtest_id: Annotated[list[str], Query(max_length=MOST_COMPARED, description="Several times, an id each.")],
) -> JSONResponse:
    """Return finished backtests, their growth since the first common day, and the settings that differ."""
    return JSONResponse(json_ready(desk.backtests.compare(backtest_id).to_json(language)))


@router.post(
    "/{backtest_id}/behind",
    status_code=202,
    summary="The forecast behind a trade",
    response_model=FetchAccepted,
    responses={
        200: {"description": "It was drawn again before: the forecast itself.", "model": dict[str, Any]},
        **refused(404, 409, 422),
    },
)
def behind(desk: DeskOf, request: Request, backtest_id: str, body: BehindBody) -> Response:
    """Queue the forecast that an instrument was traded by on a day, or return it if it was drawn again before."""
    place = backtest_id, body.instrument, body.day
    forecast = desk.backtests.behind(*place)
    if forecast is not None:
        return JSONResponse(json_ready(forecast.to_json()))
    job = desk.backtests.draw_behind(*place)
    accepted = FetchAccepted(job_id=job.id, status=job.status)
    return JSONResponse(accepted.model_dump(), 202, {"Location": request.url_for("get_job", job_id=job.id).path})


@router.get(
    "/{backtest_id}/tables/{table}",
    summary="A table of a backtest",
    response_class=Response,
    responses=refused(404, 422),
)
def csv(desk: DeskOf, backtest_id: str, table: Table) -> Response:
    """Return days, holdings or trades as CSV."""
    content = desk.backtests.csv(backtest_id, table)
    return answer_csv(content, f"backtest-{desk.backtests.get(backtest_id).id}-{table}.csv")


add_run_routes(router, Backtest, "report", lambda desk: desk.backtests)
