"""Forecasts for pages and API: submit a request, follow its job, read the result.

Nothing after the cutoff reaches the engine: the actual candles are joined by timestamp when a forecast is read, and the
times of the forecast candles are made from the candles up to the cutoff alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import TYPE_CHECKING

from pydantic import Field

from kronos_app.errors import InvalidInput, require
from kronos_app.i18n import Text, text
from kronos_app.services.candles.doubts import doubts
from kronos_app.services.core.view import View
from kronos_app.services.forecast.listing import Annotation, ForecastItem
from kronos_app.services.forecast.plan import Plan, plan_forecast
from kronos_app.services.forecast.request import ForecastRequest
from kronos_app.services.forecast.view import ForecastView
from kronos_app.services.forecast.worker import find_forecast
from kronos_app.services.selection.setup import fill_in
from kronos_app.store.records import ANY_FORECAST, ForecastColumn, ForecastFilter, ForecastNote

if TYPE_CHECKING:
    import pandas as pd

    from engine.loading.registry import ModelSpec
    from kronos_app.data.draft import Finding
    from kronos_app.jobs import JobRunner
    from kronos_app.services.candles.service import CandleService
    from kronos_app.services.models.service import ModelService
    from kronos_app.store import Store

Items = list[ForecastItem]

KIND = "forecast"
MOST_SETUPS = 4  # that can be compared in one run
SEED_BITS = 32  # a seed that survives JSON readers which keep numbers as doubles


class Submission(View):
    """The answer to a request: a job to follow, or the id of an equal forecast that exists already."""

    job_id: str | None = Field(description="The job to follow; null where nothing had to be computed.")
    forecast_id: str | None = Field(description="An equal forecast that exists already; null while it is computed.")

    @property
    def cached(self) -> bool:
        """Return whether nothing had to be computed."""
        return self.forecast_id is not None


@dataclass(eq=False)
class ForecastService:
    """Submits, lists and reads forecasts; an unknown id raises `NotFound`."""

    _store: Store
    _jobs: JobRunner
    _candles: CandleService
    _models: ModelService

    def submit(self, request: ForecastRequest) -> Submission:
        """Check `request`, then answer from the cache or queue a job.

        Raises
        ------
        InvalidInput
            Too few candles, a horizon too long for the context, a cutoff that is not the time of a candle.
        NotFound
            Unknown candles or model.
        Conflict, TooLarge
            The queue is full.
        """
        return self.submit_all([request])[0]

    def submit_all(self, requests: Sequence[ForecastRequest]) -> list[Submission]:
        """Check all of `requests`, then answer each from the cache or queue a job for it.

        Requests without a seed get one seed in common: their differences then come from the setups alone.

        Raises as `submit`; also InvalidInput where two requests are equal.
        """
        return [self._submit(plan, spec) for plan, spec in self._plan_all(requests, secrets.randbits(SEED_BITS))]

    def check_all(self, requests: Sequence[ForecastRequest]) -> None:
        """Check `requests` as `submit_all` does; nothing is queued."""
        self._plan_all(requests, 0)

    def _plan_all(self, requests: Sequence[ForecastRequest], seed: int) -> list[tuple[Plan, ModelSpec]]:
        plans = [self._plan(request, seed) for request in requests]
        keys = [plan.key for plan, _spec in plans]
        for number, key in enumerate(keys):
            if key in keys[:number]:
                letter, other = ascii_uppercase[number], ascii_uppercase[keys.index(key)]
                raise InvalidInput(
                    "equal_setups",
                    text("Setup {letter} is equal to setup {other}.", letter=letter, other=other),
                    text("Change a setting of one of them, or remove it."),
                )
        return plans

    def _plan(self, request: ForecastRequest, seed: int) -> tuple[Plan, ModelSpec]:
        spec = self._models.spec(request.model)
        seeded = request if request.seed is not None else request.model_copy(update={"seed": seed})
        return plan_forecast(fill_in(seeded, spec), self._candles.get(request.candles_id), spec.max_context), spec

    def _submit(self, plan: Plan, spec: ModelSpec) -> Submission:
        existing = find_forecast(self._store, plan, spec, lambda: self._models.get(spec.name).digest)
        if existing is not None:
            return Submission(job_id=None, forecast_id=existing)
        job = self._jobs.submit(KIND, {"key": plan.key, **plan.request.model_dump(mode="json")})
        return Submission(job_id=job.id, forecast_id=None)

    def doubts(self, candles_id: str, cutoff: pd.Timestamp | None, lookback: int) -> list[Finding]:
        """Return what is suspicious about the candles that a forecast would be made from."""
        return doubts(self._candles.get(candles_id), cutoff, lookback)

    def get(self, forecast_id: str) -> ForecastView:
        """Return the forecast with its history and the actual candles known so far."""
        stored = require(self._store.forecasts.get(forecast_id), *_unknown(forecast_id))
        return ForecastView.of(stored, self._store.candles.get(stored.candles_id))

    def list(
        self,
        where: ForecastFilter = ANY_FORECAST,
        *,
        by: ForecastColumn = "created",
        ascending: bool = False,
        limit: int | None = None,
        offset: int = 0,
    ) -> Items:
        """Return the forecasts that match, in the order of a column; those without a value come last."""
        infos = self._store.forecasts.list(where, by=by, ascending=ascending, limit=limit, offset=offset)
        return [ForecastItem.of(info) for info in infos]

    def count(self, where: ForecastFilter = ANY_FORECAST) -> int:
        """Return the number of forecasts that match."""
        return self._store.forecasts.count(where)

    def models(self) -> Sequence[str]:
        """Return the names of the models that forecasts were made with."""
        return self._store.forecasts.models()

    def data_sets(self) -> Mapping[str, str]:
        """Return the names of the data sets that forecasts were made from, by id."""
        return self._store.forecasts.data_sets()

    def tags(self) -> Sequence[str]:
        """Return the tags of all forecasts."""
        return self._store.forecasts.tags()

    def annotate(self, forecast_id: str, annotation: Annotation) -> ForecastItem:
        """Change the tags or the note of a forecast and return its line in the list."""
        saved = self._item(forecast_id)
        changes = annotation.model_dump(exclude_none=True)
        self._store.forecasts.notes.put(
            ForecastNote(**{"id": saved.id, "tags": saved.tags, "note": saved.note} | changes)
        )
        return self._item(forecast_id)

    def change_tags(self, forecast_ids: Sequence[str], add: Sequence[str], remove: Sequence[str]) -> None:
        """Add tags to all of these forecasts and remove others, or change none.

        Raises
        ------
        InvalidInput
            A tag is too long, or a forecast would have too many.
        """
        kept = {id_: [tag for tag in self._item(id_).tags if tag not in remove] for id_ in forecast_ids}
        annotations = {id_: Annotation.build({"tags": [*tags, *add]}) for id_, tags in kept.items()}
        for id_, annotation in annotations.items():
            self.annotate(id_, annotation)

    def _item(self, forecast_id: str) -> ForecastItem:
        items = self.list(ForecastFilter(ids=(forecast_id,)))
        return require(items[0] if items else None, *_unknown(forecast_id))

    def delete(self, *forecast_ids: str) -> None:
        """Delete forecasts with their tags and notes; their candles stay."""
        self._store.forecasts.delete_all(forecast_ids)


def _unknown(forecast_id: str) -> tuple[str, Text, Text]:
    """Return code, message and hint of the error that there is no such forecast."""
    return (
        "forecast_not_found",
        text("There is no forecast {id}.", id=forecast_id),
        text("It may have been deleted; the History page lists all forecasts."),
    )
