"""Registered models: list, compare, promote, retire, delete."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from kronos_app.api.answers import refused
from kronos_app.api.context import DeskOf, Language, require_token
from kronos_app.api.schemas import ModelVersions, unreadable_out
from kronos_app.services.models.registry import ModelComparison, ModelVersion
from kronos_app.store.registry import RegisteredModel

router = APIRouter(prefix="/registry", tags=["runs"], dependencies=[Depends(require_token)], responses=refused(404))
Version = Annotated[int, Path(ge=1, le=10**9, description="As in the list.")]


@router.get("", summary="List the registered models")
def list_models(desk: DeskOf, language: Language) -> ModelVersions:
    """Return every version, by name and from the newest to the oldest."""
    unreadable = unreadable_out(desk.registry.unreadable(), language)
    return ModelVersions.model_validate({"models": desk.registry.list(), "unreadable": unreadable})


@router.get("/{name}/{version}", summary="One version", response_model=ModelVersion)
def get(desk: DeskOf, name: str, version: Version) -> RegisteredModel:
    """Return a version with its scores."""
    return desk.registry.get(name, version)


@router.get("/{name}/{version}/compare/{other}/{other_version}", summary="Two versions side by side")
def compare(desk: DeskOf, name: str, version: Version, other: str, other_version: Version) -> ModelComparison:
    """Return the fields in which two versions differ, and the scores of both."""
    return desk.registry.compare((name, version), (other, other_version))


@router.post(
    "/{name}/{version}/promote", summary="Promote a version", response_model=ModelVersion, responses=refused(409)
)
def promote(desk: DeskOf, name: str, version: Version) -> RegisteredModel:
    """Let the name alone refer to this version."""
    return desk.registry.change_state(name, version, "promoted")


@router.post("/{name}/{version}/retire", summary="Retire a version", response_model=ModelVersion)
def retire(desk: DeskOf, name: str, version: Version) -> RegisteredModel:
    """Withdraw a version; forecasts made with it still name it."""
    return desk.registry.change_state(name, version, "retired")


@router.post("/{name}/{version}/restore", summary="Restore a version", response_model=ModelVersion)
def restore(desk: DeskOf, name: str, version: Version) -> RegisteredModel:
    """Offer a retired version again."""
    return desk.registry.change_state(name, version, "candidate")


@router.delete("/{name}/{version}", status_code=204, summary="Delete a version")
def delete(desk: DeskOf, name: str, version: Version) -> None:
    """Delete a version with its files."""
    desk.registry.delete(name, version)
