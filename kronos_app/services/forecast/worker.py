"""The job that computes a forecast and keeps it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kronos_app.data.candle_frame import FEATURES
from kronos_app.services.candles.doubts import doubts, look_ahead
from kronos_app.services.core.engine_errors import engine_errors
from kronos_app.services.forecast.plan import SAMPLING, Plan, plan
from kronos_app.services.forecast.request import ForecastRequest
from kronos_app.services.forecast.sampling import settled
from kronos_app.store.records import ForecastFilter, ForecastInfo, StoredForecast, now

if TYPE_CHECKING:
    from engine import Forecast, KronosPredictor
    from engine.batch import Task
    from engine.registry import ModelSpec
    from engine.scheduler import Scheduler
    from kronos_app.services.candles.service import CandleService
    from kronos_app.services.models.service import ModelService
    from kronos_app.store import CandleSet, Store


class ForecastWorker:
    """Computes what `ForecastService` queued; several threads may run it."""

    def __init__(self, store: Store, candles: CandleService, models: ModelService, scheduler: Scheduler) -> None:
        self._store = store
        self._candles = candles
        self._models = models
        self._scheduler = scheduler

    def run(self, job: Mapping[str, Any], on_step: Callable[[int, int], None]) -> str:
        """Compute the forecast that `job` asks for, keep it and return its id; `on_step` may raise to cancel."""
        fields = {name: value for name, value in job.items() if name != "key"}
        request = ForecastRequest.read(fields, "the request of a forecast")
        spec = self._models.spec(request.model)
        request = settled(request, spec)
        saved = self._candles.get(request.candles_id)
        planned = plan(request, saved, self._models.context(request.model))
        on_step(0, 0)  # Whoever cancelled while the job waited need not wait for the model to load.
        predictor = self._models.get(request.model)
        known = find(self._store, planned, predictor.digest, spec)
        if known is not None:
            return known
        started = time.monotonic()
        with engine_errors(request.model):
            forecast = self._scheduler.forecast(predictor, _task(predictor, planned), on_step)
            if request.driftless:
                forecast = forecast.driftless()
        stored = _stored(planned, saved, spec, predictor.digest, forecast, time.monotonic() - started)
        self._store.forecasts.put(stored)
        return stored.id


def find(store: Store, planned: Plan, weights: str, spec: ModelSpec) -> str | None:
    """Return the id under which the result of `planned` is kept, None where it was never computed.

    The same content computed from another candle set (an earlier, shorter download of the series, say) is not computed
    again: it is kept once more, as a forecast of this set.
    """
    forecast_id, content = planned.forecast_id(weights), planned.content(weights)
    alike = candidates(store, planned)
    if any(info.id == forecast_id for info in alike):
        return forecast_id
    for info in alike:
        twin = store.forecasts.get(info.id)
        if twin is not None and twin.provenance["content"] == content:
            store.forecasts.put(_adopted(twin, planned, forecast_id, store.candles.get(planned.candles_id), spec))
            return forecast_id
    return None


def candidates(store: Store, planned: Plan) -> list[ForecastInfo]:
    """Return the forecasts made with the same settings at the same cutoff: the only ones that can be the same."""
    request = planned.request
    settings = planned.settings | request.model_dump(mode="json", include={"model", "lookback", "horizon"})
    return [
        info
        for info in store.forecasts.list(
            ForecastFilter(model=request.model, cutoff=planned.cutoff, horizon=request.horizon)
        )
        if settings.items() <= info.request.items()
    ]


def _adopted(
    twin: StoredForecast, planned: Plan, forecast_id: str, saved: CandleSet | None, spec: ModelSpec
) -> StoredForecast:
    return replace(
        twin,
        id=forecast_id,
        created=now(),
        candles_id=planned.candles_id,
        candles_name=planned.candles_name,
        request=planned.request.model_dump(mode="json"),
        provenance=twin.provenance | _of_data(saved, planned, spec),
    )


def _of_data(saved: CandleSet | None, planned: Plan, spec: ModelSpec) -> dict[str, Any]:
    """Return what was done to the candles, what is suspicious about them, and whether the model may have seen them."""
    if saved is None:
        return {}
    warnings = [
        *doubts(saved, planned.cutoff, len(planned.history)),
        *look_ahead(spec, saved.candles, planned.cutoff),
    ]
    return {"repair": saved.repair, "warnings": [warning.to_dict() for warning in warnings]}


def _task(predictor: KronosPredictor, planned: Plan) -> Task:
    request, history = planned.request, planned.history
    return predictor.task(
        history.frame[history.features],
        history.timestamps,
        planned.timestamps,
        **{name: getattr(request, name) for name in SAMPLING},
    )


def _stored(
    planned: Plan, saved: CandleSet, spec: ModelSpec, weights: str, forecast: Forecast, seconds: float
) -> StoredForecast:
    provenance = {
        **_of_data(saved, planned, spec),
        "model": planned.request.model,
        "digest": weights,
        "content": planned.content(weights),
        "history_rows": forecast.history_rows,
        "features": planned.history.features,
        "calendar": planned.calendar,
        "seed": forecast.seed,
        "settings": dict(forecast.settings),
        "seconds": round(seconds, 3),
    }
    assert tuple(forecast.columns) == FEATURES
    return StoredForecast(
        id=planned.forecast_id(weights),
        created=now(),
        candles_id=planned.candles_id,
        candles_name=planned.candles_name,
        request=planned.request.model_dump(mode="json"),
        provenance=provenance,
        paths=forecast.paths,
        raw_paths=forecast.raw_paths,
        timestamps=planned.timestamps,
        cutoff=planned.cutoff,
        last_close=forecast.last_close,
        repairs=forecast.repairs,
    )
