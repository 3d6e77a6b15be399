"""The model a run begins with: known to the reader by a name, to the trainer by where its files are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kronos_app.errors import InvalidInput
from kronos_app.i18n import text
from kronos_app.services.models.limits import DEFAULT_MODEL

if TYPE_CHECKING:
    from engine.registry import ModelSpec
    from kronos_app.services.models.service import ModelService

SCRATCH_CONTEXT = 512  # candles, of a model made from scratch
# What names files: only the app says where those are.
FORBIDDEN = ("tokenizer", "revision", "trained_until")


@dataclass(frozen=True)
class BaseModel:
    """What a run begins with.

    Attributes
    ----------
    name
        As the reader knows it, with its version where it was made here; None for one made from scratch.
    context
        Candles that history and horizon may have together.
    fields
        `base` of the run's config.
    """

    name: str | None
    context: int
    fields: dict[str, Any]


def resolve(given: Any, models: ModelService) -> BaseModel:
    """Return the base model that `base` of a request names.

    Raises
    ------
    InvalidInput
        It names files.
    NotFound
        There is no model of this name.
    """
    fields = dict(given) if isinstance(given, Mapping) else {"model": given} if isinstance(given, str) else {}
    named = [name for name in FORBIDDEN if fields.get(name) is not None]
    if named:
        raise InvalidInput(
            "base_files",
            text("base.{field} cannot be set here.", field=named[0]),
            text("Name a model with base.model; its tokenizer comes with it."),
        )
    name = fields.get("model", DEFAULT_MODEL)
    if name is None:
        return BaseModel(None, SCRATCH_CONTEXT, fields)
    spec = models.spec(str(name))
    return BaseModel(spec.name, spec.max_context, fields | _source(spec))


def _source(spec: ModelSpec) -> dict[str, Any]:
    """Return the fields by which a trainer finds the model, by its name where the engine knows it."""
    from engine.registry import REGISTRY

    if REGISTRY.get(spec.name) == spec:
        return {"model": spec.name}
    until = max(spec.trained_until.values(), default=None)
    return {**_files(spec), "trained_until": until.isoformat() if until is not None else None}


def _files(spec: ModelSpec) -> dict[str, Any]:
    """Return where model and tokenizer are: in one folder, as a run exports them, or each by itself."""
    model, tokenizer = Path(spec.model_id), Path(spec.tokenizer_id)
    if model.is_absolute() and (model.name, tokenizer) == ("model", model.with_name("tokenizer")):
        return {"model": str(model.parent)}
    return {"model": spec.model_id, "tokenizer": spec.tokenizer_id, "revision": spec.revision}
