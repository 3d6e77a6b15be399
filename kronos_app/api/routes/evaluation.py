"""Evaluation: start it, follow it, read its scores and verdicts."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends
from starlette.responses import JSONResponse, Response

from kronos_app.api.context import DeskOf, Language, require_token
from kronos_app.api.paging import PageOf
from kronos_app.api.schemas import ErrorBody, EvaluationOut, EvaluationPlanOut, Evaluations, unreadable_out
from kronos_app.jsonable import json_ready
from kronos_app.services.evaluation.service import EvaluationRequest
from kronos_app.services.evaluation.views import EvaluationView, evaluation_json, report_json

router = APIRouter(prefix="/evaluations", tags=["evaluations"], dependencies=[Depends(require_token)])
NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": ErrorBody}}
REFUSED: dict[int | str, dict[str, Any]] = {status: {"model": ErrorBody} for status in (404, 409, 413, 422, 503)}


@router.get("", summary="List the evaluations")
def list_evaluations(desk: DeskOf, language: Language, page: PageOf) -> Evaluations:
    """Return every evaluation as it stands, newest first."""
    evaluations = desk.evaluations.list()
    return Evaluations(
        total=len(evaluations),
        evaluations=[_out(one, language) for one in page.of(evaluations)],
        unreadable=unreadable_out(desk.evaluations.unreadable(), language),
    )


@router.post("", status_code=202, summary="Start an evaluation", responses=REFUSED)
def start(desk: DeskOf, language: Language, body: EvaluationRequest) -> EvaluationOut:
    """Queue forecasts at many cutoffs by models and baselines; its job can be followed and cancelled."""
    return _out(desk.evaluations.start(body), language)


@router.post("/plan", summary="What an evaluation would come to", responses=REFUSED)
def plan(desk: DeskOf, language: Language, body: EvaluationRequest) -> EvaluationPlanOut:
    """Return cutoffs, forecasts and, where earlier evaluations tell, about how long it would take."""
    planned = desk.evaluations.plan(body)
    return EvaluationPlanOut(
        series=planned.series,
        cutoffs=planned.cutoffs,
        forecasts=planned.forecasts,
        seconds=planned.seconds,
        notes=[note.render(language) for note in planned.notes],
    )


@router.get("/{evaluation_id}", summary="One evaluation", responses=NOT_FOUND)
def get(desk: DeskOf, language: Language, evaluation_id: str) -> EvaluationOut:
    """Return an evaluation as it stands, with its verdicts once it has finished."""
    return _out(desk.evaluations.get(evaluation_id), language)


@router.get("/{evaluation_id}/scores", summary="The scores of an evaluation", responses=NOT_FOUND)
def scores(desk: DeskOf, language: Language, evaluation_id: str) -> JSONResponse:
    """Return figures with intervals, skill and tests by forecaster, null as long as there are none."""
    return JSONResponse(json_ready(report_json(desk.evaluations.get(evaluation_id), language)))


@router.get(
    "/{evaluation_id}/cutoffs", summary="The scores of every cutoff", response_class=Response, responses=NOT_FOUND
)
def cutoffs(desk: DeskOf, evaluation_id: str) -> Response:
    """Return the scores of every forecaster at every cutoff as CSV, empty as long as there are none."""
    name = f'attachment; filename="evaluation-{desk.evaluations.get(evaluation_id).id}.csv"'
    content = desk.evaluations.csv(evaluation_id)
    return Response(content, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": name})


@router.post("/{evaluation_id}/resume", status_code=202, summary="Resume an evaluation", responses=REFUSED)
def resume(desk: DeskOf, language: Language, evaluation_id: str) -> EvaluationOut:
    """Go on with one that was cancelled, failed or was interrupted; nothing is forecast twice."""
    return _out(desk.evaluations.resume(evaluation_id), language)


@router.delete("/{evaluation_id}", status_code=204, summary="Delete an evaluation", responses=NOT_FOUND)
def delete(desk: DeskOf, evaluation_id: str) -> None:
    """End it and delete it with all it has."""
    desk.evaluations.delete(evaluation_id)


def _out(seen: EvaluationView, language: str) -> EvaluationOut:
    return EvaluationOut.model_validate(json_ready(evaluation_json(seen, language)))
