"""The job that computes a forecast and saves it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kronos_app.data.candle_frame import FEATURES
from kronos_app.services.candles.doubts import doubts, look_ahead
from kronos_app.services.core.engine_errors import engine_errors
from kronos_app.services.forecast.limits import history_warnings
from kronos_app.services.forecast.plan import SAMPLING, Plan, plan_forecast
from kronos_app.services.forecast.request import ForecastRequest
from kronos_app.store.records import ForecastFilter, StoredForecast, now

if TYPE_CHECKING:
    from engine import Forecast
    from engine.loading.registry import ModelSpec
    from engine.scheduler import Scheduler
    from kronos_app.services.candles.service import CandleService
    from kronos_app.services.models.service import ModelService
    from kronos_app.store import Store


@dataclass(eq=False)
class ForecastWorker:
    """Computes what `ForecastService` queued; several threads may run it."""

    _store: Store
    _candles: CandleService
    _models: ModelService
    _scheduler: Scheduler

    def run(self, job: Mapping[str, Any], on_step: Callable[[int, int], None]) -> str:
        """Compute the forecast of `job`, save it and return its id; `on_step` may raise to cancel."""
        fields = {name: value for name, value in job.items() if name != "key"}
        request = ForecastRequest.read(fields, "the request of a forecast")
        spec = self._models.spec(request.model)
        plan = plan_forecast(request, self._candles.get(request.candles_id), spec.max_context)
        on_step(0, 0)  # a job that was cancelled while it waited need not load the model
        predictor = self._models.get(request.model)
        existing = find_forecast(self._store, plan, spec, lambda: predictor.digest)
        if existing is not None:
            return existing
        started = time.monotonic()
        history = plan.history
        sampling = {name: getattr(request, name) for name in SAMPLING}
        with engine_errors(request.model):
            task = predictor.task(history.frame[history.features], history.timestamps, plan.timestamps, **sampling)
            forecast = self._scheduler.forecast(predictor, task, on_step)
            if request.driftless:
                forecast = forecast.driftless()
        record = _build_record(plan, spec, predictor.digest, forecast, time.monotonic() - started)
        self._store.forecasts.put(record)
        return record.id


def find_forecast(store: Store, plan: Plan, spec: ModelSpec, weights: Callable[[], str]) -> str | None:
    """Return the id under which the result of `plan` is saved, None if it was never computed.

    The same content computed from another candle set (such as an earlier, shorter download of the series) is not
    computed again but saved once more, as a forecast of this set.

    Parameters
    ----------
    weights
        Returns the digest of the model's weights; called only where a forecast with the same settings exists, since it
        may have to load the model.
    """
    request = plan.request
    settings = plan.settings | request.model_dump(mode="json", include={"model", "lookback", "horizon"})
    where = ForecastFilter(model=request.model, cutoff=plan.cutoff, horizon=request.horizon)
    alike = [info.id for info in store.forecasts.list(where) if settings.items() <= info.request.items()]
    if not alike:
        return None
    digest = weights()
    forecast_id, content = plan.forecast_id(digest), plan.content(digest)
    if forecast_id in alike:
        return forecast_id
    for twin_id in alike:
        twin = store.forecasts.get(twin_id)
        if twin is not None and twin.provenance["content"] == content:
            provenance = twin.provenance | _describe_data(plan, spec)
            store.forecasts.put(replace(twin, provenance=provenance, **_describe_request(plan, forecast_id)))
            return forecast_id
    return None


def _describe_request(plan: Plan, forecast_id: str) -> dict[str, Any]:
    return {
        "id": forecast_id,
        "created": now(),
        "candles_id": plan.candle_set.id,
        "candles_name": plan.candle_set.title,
        "request": plan.request.model_dump(mode="json"),
    }


def _describe_data(plan: Plan, spec: ModelSpec) -> dict[str, Any]:
    """Return how the candles were repaired, and the warnings: about the history, its candles, a possible look-ahead."""
    warnings = [
        *doubts(plan.candle_set, plan.cutoff, len(plan.history)),
        *look_ahead(spec, plan.candle_set.candles, plan.cutoff),
        *history_warnings(plan),
    ]
    return {"repair": plan.candle_set.repair, "warnings": [warning.to_dict() for warning in warnings]}


def _build_record(plan: Plan, spec: ModelSpec, weights: str, forecast: Forecast, seconds: float) -> StoredForecast:
    provenance = {
        **_describe_data(plan, spec),
        "model": plan.request.model,
        "digest": weights,
        "content": plan.content(weights),
        "history_rows": forecast.history_rows,
        "features": plan.history.features,
        "calendar": plan.calendar,
        "seed": forecast.seed,
        "settings": dict(forecast.settings),
        "seconds": round(seconds, 3),
    }
    assert tuple(forecast.columns) == FEATURES
    return StoredForecast(
        **_describe_request(plan, plan.forecast_id(weights)),
        provenance=provenance,
        paths=forecast.paths,
        raw_paths=forecast.raw_paths,
        timestamps=plan.timestamps,
        cutoff=plan.cutoff,
        last_close=forecast.last_close,
        repairs=forecast.repairs,
    )
