"""Records of the models that somebody made and registered, by name and version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from kronos_app.store import tables
from kronos_app.store.database import Database
from kronos_app.store.records import UnreadableRecord, now
from kronos_app.store.repositories import split
from training.saved import parse_saved

ModelState = Literal["candidate", "promoted", "retired"]
Models = list["RegisteredModel"]
Records = list[UnreadableRecord]

_models = tables.registered_models


@dataclass(frozen=True)
class RegisteredModel:
    """A version of a model made here.

    Attributes
    ----------
    state
        `promoted`: what its name alone stands for; `retired`: not on offer any more.
    run_id
        The run that made it; it may be deleted by now.
    base, method
        What training began with, and which parameters it trained.
    scores, worse
        As `RunView` has them.
    parameters, context
        Size of the predictor, and candles that history and horizon may have together.
    trained_until
        Last candle that it, or a base of it, learned from.
    digest
        SHA-256 of the weights, in hex.
    """

    name: str
    version: int
    run_id: str
    base: str | None
    method: str
    parameters: int
    context: int
    digest: str
    state: ModelState = "candidate"
    scores: dict[str, Any] | None = None
    worse: bool | None = None
    trained_until: datetime | None = None
    note: str = ""
    created: datetime = field(default_factory=now)

    @property
    def label(self) -> str:
        """Return the name of exactly this version."""
        return f"{self.name}@{self.version}"


class RegisteredModels:
    """Registered models by name and version."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, model: RegisteredModel) -> None:
        """Save a version, in place of its earlier state."""
        self._database.write(
            _models.delete().where(_is(model.name, model.version)), _models.insert().values(_row(model))
        )

    def put_all(self, models: Sequence[RegisteredModel]) -> None:
        """Save all versions or none."""
        deletes = [_models.delete().where(_is(one.name, one.version)) for one in models]
        self._database.write(*deletes, *(_models.insert().values(_row(one)) for one in models))

    def get(self, name: str, version: int) -> RegisteredModel | None:
        """Return a version, None if there is none."""
        return next((one for one in self.list() if (one.name, one.version) == (name, version)), None)

    def list(self) -> Models:
        """Return all versions that can be read, by name and from the newest to the oldest."""
        return self._split()[0]

    def unreadable(self) -> Records:
        """Return the versions that cannot be read, by `name@version`, with the reason."""
        return self._split()[1]

    def delete(self, name: str, version: int) -> None:
        """Forget a version, readable or not; an unknown one is no error."""
        self._database.write(_models.delete().where(_is(name, version)))

    def _split(self) -> tuple[Models, Records]:
        rows = self._database.read(_models.select().order_by(_models.c.name, _models.c.version.desc()))
        return split(rows, _model, _models, _label)


def _model(row: sa.RowMapping) -> RegisteredModel:
    values = {one.name: row[one.name] for one in fields(RegisteredModel)}
    return parse_saved(RegisteredModel, values, _label(row))


def _label(row: sa.RowMapping) -> str:
    return f"{row['name']}@{row['version']}"


def _row(model: RegisteredModel) -> dict[str, Any]:
    return {one.name: getattr(model, one.name) for one in fields(model)}


def _is(name: str, version: int) -> sa.ColumnElement[bool]:
    return sa.and_(_models.c.name == name, _models.c.version == version)
