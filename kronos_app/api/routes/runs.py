"""The routes that every kind of run has: list, read, report, resume, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Path
from pydantic import Field, create_model
from starlette.responses import JSONResponse, Response

from kronos_app.api.answers import REFUSED, answer, refused
from kronos_app.api.context import DeskOf, Language
from kronos_app.api.paging import PageOf
from kronos_app.api.schemas import UNREADABLE, UnreadableOut, unreadable_out
from kronos_app.jsonable import json_ready
from kronos_app.services.core.view import View
from kronos_app.services.desk import Desk
from kronos_app.services.runs.run import Run
from kronos_app.services.runs.service import RunService


def add_run_routes(
    router: APIRouter,
    run: type[Run[Any]],
    report: str,
    service: Callable[[Desk], RunService[Any]],
    resumed: int = 202,
) -> None:
    """Add the routes of one kind of run.

    Parameters
    ----------
    report
        Last part of the report's address.
    service
        Returns the service of a desk.
    resumed
        Status of the answer to `resume`.
    """
    kind, kinds = run.kind, f"{run.kind}s"
    article = "an" if kind[0] in "aeiou" else "a"
    run_list = _list_model(run, kinds)
    run_id_path = Path(alias=f"{kind}_id")

    @router.get("", name=f"list_{kinds}", summary=f"List the {kinds}", response_model=run_list)
    def list_runs(desk: DeskOf, language: Language, page: PageOf) -> Response:
        """Return all with their states, newest first."""
        runs, unreadable = service(desk).read_all()
        fields = {"total": len(runs), kinds: page.of(runs), "unreadable": unreadable_out(unreadable, language)}
        return answer(run_list.model_validate(fields), language)

    @router.get(f"/{{{kind}_id}}", name="get", summary=f"One {kind}", responses=refused(404), response_model=run)
    def get_run(desk: DeskOf, language: Language, run_id: str = run_id_path) -> Response:
        """Return it with its state, and its verdict once it has finished."""
        return answer(service(desk).get(run_id), language)

    @router.get(
        f"/{{{kind}_id}}/{report}", name=report, summary=f"The {report} of {article} {kind}", responses=refused(404)
    )
    def get_report(desk: DeskOf, language: Language, run_id: str = run_id_path) -> JSONResponse:
        """Return all figures, null until it has finished."""
        return JSONResponse(json_ready(service(desk).get(run_id).report_in(language)))

    @router.post(
        f"/{{{kind}_id}}/resume",
        name="resume",
        status_code=resumed,
        summary=f"Resume {article} {kind}",
        responses=REFUSED,
        response_model=run,
    )
    def resume_run(desk: DeskOf, language: Language, run_id: str = run_id_path) -> Response:
        """Continue one that was stopped, has failed or was interrupted, from where it was; no step is done twice."""
        return answer(service(desk).resume(run_id), language, resumed)

    @router.delete(
        f"/{{{kind}_id}}", name="delete", status_code=204, summary=f"Delete {article} {kind}", responses=refused(404)
    )
    def delete_run(desk: DeskOf, run_id: str = run_id_path) -> None:
        """End it at once and delete it with its files."""
        service(desk).delete(run_id)


def _list_model(run: type[Run[Any]], kinds: str) -> type[View]:
    fields: dict[str, Any] = {
        "total": (int, Field(description="How many there are in all.")),
        kinds: (list[run], Field()),  # type: ignore[valid-type]  # the class is an argument
        "unreadable": (list[UnreadableOut], UNREADABLE),
    }
    return create_model(kinds.capitalize(), __base__=View, __doc__=f"The {kinds} there are.", **fields)
