"""Stored series and watchlists: list, refresh, export, delete."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from kronos_app.api.accepted import accepted
from kronos_app.api.answers import QUEUED, refused
from kronos_app.api.context import DeskOf, Language, require_token
from kronos_app.api.paging import PageOf
from kronos_app.api.schemas import RefreshBody, WatchlistBody
from kronos_app.jsonable import localised
from kronos_app.services.candles.series import ENTRIES, ExportFormat
from kronos_app.store.series import SeriesInfo, SeriesKey
from kronos_app.store.watchlists import Watched, Watchlist

router = APIRouter(tags=["series"], dependencies=[Depends(require_token)])

MEDIA = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


def _key(
    source: Annotated[str, Query(max_length=50, description="As the list has it.")],
    symbol: Annotated[str, Query(max_length=100, description="As the list has it.")],
    interval: Annotated[str, Query(max_length=20, description="As the list has it.")],
    adjustment: Annotated[str, Query(max_length=50, description="As the list has it.")] = "",
) -> SeriesKey:
    return SeriesKey(source, symbol, interval, adjustment)


Key = Annotated[SeriesKey, Depends(_key)]


@router.get("/series", summary="List the stored series")
def list_series(desk: DeskOf, language: Language, page: PageOf) -> dict[str, Any]:
    """Return every series with its range and state, and the size of all."""
    size = desk.series.size()
    infos = desk.series.list()
    series = [_series_json(info, language) for info in page.of(infos)]
    return {"total": len(infos), "series": series, "size_bytes": size.bytes, "limit_bytes": size.limit}


@router.get(
    "/series/export",
    summary="Export a stored series",
    response_class=Response,
    responses={200: {"content": {media: {} for media in MEDIA.values()}}, **refused(404)},
)
def export(
    desk: DeskOf, key: Key, form: Annotated[ExportFormat, Query(alias="format", description="File format.")] = "csv"
) -> Response:
    """Return all candles as a file, times in UTC."""
    name, content = desk.series.export(key, form)
    # Headers are Latin-1; a symbol may be Chinese.
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    return Response(content, media_type=MEDIA[form], headers={"Content-Disposition": f'attachment; filename="{plain}"'})


@router.delete("/series", status_code=204, summary="Delete a stored series")
def delete(desk: DeskOf, key: Key) -> None:
    """Delete a series, not the data sets made from it; an unknown one is no error."""
    desk.series.delete(key)


@router.post("/series/refresh", summary="Refresh series", **QUEUED)
def refresh(desk: DeskOf, request: Request, body: RefreshBody) -> Response:
    """Queue a refresh of series, by default all stored ones, and return its job."""
    entries: list[Watched | SeriesKey] = [SeriesKey(**one.model_dump()) for one in body.series]
    if body.watchlist is not None:
        entries += desk.series.watchlist(body.watchlist).entries
    chosen = entries if body.series or body.watchlist is not None else None
    return accepted(request, desk.jobs.get(desk.series.refresh(chosen)))


@router.get("/watchlists", summary="List the watchlists")
def watchlists(desk: DeskOf) -> dict[str, Any]:
    """Return every watchlist with its entries."""
    return {"watchlists": [_watchlist_json(one) for one in desk.series.watchlists()]}


@router.put(
    "/watchlists/{name:path}",
    summary="Save a watchlist",
    responses=refused(404, 422),
)
def save_watchlist(desk: DeskOf, name: str, body: WatchlistBody) -> dict[str, Any]:
    """Save a watchlist, replacing one of the same name; its series need not be stored."""
    entries = ENTRIES.validate_python(body.model_dump()["entries"])
    return _watchlist_json(desk.series.save_watchlist(name, entries))


@router.delete("/watchlists/{name:path}", status_code=204, summary="Delete a watchlist")
def delete_watchlist(desk: DeskOf, name: str) -> None:
    """Delete a watchlist, not its series; an unknown one is no error."""
    desk.series.delete_watchlist(name)


def _series_json(info: SeriesInfo, language: str) -> dict[str, Any]:
    state = info.state
    return {
        **vars(info.key),
        "about": info.about.to_dict(),
        "timezone": info.timezone,
        "columns": list(info.features),
        "rows": info.rows,
        "first": info.first.isoformat(),
        "last": info.last.isoformat(),
        "size_bytes": info.size_bytes,
        "checked": state.checked.isoformat(),
        "used": state.used.isoformat(),
        "note": None if state.note is None else state.note.render(language),
        "error": None if state.error is None else localised(dict(state.error), language),
    }


def _watchlist_json(watchlist: Watchlist) -> dict[str, Any]:
    entries = ENTRIES.dump_python([*watchlist.entries], mode="json")
    return {"name": watchlist.name, "created": watchlist.created.isoformat(), "entries": entries}
