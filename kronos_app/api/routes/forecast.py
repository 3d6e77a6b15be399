"""Submit forecasts, read their results."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response

from kronos_app.api.answers import REFUSED, answer, answer_csv, refused
from kronos_app.api.context import DeskOf, Language, require_token
from kronos_app.api.paging import PageOf
from kronos_app.api.schemas import Accepted, CompareBody, Compared, ForecastBody, ForecastQuery
from kronos_app.data.calendars import with_calendar
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text
from kronos_app.services.desk import Desk
from kronos_app.services.evaluation.service import Evaluation
from kronos_app.services.forecast.calibration import Calibration
from kronos_app.services.forecast.listing import Annotation, ForecastItem, ForecastItems
from kronos_app.services.forecast.rendering import ForecastResult, forecast_csv
from kronos_app.services.forecast.request import ForecastRequest, ForecastSettings

router = APIRouter(prefix="/forecasts", tags=["forecasts"], dependencies=[Depends(require_token)])


@router.post(
    "",
    summary="Submit a forecast",
    status_code=202,
    response_model=Accepted,
    responses={
        200: {"description": "An equal forecast exists already: the forecast itself.", "model": ForecastResult},
        **refused(404, 409, 413, 422),
    },
)
def submit(desk: DeskOf, language: Language, request: Request, body: ForecastBody) -> Response:
    """Queue a forecast and return its job, or return an equal forecast that exists already."""
    candles_id = _candles_id(desk, body)
    settings = body.model_dump(include=set(ForecastSettings.model_fields))
    submission = desk.forecasts.submit(ForecastRequest(**settings, candles_id=candles_id))
    if submission.forecast_id is not None:
        view = desk.forecasts.get(submission.forecast_id)
        calibration = desk.calibrations.find(view) if body.recalibrate else None
        return answer(ForecastResult.of(view, calibration=calibration, cached=True), language)
    assert submission.job_id is not None
    job = desk.jobs.get(submission.job_id)
    accepted = Accepted(job_id=job.id, status=job.status, candles_id=candles_id)
    address = request.url_for("get_job", job_id=job.id).path
    return JSONResponse(accepted.model_dump(), 202, {"Location": address})


@router.post(
    "/compare",
    summary="Submit forecasts with several setups",
    status_code=202,
    response_model=Compared,
    responses=refused(404, 409, 413, 422),
)
def compare(desk: DeskOf, language: Language, body: CompareBody) -> Response:
    """Queue a forecast for each setup, or name an equal one that exists already; nothing is queued if one is wrong."""
    requests = [ForecastRequest(**setup.model_dump(), candles_id=body.candles_id) for setup in body.setups]
    return answer(Compared(setups=desk.forecasts.submit_all(requests)), language, 202)


def _candles_id(desk: Desk, body: ForecastBody) -> str:
    if (body.candles_id is None) == (body.candles is None):
        raise InvalidInput(
            "candles_or_id",
            text("Give exactly one of candles_id and candles."),
            text("Upload candles first and give their id, or send them with the request."),
        )
    if body.candles_id is not None:
        return body.candles_id
    draft = desk.candles.read_inline(body.candles, body.name, body.start, body.interval)
    return desk.candles.keep(with_calendar(draft, body.calendar), body.repair, body.fixes, body.resample).id


@router.get("", summary="List the forecasts", response_model=ForecastItems)
def list_forecasts(
    desk: DeskOf,
    language: Language,
    page: PageOf,
    where: Annotated[ForecastQuery, Depends()],
    form: Annotated[Literal["json", "csv"], Query(alias="format", description="json, or a table as csv.")] = "json",
) -> Response:
    """Return the forecasts that match, in the order of `sort`, and their number."""
    only = where.to_filter()
    items = desk.forecasts.list(
        only, by=where.sort, ascending=where.order == "ascending", limit=page.limit, offset=page.offset
    )
    listed = ForecastItems(total=desk.forecasts.count(only), forecasts=items)
    return answer_csv(listed.to_csv(), "forecasts.csv") if form == "csv" else answer(listed, language)


@router.get("/{forecast_id}", summary="One forecast", response_model=ForecastResult, responses=refused(404))
def get(
    desk: DeskOf,
    language: Language,
    forecast_id: str,
    paths: Annotated[bool, Query(description="Add every path, samples x horizon x columns.")] = False,
    form: Annotated[Literal["json", "csv"], Query(alias="format", description="json, or a table as csv.")] = "json",
    recalibrate: Annotated[
        bool | None, Query(description="Add calibrated quantiles; absent: as requested with the forecast.")
    ] = None,
) -> Response:
    """Return timestamps, mean, median, quantiles, provenance, and the actual candles known so far."""
    view = desk.forecasts.get(forecast_id)
    add = view.stored.request.get("recalibrate", False) if recalibrate is None else recalibrate
    calibration = desk.calibrations.find(view) if add else None
    if form == "csv":
        table = forecast_csv(view, calibration if isinstance(calibration, Calibration) else None)
        return answer_csv(table, f"forecast-{view.id}.csv")
    return answer(ForecastResult.of(view, paths=paths, calibration=calibration), language)


@router.post(
    "/{forecast_id}/calibration",
    summary="Calibrate a forecast",
    status_code=202,
    responses=REFUSED,
    response_model=Evaluation,
)
def calibrate(desk: DeskOf, language: Language, forecast_id: str) -> Response:
    """Queue an evaluation of past cutoffs of the series with the setup of the forecast, or return the one there is."""
    return answer(desk.calibration_runs.start(desk.forecasts.get(forecast_id)), language, 202)


@router.patch("/{forecast_id}", summary="Change tags or note", response_model=ForecastItem, responses=refused(404, 422))
def annotate(desk: DeskOf, language: Language, forecast_id: str, body: Annotation) -> Response:
    """Change the tags or the note of a forecast; return its line in the list."""
    return answer(desk.forecasts.annotate(forecast_id, body), language)
