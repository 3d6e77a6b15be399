"""Forecasts for pages and API: ask for one, follow its job, look at it again.

The cutoff is a wall. What lies behind it in the candle set is joined by timestamp when a forecast is looked at, and
never handed to the engine; the future's timestamps are made from the candles up to the cutoff alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kronos_app.errors import NotFound
from kronos_app.i18n import text
from kronos_app.services.candles.doubts import doubts
from kronos_app.services.forecast.plan import Plan, plan
from kronos_app.services.forecast.request import (
    DEFAULT_LEVELS,
    PRESETS,
    ForecastRequest,
    ForecastSettings,
    Preset,
)
from kronos_app.services.forecast.sampling import settled
from kronos_app.services.forecast.view import ForecastView
from kronos_app.services.forecast.worker import candidates, find
from kronos_app.store.records import ANY_FORECAST, ForecastFilter, ForecastInfo

if TYPE_CHECKING:
    import pandas as pd

    from kronos_app.data.draft import Finding
    from kronos_app.jobs import JobRunner
    from kronos_app.services.candles.service import CandleService
    from kronos_app.services.models.service import ModelService
    from kronos_app.store import Store

__all__ = [
    "DEFAULT_LEVELS",
    "PRESETS",
    "ForecastRequest",
    "ForecastService",
    "ForecastSettings",
    "ForecastView",
    "Preset",
    "Submission",
]

Infos = list[ForecastInfo]

KIND = "forecast"
# A seed that survives JSON readers which keep numbers as doubles.
SEED_BITS = 32


@dataclass(frozen=True)
class Submission:
    """What became of a request: a job to follow, or at once the forecast that an equal request had made."""

    job_id: str | None
    forecast_id: str | None
    cached: bool


class ForecastService:
    """Forecasts: made in the background, kept, listed, compared with what came."""

    def __init__(self, store: Store, jobs: JobRunner, candles: CandleService, models: ModelService) -> None:
        self._store = store
        self._jobs = jobs
        self._candles = candles
        self._models = models

    def submit(self, request: ForecastRequest) -> Submission:
        """Check `request`, then answer from the cache or queue a job.

        Raises
        ------
        InvalidInput
            Too few candles, a context that is too small, a cutoff that is not the time of a candle.
        NotFound
            Unknown candles or model.
        Conflict, TooLarge
            Too many jobs wait already.
        """
        seed = secrets.randbits(SEED_BITS) if request.seed is None else request.seed
        request = settled(request, self._models.spec(request.model)).model_copy(update={"seed": seed})
        planned = plan(request, self._candles.get(request.candles_id), self._models.context(request.model))
        known = self._known(planned)
        if known is not None:
            return Submission(None, known, cached=True)
        job = self._jobs.submit(KIND, {"key": planned.key, **request.model_dump(mode="json")})
        return Submission(job.id, None, cached=False)

    def _known(self, planned: Plan) -> str | None:
        if not candidates(self._store, planned):
            return None
        # Worth loading the model for its digest: an equal request was answered before, perhaps with other weights.
        model = planned.request.model
        return find(self._store, planned, self._models.get(model).digest, self._models.spec(model))

    def doubts(self, candles_id: str, cutoff: pd.Timestamp | None, lookback: int) -> list[Finding]:
        """Return what is suspicious about the candles that a forecast would be made from.

        Raises
        ------
        NotFound
            Unknown candles.
        """
        return doubts(self._candles.get(candles_id), cutoff, lookback)

    def get(self, forecast_id: str) -> ForecastView:
        """Return the forecast with its history and what is known of the outcome.

        Raises
        ------
        NotFound
            No such forecast.
        """
        stored = self._store.forecasts.get(forecast_id)
        if stored is None:
            raise NotFound(
                "forecast_not_found",
                text("There is no forecast {id}.", id=forecast_id),
                text("It may have been deleted; History lists what there is."),
            )
        return ForecastView.of(stored, self._store.candles.get(stored.candles_id))

    def list(self, wanted: ForecastFilter = ANY_FORECAST, *, limit: int | None = None, offset: int = 0) -> Infos:
        """Return the forecasts that fit, newest first."""
        return self._store.forecasts.list(wanted, limit=limit, offset=offset)

    def count(self, wanted: ForecastFilter = ANY_FORECAST) -> int:
        """Return how many forecasts fit."""
        return self._store.forecasts.count(wanted)

    def models(self) -> Sequence[str]:
        """Return the names of the models that forecasts were made with."""
        return self._store.forecasts.models()

    def data_sets(self) -> Mapping[str, str]:
        """Return the names of the data sets that forecasts were made from, by id."""
        return self._store.forecasts.data_sets()

    def delete(self, forecast_id: str) -> None:
        """Forget a forecast; its candles stay."""
        self._store.forecasts.delete(forecast_id)
