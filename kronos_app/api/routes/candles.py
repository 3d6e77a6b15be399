"""Upload or fetch candles, and read them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Query, Request, UploadFile
from starlette.responses import JSONResponse, Response

from kronos_app.api.accepted import accepted
from kronos_app.api.answers import QUEUED, refused
from kronos_app.api.context import DeskOf, Language, require_token
from kronos_app.api.paging import PageOf
from kronos_app.api.schemas import CALENDAR, FIXES, RESAMPLE, FetchAccepted, FetchBody, Fix, Repair
from kronos_app.data.upload.mapping import ROLES, ColumnMapping
from kronos_app.data.upload.units import UNITS
from kronos_app.jobs import Job
from kronos_app.jsonable import localised
from kronos_app.services.candles.fetching import REQUEST
from kronos_app.services.candles.labels import LabelChange
from kronos_app.services.candles.uploads import UploadOptions
from kronos_app.services.candles.views import candle_info_json, candles_json
from kronos_app.services.core.labels import Tags
from kronos_app.store.records import CandleSetFilter

router = APIRouter(prefix="/candles", tags=["candles"], dependencies=[Depends(require_token)])

Columns = Annotated[
    str | None,
    Form(max_length=20_000, description=f"JSON object, header to role; absent: inferred. Roles: {', '.join(ROLES)}."),
]
TimeFormat = Annotated[
    str | None, Form(max_length=100, description="Format of the times, such as %d.%m.%Y; absent: detected.")
]
Timezone = Annotated[
    str | None, Form(max_length=60, description="IANA name of the zone that the times are local to; absent: detected.")
]
Units = Annotated[
    str | None,
    Form(max_length=2_000, description=f"JSON object, role to unit: a factor, or one of {', '.join(UNITS)}."),
]


@router.post(
    "",
    status_code=201,
    summary="Upload files of candles",
    response_model=dict[str, Any],
    responses={
        202: {"description": "Of more than 200 series: the job that saves them.", "model": FetchAccepted},
        **refused(409, 413, 422, 503),
    },
)
def upload(
    desk: DeskOf,
    language: Language,
    request: Request,
    file: Annotated[
        list[UploadFile],
        File(
            description="CSV, JSON, Feather or Parquet, also gzipped; several, where the field is there several times."
        ),
    ],
    repair: Annotated[Repair | None, Form(description="What to do with faults; absent: refuse them.")] = None,
    start: Annotated[datetime | None, Form(description="Time of the first candle of a file without times.")] = None,
    interval: Annotated[
        str | None, Form(max_length=20, description="Step such as 5min or 1d of a file without times.")
    ] = None,
    calendar: Annotated[str | None, Form(max_length=20, description=CALENDAR)] = None,
    fixes: Annotated[list[Fix], Form(max_length=5, description=FIXES)] = [],  # noqa: B006 - FastAPI copies it
    resample: Annotated[str | None, Form(max_length=20, description=RESAMPLE)] = None,
    columns: Columns = None,
    time_format: TimeFormat = None,
    timezone: Timezone = None,
    units: Units = None,
) -> Response:
    """Check, repair as asked and keep the candles, all of them or none.

    The answer's `series` has the `id` and quality report of each instrument; of a single one they are also at the top.
    More than 200 series are saved by a job, whose `candles_ids` are those of the candle sets once it succeeded.
    """
    options = UploadOptions(
        repair, start, interval, calendar, tuple(fixes), resample, columns, time_format, timezone, units
    )
    saved = desk.uploads.save([(part.filename or "upload", part.file.read()) for part in file], options)
    if isinstance(saved, Job):
        return accepted(request, saved)
    series = [candles_json(candle_set, language) for candle_set in saved]
    return JSONResponse((series[0] if len(series) == 1 else {}) | {"series": series}, 201)


@router.post(
    "/preview",
    summary="Preview how a file's columns would be read",
    responses=refused(413, 422),
)
def preview(
    desk: DeskOf,
    language: Language,
    file: Annotated[UploadFile, File(description="As for an upload.")],
    columns: Columns = None,
    time_format: TimeFormat = None,
    timezone: Timezone = None,
    units: Units = None,
) -> dict[str, Any]:
    """Return the first rows of a file, the role and unit of each column, and why it would be refused, if it would be.

    Nothing is stored. What the form states wins; the rest is inferred.
    """
    mapping = ColumnMapping.from_form(columns, time_format, timezone, units)
    table = desk.column_mappings.preview(file.file.read(), file.filename or "upload", mapping)
    return dict(localised(table.model_dump(mode="json"), language))


@router.post("/fetch", summary="Fetch candles from a market source", **QUEUED)
def fetch(desk: DeskOf, request: Request, body: FetchBody) -> Response:
    """Queue a fetch and return its job, whose `candles_id` is the id of the candle set when it has succeeded."""
    handling = body.model_dump(include={"repair", "calendar", "fixes", "resample"})
    job_id = desk.fetching.submit(body.source, REQUEST.validate_python(body.model_dump()), **handling)
    return accepted(request, desk.jobs.get(job_id))


@router.get("", summary="List the candle sets")
def list_candles(
    desk: DeskOf,
    page: PageOf,
    text: Annotated[str | None, Query(max_length=200, description="Part of the name.")] = None,
    tag: Annotated[Tags | None, Query(description="A tag that they have; where several are stated, all.")] = None,
) -> JSONResponse:
    """Return the candle sets, newest first, and how many there are in all."""
    where = CandleSetFilter(text, tuple(tag or ()))
    infos = desk.candles.list(where, limit=page.limit, offset=page.offset)
    listed = [candle_info_json(info) for info in infos]
    return JSONResponse({"total": desk.candles.count(where), "candles": listed})


@router.patch("/{candles_id}", summary="Rename or tag candles", responses=refused(404, 409, 422))
def change(desk: DeskOf, candles_id: str, body: LabelChange) -> dict[str, Any]:
    """Change the name or the tags of a candle set; forecasts keep the name that it had when they were made."""
    desk.candles.labels.change(candles_id, body)
    return candle_info_json(desk.candles.info(candles_id))


@router.get("/{candles_id}", summary="Fetch candles and their quality report", responses=refused(404))
def get(
    desk: DeskOf,
    language: Language,
    candles_id: str,
    candles: Annotated[bool, Query(description="Add the candles themselves, by column.")] = False,
) -> dict[str, Any]:
    """Return what is known of a candle set."""
    return candles_json(desk.candles.get(candles_id), language, rows=candles)
