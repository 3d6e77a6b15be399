"""Fine-tuning: plan runs, start and follow them, register their models."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response

from kronos_app.api.answers import REFUSED, answer, refused
from kronos_app.api.context import DeskOf, Language, require_token
from kronos_app.api.routes.runs import add_run_routes
from kronos_app.api.schemas import FetchAccepted, RegisterBody
from kronos_app.jsonable import json_ready
from kronos_app.services.finetune import records
from kronos_app.services.finetune.request import TuneRequest
from kronos_app.services.finetune.run import TuneRun
from kronos_app.services.finetune.service import MOST_COMPARED
from kronos_app.services.models.registry import ModelVersion

router = APIRouter(prefix="/runs", tags=["runs"], dependencies=[Depends(require_token)])
NOT_FOUND, NOT_NOW = refused(404), refused(404, 409)


@router.post("", status_code=201, summary="Start a run", responses=REFUSED, response_model=TuneRun)
def start(desk: DeskOf, language: Language, body: TuneRequest) -> Response:
    """Create and queue a run; it continues when the server stops."""
    return answer(desk.tuning.start(body), language, 201)


@router.post("/preflight", summary="The plan of a run", responses=REFUSED)
def preflight(desk: DeskOf, language: Language, body: TuneRequest) -> Response:
    """Return windows and ranges of each split, warnings, suggested learning rates and the complete config."""
    return answer(desk.tuning.plan(body), language)


@router.post(
    "/estimate",
    status_code=202,
    summary="Time and memory of a run",
    response_model=FetchAccepted,
    responses={200: {"description": "The measurements of an earlier trial of such a run."}, **REFUSED},
)
def estimate(desk: DeskOf, request: Request, body: TuneRequest) -> Response:
    """Return the estimate of an earlier trial of such a run, or queue a trial and return its job."""
    measured = desk.tuning.estimated(body)
    if measured is not None:
        return JSONResponse(measured.to_json())
    job = desk.jobs.get(desk.tuning.estimate(body))
    accepted = FetchAccepted(job_id=job.id, status=job.status)
    return JSONResponse(accepted.model_dump(), 202, {"Location": request.url_for("get_job", job_id=job.id).path})


@router.get("/compare", summary="Runs side by side", responses=refused(404, 422))
def compare(
    desk: DeskOf,
    language: Language,
    run_id: Annotated[list[str], Query(max_length=MOST_COMPARED, description="Id of a run; repeat it for each run.")],
) -> Response:
    """Return the runs, the settings in which they differ, and their scores."""
    return answer(desk.tuning.compare(run_id), language)


@router.post("/{run_id}/pause", summary="Pause a run", responses=NOT_NOW, response_model=TuneRun)
def pause(desk: DeskOf, language: Language, run_id: str) -> Response:
    """Stop a run after its current step with a checkpoint, or remove it from the queue."""
    return answer(desk.tuning.pause(run_id), language)


@router.post("/{run_id}/stop", summary="End the training of a run", responses=NOT_NOW, response_model=TuneRun)
def stop(desk: DeskOf, language: Language, run_id: str) -> Response:
    """End the training; the best checkpoint is scored and exported."""
    return answer(desk.tuning.stop(run_id), language)


@router.get("/{run_id}/log", summary="The log of a run", responses=NOT_FOUND)
def log(
    desk: DeskOf,
    run_id: str,
    lines: Annotated[int, Query(ge=1, le=1000, description="Number of lines of output, from the end.")] = 50,
) -> JSONResponse:
    """Return the logged figures of each stage, the scores of validation forecasts, and the last output."""
    run = desk.tuning.get(run_id)
    stages = {stage: frame.to_dict("records") for stage, frame in records.read_curves(run).items()}
    # A training row lacks the columns of a validation row, and the reverse.
    rows = {
        stage: [{name: value for name, value in row.items() if value == value} for row in logged]
        for stage, logged in stages.items()
    }
    fields = {"stages": rows, "looks": records.read_looks(run), "words": desk.tuning.tail(run_id, lines)}
    return JSONResponse(json_ready(fields))


@router.get("/{run_id}/config", summary="The config of a run", response_class=Response, responses=NOT_FOUND)
def config(desk: DeskOf, run_id: str) -> Response:
    """Return `config.yaml`, which explains every field."""
    return Response(desk.tuning.config_text(run_id), media_type="application/yaml; charset=utf-8")


@router.post("/{run_id}/register", status_code=201, summary="Register the model of a run", responses=REFUSED)
def register(desk: DeskOf, run_id: str, body: RegisterBody) -> ModelVersion:
    """Save the model as the next version of a name, which forecasts can use."""
    return ModelVersion.model_validate(desk.registry.register(run_id, body.name, body.note))


add_run_routes(router, TuneRun, "report", lambda desk: desk.tuning, resumed=200)
