"""Evaluations: plan, start and follow them, read scores and verdicts."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.responses import Response

from kronos_app.api.answers import REFUSED, answer, answer_csv, refused
from kronos_app.api.context import DeskOf, Language, require_token
from kronos_app.api.routes.runs import add_run_routes
from kronos_app.services.evaluation.service import Evaluation, EvaluationPlan, EvaluationRequest

router = APIRouter(prefix="/evaluations", tags=["evaluations"], dependencies=[Depends(require_token)])


@router.post("", status_code=202, summary="Start an evaluation", responses=REFUSED, response_model=Evaluation)
def start(desk: DeskOf, language: Language, body: EvaluationRequest) -> Response:
    """Queue forecasts at many cutoffs by models and baselines; its job can be followed and cancelled."""
    return answer(desk.evaluations.start(body), language, 202)


@router.post("/plan", summary="The size of an evaluation", responses=REFUSED, response_model=EvaluationPlan)
def plan(desk: DeskOf, language: Language, body: EvaluationRequest) -> Response:
    """Return cutoffs, forecasts and, where earlier evaluations show it, about how long it takes."""
    return answer(desk.evaluations.plan(body), language)


@router.get(
    "/{evaluation_id}/cutoffs", summary="The scores of every cutoff", response_class=Response, responses=refused(404)
)
def cutoffs(desk: DeskOf, evaluation_id: str) -> Response:
    """Return the scores of every forecaster at every cutoff as CSV, empty until it has finished."""
    evaluation = desk.evaluations.get(evaluation_id)
    return answer_csv(evaluation.csv(), f"evaluation-{evaluation.id}.csv")


add_run_routes(router, Evaluation, "scores", lambda desk: desk.evaluations)
