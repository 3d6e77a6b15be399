"""The base model of a run: users choose it by name, the trainer needs its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kronos_app.errors import InvalidInput
from kronos_app.i18n import text
from kronos_app.services.models.limits import DEFAULT_MODEL

if TYPE_CHECKING:
    from engine.loading.registry import ModelSpec
    from kronos_app.services.models.service import ModelService

SCRATCH_CONTEXT = 512  # candles, of a model trained from scratch
FORBIDDEN = ("tokenizer", "revision", "trained_until")  # fields that name files; only the app sets them


@dataclass(frozen=True)
class BaseModel:
    """A base model.

    Attributes
    ----------
    name
        Exact version if it is a registered model; None if the run starts from scratch.
    context
        Candles of lookback and horizon together, at most.
    fields
        `base` of the run's config.
    """

    name: str | None
    context: int
    fields: dict[str, Any]


def resolve(base: Any, models: ModelService) -> BaseModel:
    """Return the base model that `base` of a request names.

    Raises
    ------
    InvalidInput
        It names files.
    NotFound
        There is no model of this name.
    """
    fields = dict(base) if isinstance(base, Mapping) else {"model": base} if isinstance(base, str) else {}
    forbidden = [name for name in FORBIDDEN if fields.get(name) is not None]
    if forbidden:
        raise InvalidInput(
            "base_files",
            text("base.{field} cannot be set here.", field=forbidden[0]),
            text("Name a model with base.model; its tokenizer comes with it."),
        )
    name = fields.get("model", DEFAULT_MODEL)
    if name is None:
        return BaseModel(None, SCRATCH_CONTEXT, fields)
    spec = models.spec(str(name))
    return BaseModel(spec.name, spec.max_context, fields | _locate(spec))


def _locate(spec: ModelSpec) -> dict[str, Any]:
    """Return the fields by which the trainer finds a model: a name that the engine knows, or its files."""
    from engine.loading.registry import REGISTRY

    if REGISTRY.get(spec.name) == spec:
        return {"model": spec.name}
    until = max(spec.trained_until.values(), default=None)
    fields = {"trained_until": until.isoformat() if until is not None else None}
    model, tokenizer = Path(spec.model_id), Path(spec.tokenizer_id)
    if model.is_absolute() and (model.name, tokenizer) == ("model", model.with_name("tokenizer")):
        return {"model": str(model.parent), **fields}  # the export of a run
    return {"model": spec.model_id, "tokenizer": spec.tokenizer_id, "revision": spec.revision, **fields}
