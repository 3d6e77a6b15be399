"""Forecasts for pages and API: submit a request, follow its job, read the result.

Nothing after the cutoff reaches the engine: the actual candles are joined by timestamp when a forecast is read, and the
times of the forecast candles are made from the candles up to the cutoff alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from kronos_app.errors import InvalidInput, require
from kronos_app.i18n import text
from kronos_app.services.candles.doubts import doubts
from kronos_app.services.core.view import View
from kronos_app.services.forecast.plan import Plan, plan_forecast
from kronos_app.services.forecast.request import ForecastRequest
from kronos_app.services.forecast.sampling import fill_in
from kronos_app.services.forecast.view import ForecastView
from kronos_app.services.forecast.worker import find_forecast
from kronos_app.store.records import ANY_FORECAST, ForecastFilter, ForecastInfo

if TYPE_CHECKING:
    import pandas as pd

    from engine.loading.registry import ModelSpec
    from kronos_app.data.draft import Finding
    from kronos_app.jobs import JobRunner
    from kronos_app.services.candles.service import CandleService
    from kronos_app.services.models.service import ModelService
    from kronos_app.store import Store

Infos = list[ForecastInfo]

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
        seed = secrets.randbits(SEED_BITS)
        plans = [self._plan(request, seed) for request in requests]
        keys = [plan.key for plan, _spec in plans]
        for number, key in enumerate(keys):
            if key in keys[:number]:
                raise InvalidInput(
                    "equal_setups",
                    text("Setup {number} is equal to setup {other}.", number=number + 1, other=keys.index(key) + 1),
                    text("Change a setting of one of them, or remove it."),
                )
        return [self._submit(plan, spec) for plan, spec in plans]

    def check(self, request: ForecastRequest) -> Plan:
        """Check `request` as `submit` does and return its plan; nothing is queued."""
        return self._plan(request, 0)[0]

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
        stored = require(
            self._store.forecasts.get(forecast_id),
            "forecast_not_found",
            text("There is no forecast {id}.", id=forecast_id),
            text("It may have been deleted; the History page lists all forecasts."),
        )
        return ForecastView.of(stored, self._store.candles.get(stored.candles_id))

    def list(self, where: ForecastFilter = ANY_FORECAST, *, limit: int | None = None, offset: int = 0) -> Infos:
        """Return the forecasts that match, newest first."""
        return self._store.forecasts.list(where, limit=limit, offset=offset)

    def count(self, where: ForecastFilter = ANY_FORECAST) -> int:
        """Return the number of forecasts that match."""
        return self._store.forecasts.count(where)

    def models(self) -> Sequence[str]:
        """Return the names of the models that forecasts were made with."""
        return self._store.forecasts.models()

    def data_sets(self) -> Mapping[str, str]:
        """Return the names of the data sets that forecasts were made from, by id."""
        return self._store.forecasts.data_sets()

    def delete(self, forecast_id: str) -> None:
        """Delete a forecast; its candles stay."""
        self._store.forecasts.delete(forecast_id)
