"""Models made here: list, compare, promote, retire, delete."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from starlette.responses import JSONResponse

from kronos_app.api.context import DeskOf, Language, require_token
from kronos_app.api.schemas import ErrorBody, ModelVersion, ModelVersions, unreadable_out
from kronos_app.jsonable import json_ready
from kronos_app.services.models.registry import RegisteredModel, comparison_json, model_json

router = APIRouter(
    prefix="/registry", tags=["runs"], dependencies=[Depends(require_token)], responses={404: {"model": ErrorBody}}
)
NOT_NOW: dict[int | str, dict[str, Any]] = {409: {"model": ErrorBody}}
Version = Annotated[int, Path(ge=1, le=10**9, description="As the list has it.")]


@router.get("", summary="List the models made here")
def list_models(desk: DeskOf, language: Language) -> ModelVersions:
    """Return every version, by name and from the newest to the oldest."""
    models = [json_ready(model_json(one)) for one in desk.registry.list()]
    unreadable = unreadable_out(desk.registry.unreadable(), language)
    return ModelVersions.model_validate({"models": models, "unreadable": unreadable})


@router.get("/{name}/{version}", summary="One version")
def get(desk: DeskOf, name: str, version: Version) -> ModelVersion:
    """Return a version with its scores."""
    return _out(desk.registry.get(name, version))


@router.get("/{name}/{version}/compare/{other}/{other_version}", summary="Two versions side by side")
def compare(desk: DeskOf, name: str, version: Version, other: str, other_version: Version) -> JSONResponse:
    """Return the facts in which two versions differ, and the scores of both."""
    return JSONResponse(json_ready(comparison_json(desk.registry.compare((name, version), (other, other_version)))))


@router.post("/{name}/{version}/promote", summary="Promote a version", responses=NOT_NOW)
def promote(desk: DeskOf, name: str, version: Version) -> ModelVersion:
    """Have the name alone stand for this version."""
    return _out(desk.registry.promote(name, version))


@router.post("/{name}/{version}/retire", summary="Retire a version")
def retire(desk: DeskOf, name: str, version: Version) -> ModelVersion:
    """Take it off offer; forecasts that were made with it still name it."""
    return _out(desk.registry.retire(name, version))


@router.post("/{name}/{version}/restore", summary="Restore a version")
def restore(desk: DeskOf, name: str, version: Version) -> ModelVersion:
    """Put a version that was retired on offer again."""
    return _out(desk.registry.restore(name, version))


@router.delete("/{name}/{version}", status_code=204, summary="Delete a version")
def delete(desk: DeskOf, name: str, version: Version) -> None:
    """Delete it with its files."""
    desk.registry.delete(name, version)


def _out(model: RegisteredModel) -> ModelVersion:
    return ModelVersion.model_validate(json_ready(model_json(model)))
