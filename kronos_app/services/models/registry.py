"""Registered models: the versions of a name, promoted, retired, compared, deleted."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

from pydantic import BeforeValidator, Field, FieldSerializationInfo, field_serializer

from kronos_app.errors import CHECK_HOME, Conflict, InvalidInput, NotFound, explain_os_errors
from kronos_app.i18n import text
from kronos_app.jsonable import json_ready
from kronos_app.services.core.engine_errors import engine_errors
from kronos_app.services.core.training_errors import training_errors, unreadable_error
from kronos_app.services.core.view import View
from kronos_app.services.models.names import NAME
from kronos_app.store.records import UnreadableRecord, UnreadableRecords, now
from kronos_app.store.registry import Models, ModelState, RegisteredModel

if TYPE_CHECKING:
    from kronos_app.services.models.service import ModelService
    from kronos_app.store import Store

LONGEST_NOTE = 500
FACTS = "kronos.json"
COMPARED = ("base", "method", "parameters", "context", "trained_until", "worse", "state", "created", "run_id", "note")


def _to_date(moment: Any) -> Any:
    return moment.date() if isinstance(moment, datetime) else moment


class ModelVersion(View):
    """A version of a registered model."""

    label: str = Field(serialization_alias="model", description="Name of exactly this version in a forecast request.")
    name: str
    version: int
    state: ModelState = Field(description="promoted: the name alone refers to it; retired: no longer on offer.")
    run_id: str
    base: str | None
    method: str
    parameters: int
    context: int
    trained_until: Annotated[date | None, BeforeValidator(_to_date)] = Field(
        description="Last candle that it, or a model it started from, was trained on."
    )
    digest: str
    scores: Annotated[dict[str, Any] | None, BeforeValidator(json_ready)]
    worse: bool | None
    note: str
    created: datetime


class ModelComparison(View):
    """Two versions side by side: the fields in which they differ, and their scores by `forecaster.score`."""

    models: tuple[ModelVersion, ModelVersion]
    differences: dict[str, tuple[Any, Any]]
    scores: dict[str, tuple[float | None, float | None]]

    @field_serializer("differences", "scores")
    def _to_rows(self, pairs: dict[str, tuple[Any, Any]], info: FieldSerializationInfo) -> list[dict[str, Any]]:
        name = "field" if info.field_name == "differences" else "score"
        return [{name: key, "values": pair} for key, pair in pairs.items()]


@dataclass(frozen=True)
class TrainedModel:
    """The exported result of a finished fine-tuning run; `redact` removes folders of this machine from its texts."""

    run_id: str
    export: Path
    base: str | None
    method: str
    context: int
    scores: dict[str, Any] | None
    worse: bool | None
    redact: Callable[[str], str]


@dataclass(eq=False)
class RegistryService:
    """The registered models; every thread may use it. A version that does not exist raises `NotFound`.

    Parameters
    ----------
    trained_model
        Returns the result of a fine-tuning run; raises `NotFound`, or `Conflict` if it is not finished.
    """

    _store: Store
    _models: ModelService
    _trained_model: Callable[[str], TrainedModel]
    _lock: Lock = field(default_factory=Lock, init=False)

    def register(self, run_id: str, name: str, note: str = "") -> RegisteredModel:
        """Save the result of a run as the next version of `name`.

        Raises
        ------
        InvalidInput
            The name is not valid, or the note is too long.
        NotFound
            There is no such run.
        Conflict
            The run is not finished, or its result was deleted.
        Unavailable
            Its files cannot be read or copied.
        """
        self._check_name(name)
        if len(note) > LONGEST_NOTE:
            raise InvalidInput(
                "model_note",
                text("The note is longer than {limit} characters.", limit=LONGEST_NOTE),
                text("Shorten it."),
            )
        trained = self._trained_model(run_id)
        with self._lock:
            model = _measure(trained, name, self._next_version(name), note.strip())
            message = text("The model cannot be copied to the registry: {reason}.")
            with explain_os_errors("registry_not_written", message, CHECK_HOME):
                self._copy(trained, model)
            self._store.registered.put(model)
        return model

    def list(self) -> Models:
        """Return all versions, by name and from the newest to the oldest."""
        return self._store.registered.list()

    def unreadable(self) -> UnreadableRecords:
        """Return the versions that cannot be read, by `name@version`, with the reason."""
        return self._store.registered.unreadable()

    def get(self, name: str, version: int) -> RegisteredModel:
        """Return a version; raise `Conflict` if it cannot be read."""
        model = self._store.registered.get(name, version) if re.fullmatch(NAME, name) else None
        if model is None:
            damaged = self._find_unreadable(name, version)
            if damaged is not None:
                raise unreadable_error(damaged.id, damaged.reason)
            raise NotFound(
                "model_version_not_found",
                text("There is no model {name}, version {version}.", name=name[:40], version=version),
                text("It may have been deleted; the Models page lists all versions."),
            )
        return model

    def change_state(self, name: str, version: int, state: ModelState) -> RegisteredModel:
        """Promote, retire or restore (`candidate`) a version; a promotion ends that of another version.

        Raises Conflict: a retired version is to be promoted.
        """
        with self._lock:
            model = self.get(name, version)
            if (model.state, state) == ("retired", "promoted"):
                raise Conflict(
                    "model_retired", text("{model} is retired.", model=model.label), text("Restore it first.")
                )
            changed = [replace(model, state=state)]
            if state == "promoted":
                others = [one for one in self.list() if one.name == name and one.state == "promoted" and one != model]
                changed += [replace(other, state="candidate") for other in others]
            self._store.registered.put_all(changed)
            return changed[0]

    def compare(self, a: tuple[str, int], b: tuple[str, int]) -> ModelComparison:
        """Return two versions side by side."""
        one, other = (ModelVersion.model_validate(self.get(*key)) for key in (a, b))
        pairs = {name: (getattr(one, name), getattr(other, name)) for name in COMPARED}
        mine, others = _flatten(one.scores), _flatten(other.scores)
        return ModelComparison(
            models=(one, other),
            differences={name: pair for name, pair in pairs.items() if pair[0] != pair[1]},
            scores={name: (mine.get(name), others.get(name)) for name in {**mine, **others}},
        )

    def delete(self, name: str, version: int) -> None:
        """Delete a version with its files."""
        with self._lock:
            if self._find_unreadable(name, version) is None:
                self._models.unload(self.get(name, version).label)
            self._store.registered.delete(name, version)
            folder = self._models.registry_folder / name / str(version)
            trash = self._models.registry_folder / f".gone-{uuid4().hex}"
            with suppress(FileNotFoundError):  # somebody deleted the folder by hand
                folder.rename(trash)
                shutil.rmtree(trash, ignore_errors=True)

    def card(self, name: str, version: int) -> str | None:
        """Return the model card in Markdown, None if its file was deleted."""
        path = self._models.version_folder(self.get(name, version)) / "README.md"
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def _find_unreadable(self, name: str, version: int) -> UnreadableRecord | None:
        return next((record for record in self.unreadable() if record.id == f"{name}@{version}"), None)

    def _check_name(self, name: str) -> None:
        if not re.fullmatch(NAME, name):
            raise InvalidInput(
                "model_name",
                text("“{name}” is not a valid model name.", name=name[:60]),
                text("Use 1 to 40 lower-case letters, digits and hyphens; start with a letter or digit."),
            )
        if name in self._models.built_in():
            raise InvalidInput(
                "model_name_taken",
                text("{name} is the name of a built-in model.", name=name),
                text("Choose another name."),
            )

    def _next_version(self, name: str) -> int:
        folder = self._models.registry_folder / name
        there = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()] if folder.is_dir() else []
        return 1 + max([0, *there, *(version.version for version in self.list() if version.name == name)])

    def _copy(self, trained: TrainedModel, model: RegisteredModel) -> None:
        """Copy a result in one step; card and facts then name the version, and no folder of this machine."""
        draft, folder = self._models.registry_folder / f".draft-{uuid4().hex}", self._models.version_folder(model)
        try:
            shutil.copytree(trained.export, draft)
            for name in ("README.md", FACTS):
                path = draft / name
                if path.is_file():
                    path.write_text(trained.redact(path.read_text(encoding="utf-8")), encoding="utf-8")
            facts = json.loads((draft / FACTS).read_text(encoding="utf-8"))
            (draft / FACTS).write_text(json.dumps(facts | {"name": model.label}, indent=1), encoding="utf-8")
            folder.parent.mkdir(parents=True, exist_ok=True)
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _measure(trained: TrainedModel, name: str, version: int, note: str) -> RegisteredModel:
    """Return the record of a trained model, which is loaded to prove that it can be."""
    from engine import KronosPredictor
    from training.run.export import read_facts

    export = trained.export
    with engine_errors(name), training_errors():
        predictor = KronosPredictor.from_pretrained(
            export / "model", tokenizer=export / "tokenizer", device="cpu", max_context=trained.context
        )
        trained_until = read_facts(export).trained_until
    return RegisteredModel(
        name=name,
        version=version,
        run_id=trained.run_id,
        base=trained.base,
        method=trained.method,
        parameters=sum(parameter.numel() for parameter in predictor.model.parameters()),
        context=trained.context,
        digest=predictor.digest,
        scores=trained.scores,
        worse=trained.worse,
        trained_until=_to_utc(datetime.fromisoformat(trained_until)),
        note=note,
        created=now(),
    )


def _to_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _flatten(scores: dict[str, Any] | None) -> dict[str, float]:
    """Return the scores of a model by `forecaster.score`."""
    by_forecaster = {name: values for name, values in (scores or {}).items() if isinstance(values, dict)}
    return {
        f"{forecaster}.{name}": float(value)
        for forecaster, values in by_forecaster.items()
        for name, value in values.items()
        if isinstance(value, int | float)
    }
