"""Fine-tuning: plan runs, start them, follow them, register what came of them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response

from kronos_app.api.context import DeskOf, Language, require_token
from kronos_app.api.paging import PageOf
from kronos_app.api.schemas import ErrorBody, FetchAccepted, RegisterBody, RunOut, Runs, unreadable_out
from kronos_app.jsonable import json_ready, localised
from kronos_app.services.finetune.service import MOST_COMPARED, TuneRequest
from kronos_app.services.finetune.views import comparison_json, estimate_json, plan_json, run_json
from kronos_app.services.models.registry import ModelVersion

router = APIRouter(prefix="/runs", tags=["runs"], dependencies=[Depends(require_token)])
NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": ErrorBody}}
NOT_NOW: dict[int | str, dict[str, Any]] = {**NOT_FOUND, 409: {"model": ErrorBody}}
REFUSED: dict[int | str, dict[str, Any]] = {status: {"model": ErrorBody} for status in (404, 409, 413, 422, 503)}


@router.get("", summary="List the runs")
def list_runs(desk: DeskOf, language: Language, page: PageOf) -> Runs:
    """Return every run as it stands, newest first."""
    runs = desk.tuning.list()
    listed = [json_ready(run_json(run, language)) for run in page.of(runs)]
    unreadable = unreadable_out(desk.tuning.unreadable(), language)
    return Runs.model_validate({"total": len(runs), "runs": listed, "unreadable": unreadable})


@router.post("", status_code=201, summary="Start a run", responses=REFUSED)
def start(desk: DeskOf, language: Language, body: TuneRequest) -> RunOut:
    """Make a run, which trains as soon as it is its turn; it goes on when the server stops."""
    return _out(run_json(desk.tuning.start(body), language))


@router.post("/preflight", summary="What a run would learn from", responses=REFUSED)
def preflight(desk: DeskOf, language: Language, body: TuneRequest) -> JSONResponse:
    """Return windows and ranges by split, what is doubtful, the learning rates advised and the config, complete."""
    return JSONResponse(json_ready(plan_json(desk.tuning.plan(body), language)))


@router.post(
    "/estimate",
    status_code=202,
    summary="What a run would take",
    response_model=FetchAccepted,
    responses={200: {"description": "Such a run was tried before: what was measured."}, **REFUSED},
)
def estimate(desk: DeskOf, request: Request, body: TuneRequest) -> Response:
    """Queue a short trial and name its job, or answer at once where such a run was tried before."""
    known = desk.tuning.estimated(body)
    if known is not None:
        return JSONResponse(json_ready(estimate_json(known)))
    job = desk.jobs.get(desk.tuning.estimate(body))
    accepted = FetchAccepted(job_id=job.id, status=job.status)
    return JSONResponse(accepted.model_dump(), 202, {"Location": request.url_for("get_job", job_id=job.id).path})


@router.get("/compare", summary="Runs side by side", responses={**NOT_FOUND, 422: {"model": ErrorBody}})
def compare(
    desk: DeskOf,
    language: Language,
    run_id: Annotated[list[str], Query(max_length=MOST_COMPARED, description="Several times, an id each.")],
) -> JSONResponse:
    """Return the runs, the settings in which they differ, and their scores."""
    return JSONResponse(json_ready(comparison_json(desk.tuning.compare(run_id), language)))


@router.get("/{run_id}", summary="One run", responses=NOT_FOUND)
def get(desk: DeskOf, language: Language, run_id: str) -> RunOut:
    """Return a run as it stands."""
    return _out(run_json(desk.tuning.get(run_id), language))


@router.post("/{run_id}/pause", summary="Pause a run", responses=NOT_NOW)
def pause(desk: DeskOf, language: Language, run_id: str) -> RunOut:
    """Have it stop at its next step, to go on later; one that waits leaves the queue."""
    return _out(run_json(desk.tuning.pause(run_id), language))


@router.post("/{run_id}/resume", summary="Resume a run", responses=NOT_NOW)
def resume(desk: DeskOf, language: Language, run_id: str) -> RunOut:
    """Have one that was paused, was interrupted or failed go on from its last checkpoint."""
    return _out(run_json(desk.tuning.resume(run_id), language))


@router.post("/{run_id}/stop", summary="Stop a run and keep what there is", responses=NOT_NOW)
def stop(desk: DeskOf, language: Language, run_id: str) -> RunOut:
    """End its training now; the best so far is judged and exported."""
    return _out(run_json(desk.tuning.stop(run_id), language))


@router.delete("/{run_id}", status_code=204, summary="Discard a run", responses=NOT_FOUND)
def discard(desk: DeskOf, run_id: str) -> None:
    """End it at once and delete it with all it has; what was registered of it stays."""
    desk.tuning.discard(run_id)


@router.get("/{run_id}/log", summary="What a run logged", responses=NOT_FOUND)
def log(
    desk: DeskOf,
    run_id: str,
    lines: Annotated[int, Query(ge=1, le=1000, description="How many lines of words, the last ones.")] = 50,
) -> JSONResponse:
    """Return the figures of each stage by step, the scores of its looks at forecasts, and the last words printed."""
    stages = {stage: frame.to_dict("records") for stage, frame in desk.tuning.curves(run_id).items()}
    rows = {stage: [_present(row) for row in found] for stage, found in stages.items()}
    told = {"stages": rows, "looks": desk.tuning.looks(run_id), "words": desk.tuning.tail(run_id, lines)}
    return JSONResponse(json_ready(told))


@router.get("/{run_id}/report", summary="The final scores of a run", responses=NOT_FOUND)
def report(desk: DeskOf, language: Language, run_id: str) -> JSONResponse:
    """Return the scores beside the base model's and the baselines', null as long as there are none."""
    return JSONResponse(json_ready(localised(desk.tuning.report(run_id), language)))


@router.get("/{run_id}/config", summary="The config of a run", response_class=Response, responses=NOT_FOUND)
def config(desk: DeskOf, run_id: str) -> Response:
    """Return `config.yaml`, every field with what it means."""
    return Response(desk.tuning.config_text(run_id), media_type="application/yaml; charset=utf-8")


@router.post("/{run_id}/register", status_code=201, summary="Register what came of a run", responses=REFUSED)
def register(desk: DeskOf, run_id: str, body: RegisterBody) -> ModelVersion:
    """Keep the result as the next version of a name, by which forecasts can ask for it."""
    return ModelVersion.model_validate(desk.registry.register(run_id, body.name, body.note))


def _out(told: dict[str, Any]) -> RunOut:
    return RunOut.model_validate(json_ready(told))


def _present(row: dict[Any, Any]) -> dict[Any, Any]:
    """Return what a row has: rows of training and of validation have columns of their own."""
    return {name: value for name, value in row.items() if value == value}
