"""Models made here: registered under a name and a version, promoted, retired, compared."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kronos_app.errors import Conflict, InvalidInput, NotFound, Unavailable
from kronos_app.i18n import text
from kronos_app.services.core.engine_errors import engine_errors
from kronos_app.services.core.redaction import Redaction
from kronos_app.services.core.training_errors import training_errors, unreadable_error
from kronos_app.services.finetune import records
from kronos_app.services.models.registered_specs import NAME, RegisteredSpecs
from kronos_app.store.records import UnreadableRecord, now
from kronos_app.store.registry import Models, ModelState, Records, RegisteredModel

if TYPE_CHECKING:
    from kronos_app.services.finetune.runs import Run
    from kronos_app.services.models.service import ModelService
    from kronos_app.settings import Settings
    from kronos_app.store import Store

__all__ = ["ModelComparison", "ModelState", "RegisteredModel", "RegistryService"]

LONGEST_NOTE = 500
FACTS = "kronos.json"
COMPARED = ("base", "method", "parameters", "context", "trained_until", "worse", "state", "created", "run_id", "note")


@dataclass(frozen=True)
class ModelComparison:
    """Two versions side by side: facts in which they differ, and their scores by `forecaster.score`."""

    one: RegisteredModel
    other: RegisteredModel
    differences: tuple[tuple[str, tuple[Any, Any]], ...]
    scores: tuple[tuple[str, tuple[float | None, float | None]], ...]


class RegistryService:
    """The models made here; every thread may use it.

    Parameters
    ----------
    run_of
        Returns the run of an id.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        specs: RegisteredSpecs,
        models: ModelService,
        run_of: Callable[[str], Run],
    ) -> None:
        self._settings = settings
        self._store = store
        self._specs = specs
        self._models = models
        self._run_of = run_of
        self._lock = Lock()

    def register(self, run_id: str, name: str, note: str = "") -> RegisteredModel:
        """Keep what came of a run as the next version of `name`.

        Raises
        ------
        InvalidInput
            The name cannot be used, or the note is too long.
        NotFound
            There is no such run.
        Conflict
            The run is not finished, or its result is gone.
        Unavailable
            Its files cannot be read or copied.
        """
        self._check(name, note)
        run = self._run_of(run_id)
        _check_finished(run)
        with self._lock:
            version = self._next_version(name)
            model = self._measured(run, name, version, note.strip())
            try:
                self._copy(run, model)
            except OSError as error:
                raise _unwritable(error) from error
            self._store.registered.put(model)
        return model

    def list(self) -> Models:
        """Return all versions, by name and from the newest to the oldest."""
        return self._store.registered.list()

    def unreadable(self) -> Records:
        """Return the versions that cannot be read, by `name@version`, with the reason."""
        return self._store.registered.unreadable()

    def get(self, name: str, version: int) -> RegisteredModel:
        """Return a version.

        Raises
        ------
        NotFound
            There is none.
        Conflict
            It cannot be read.
        """
        found = self._store.registered.get(name, version) if re.fullmatch(NAME, name) else None
        if found is None:
            damaged = self._unreadable(name, version)
            if damaged is not None:
                raise unreadable_error(damaged.id, damaged.reason)
            raise NotFound(
                "model_version_not_found",
                text("There is no model {name}, version {version}.", name=name[:40], version=version),
                text("It may have been deleted; the Models page lists what there is."),
            )
        return found

    def promote(self, name: str, version: int) -> RegisteredModel:
        """Have the name alone stand for this version from now on.

        Raises
        ------
        NotFound
            There is no such version.
        Conflict
            It is retired.
        """
        with self._lock:
            model = self.get(name, version)
            if model.state == "retired":
                raise Conflict(
                    "model_retired",
                    text("{model} is retired.", model=model.label),
                    text("Restore it first."),
                )
            others = [one for one in self.list() if one.name == name and one.state == "promoted" and one != model]
            promoted = replace(model, state="promoted")
            self._store.registered.put_all([promoted, *(replace(one, state="candidate") for one in others)])
            return promoted

    def retire(self, name: str, version: int) -> RegisteredModel:
        """Take a version off offer; forecasts that were made with it still name it.

        Raises
        ------
        NotFound
            There is no such version.
        """
        return self._changed(name, version, "retired")

    def restore(self, name: str, version: int) -> RegisteredModel:
        """Put a version that was retired, or promoted, on offer beside the others.

        Raises
        ------
        NotFound
            There is no such version.
        """
        return self._changed(name, version, "candidate")

    def compare(self, a: tuple[str, int], b: tuple[str, int]) -> ModelComparison:
        """Return two versions side by side.

        Raises
        ------
        NotFound
            One of them is not there.
        """
        one, other = self.get(*a), self.get(*b)
        pairs = [(name, (getattr(one, name), getattr(other, name))) for name in COMPARED]
        differences = tuple(pair for pair in pairs if pair[1][0] != pair[1][1])
        mine, others = _numbers(one), _numbers(other)
        names = dict.fromkeys([*mine, *others])
        return ModelComparison(
            one, other, differences, tuple((name, (mine.get(name), others.get(name))) for name in names)
        )

    def delete(self, name: str, version: int) -> None:
        """Delete a version with its files.

        Raises
        ------
        NotFound
            There is no such version.
        """
        with self._lock:
            if self._unreadable(name, version) is None:
                self._models.unload(self.get(name, version).label)
            self._store.registered.delete(name, version)
            folder = self._specs.folder / name / str(version)
            gone = self._specs.folder / f".gone-{uuid4().hex}"
            with suppress(OSError):
                folder.rename(gone)
                shutil.rmtree(gone, ignore_errors=True)

    def card(self, name: str, version: int) -> str | None:
        """Return the model card in Markdown, None where its file is gone.

        Raises
        ------
        NotFound
            There is no such version.
        """
        path = self._specs.path(self.get(name, version)) / "README.md"
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def _unreadable(self, name: str, version: int) -> UnreadableRecord | None:
        return next((one for one in self.unreadable() if one.id == f"{name}@{version}"), None)

    def _changed(self, name: str, version: int, state: ModelState) -> RegisteredModel:
        with self._lock:
            model = replace(self.get(name, version), state=state)
            self._store.registered.put(model)
            return model

    def _check(self, name: str, note: str) -> None:
        if not re.fullmatch(NAME, name):
            raise InvalidInput(
                "model_name",
                text("“{name}” cannot be the name of a model.", name=name[:60]),
                text("Use 1 to 40 lower-case letters, digits and hyphens, beginning with a letter or digit."),
            )
        if name in self._models.built_in():
            raise InvalidInput(
                "model_name_taken",
                text("{name} is the name of a model that comes with Kronos Desk.", name=name),
                text("Choose another name."),
            )
        if len(note) > LONGEST_NOTE:
            raise InvalidInput(
                "model_note",
                text("The note is longer than {limit} characters.", limit=LONGEST_NOTE),
                text("Shorten it."),
            )

    def _next_version(self, name: str) -> int:
        folder = self._specs.folder / name
        there = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()] if folder.is_dir() else []
        return 1 + max([0, *there, *(one.version for one in self.list() if one.name == name)])

    def _measured(self, run: Run, name: str, version: int, note: str) -> RegisteredModel:
        """Return the record of a run's result, which is loaded to see that it can be."""
        from engine import KronosPredictor
        from training.run.export import read_facts

        export = run.folder.export
        with engine_errors(name), training_errors():
            predictor = KronosPredictor.from_pretrained(
                export / "model", tokenizer=export / "tokenizer", device="cpu", max_context=run.context
            )
            facts = read_facts(export)
        outcome = records.outcome(run)
        return RegisteredModel(
            name=name,
            version=version,
            run_id=run.id,
            base=run.base,
            method=run.config["method"]["kind"],
            parameters=sum(parameter.numel() for parameter in predictor.model.parameters()),
            context=run.context,
            digest=predictor.digest,
            scores=outcome.scores,
            worse=outcome.worse,
            trained_until=_moment(facts.trained_until),
            note=note,
            created=now(),
        )

    def _copy(self, run: Run, model: RegisteredModel) -> None:
        """Copy a result, at once or not at all; its card and facts then tell its name, and of no folder here."""
        draft, folder = self._specs.folder / f".draft-{uuid4().hex}", self._specs.path(model)
        places = Redaction(self._settings, run.config["base"], run.base)
        try:
            shutil.copytree(run.folder.export, draft)
            for name in ("README.md", FACTS):
                path = draft / name
                if path.is_file():
                    path.write_text(places.redact(path.read_text(encoding="utf-8")), encoding="utf-8")
            facts = json.loads((draft / FACTS).read_text(encoding="utf-8"))
            (draft / FACTS).write_text(json.dumps(facts | {"name": model.label}, indent=1), encoding="utf-8")
            folder.parent.mkdir(parents=True, exist_ok=True)
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _check_finished(run: Run) -> None:
    if run.status().state != "finished":
        raise Conflict(
            "run_not_finished",
            text("{name} is not finished.", name=run.name),
            text("Wait until it is, or stop it and keep the best so far."),
        )
    export = run.folder.export
    if not ((export / "model").is_dir() and (export / "tokenizer").is_dir()):
        raise Conflict(
            "export_missing",
            text("The result of {name} is not there any more.", name=run.name),
            text("Clone the run and train it anew."),
        )


def _moment(written: str | None) -> datetime | None:
    if written is None:
        return None
    moment = datetime.fromisoformat(written)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _numbers(model: RegisteredModel) -> dict[str, float]:
    """Return the scores of a model by `forecaster.score`."""
    found: dict[str, float] = {}
    for forecaster, scores in (model.scores or {}).items():
        for name, value in scores.items() if isinstance(scores, dict) else ():
            if isinstance(value, int | float):
                found[f"{forecaster}.{name}"] = float(value)
    return found


def _unwritable(error: OSError) -> Unavailable:
    return Unavailable(
        "registry_not_written",
        text("The model could not be copied to the registry: {reason}.", reason=error.strerror or str(error)),
        text("Check the free space and the permissions of the app's home."),
    )


def model_json(model: RegisteredModel) -> dict[str, Any]:
    """Return a version as the API tells it."""
    moments = {"created": model.created.isoformat(), "trained_until": None}
    if model.trained_until is not None:
        moments["trained_until"] = model.trained_until.date().isoformat()
    return {"model": model.label, **vars(model), **moments}


def comparison_json(compared: ModelComparison) -> dict[str, Any]:
    """Return two versions side by side as the API tells them."""
    one, other = model_json(compared.one), model_json(compared.other)
    return {
        "models": [one, other],
        "differences": [{"field": name, "values": [one[name], other[name]]} for name, _ in compared.differences],
        "scores": [{"score": name, "values": list(values)} for name, values in compared.scores],
    }
