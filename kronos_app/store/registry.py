"""Registered models by name and version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from kronos_app.store import tables
from kronos_app.store.database import Database
from kronos_app.store.records import now
from kronos_app.store.repository import Repository, Row
from training.saved import parse_saved

ModelState = Literal["candidate", "promoted", "retired"]
Models = list["RegisteredModel"]


@dataclass(frozen=True)
class RegisteredModel:
    """A version of a locally fine-tuned model.

    Attributes
    ----------
    state
        `promoted`: the version of the name without a number; `retired`: no longer available.
    run_id
        The run that made it, which may be deleted.
    base, method
        The base model and the training method.
    scores, worse
        As `TuneRun` has them.
    parameters, context
        Size of the predictor, and the maximum of history and horizon together.
    trained_until
        Last candle of its training data and that of its base models.
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
        """Return the name with the version."""
        return f"{self.name}@{self.version}"


class RegisteredModels(Repository[RegisteredModel]):
    """Registered models by name and version."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, tables.registered_models, RegisteredModel)

    def get(self, *key: str | int) -> RegisteredModel | None:
        """Return a version by name and number, None if there is none that can be read."""
        return next((model for model in self.list() if (model.name, model.version) == key), None)

    def list(self) -> Models:
        """Return all versions that can be read, by name and from the newest to the oldest."""
        return self._read_all()[0]

    def _order(self) -> Sequence[sa.ColumnElement[Any]]:
        return [self._table.c.name, self._table.c.version.desc()]

    def _record(self, row: Row) -> RegisteredModel:
        return parse_saved(RegisteredModel, dict(row), f"{row['name']}@{row['version']}")
