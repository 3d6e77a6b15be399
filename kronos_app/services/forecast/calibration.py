"""Calibrated bands: by how much the bands of a forecast should be wider or narrower, learned from earlier forecasts.

Sources, in this order: an evaluation of the model on the series, the ledger's forecasts of the series, and the factor
shipped with the model for its market and interval. Only forecasts that were completed at the cutoff count. Paths do not
change, and the ledger grades the bands as sampled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from kronos_app.errors import NotFound
from kronos_app.i18n import Text, text
from kronos_app.services.core.view import Message, View
from kronos_app.services.evaluation.series_scores import read_series_scores
from kronos_app.services.selection.training_files import group_of
from kronos_app.store.ledger import LedgerFilter

if TYPE_CHECKING:
    from kronos_app.data.candle_frame import CandleFrame
    from kronos_app.services.evaluation.run import Evaluation
    from kronos_app.services.evaluation.service import EvaluationService
    from kronos_app.services.forecast.view import ForecastView
    from kronos_app.services.models.service import ModelService
    from kronos_app.store import Store
    from kronos_app.store.ledger import LedgerEntry
    from kronos_app.store.records import StoredForecast

Source = Literal["evaluation", "ledger", "model"]
MESSAGES: dict[Source, Text] = {
    "evaluation": text(
        "Calibration factor {factor}, from {count} forecasts of this series in an evaluation, completed by {until}."
    ),
    "ledger": text(
        "Calibration factor {factor}, from {count} forecasts of this series in the ledger, completed by {until}."
    ),
    "model": text("Calibration factor {factor}, from {count} validation cutoffs of {group}, completed by {until}."),
}


class Calibration(View):
    """The factor of the log distance of each quantile from the median, and what it was learned from.

    Attributes
    ----------
    forecasts
        Number of forecasts it was learned from.
    until
        Time of the last candle among them.
    evaluation
        Id of the evaluation it was learned from, None for the other sources.
    same_window
        Whether the evaluation had the lookback and the horizon of the forecast.
    """

    factor: float
    source: Source
    forecasts: int
    until: datetime
    message: Message
    evaluation: str | None = None
    same_window: bool = False


def _calibration(
    factor: float, source: Source, forecasts: int, until: pd.Timestamp, group: str = "", **fields: Any
) -> Calibration:
    values = {"factor": f"{factor:.2f}", "count": forecasts, "until": f"{until:%Y-%m-%d}", "group": group}
    message = Text(MESSAGES[source].msgid, values)
    return Calibration(factor=factor, source=source, forecasts=forecasts, until=until, message=message, **fields)


@dataclass(eq=False)
class Calibrations:
    """Finds the calibration of a forecast; every thread may use it."""

    _store: Store
    _models: ModelService
    _evaluations: EvaluationService

    def find(self, view: ForecastView) -> Calibration | Text:
        """Return the calibration known at the forecast's cutoff, or the reason why there is none."""
        stored = view.stored
        saved = self._store.candles.get(stored.candles_id)
        if saved is None:
            return text("No calibration: the data set of this forecast was deleted.")
        runs = sorted(self._evaluations.list(), key=lambda run: not _same_window(run, stored))
        learned = (_from_evaluation(run, stored, saved.candles) for run in runs)
        return (
            next(filter(None, learned), None)
            or self._from_ledger(stored, saved.candles)
            or self._from_model(view, group_of(saved.candles))
        )

    def _from_ledger(self, stored: StoredForecast, candles: CandleFrame) -> Calibration | None:
        """Learn from the ledger's forecasts of this series with the same weights and sampling settings."""
        from training.evaluation.calibration import FEWEST, WINDOW

        graded = LedgerFilter(states=("graded",), model=str(stored.provenance["model"]), symbol=candles.symbol)
        entries = [
            entry
            for entry in self._store.ledger.list(graded)
            if entry.weights == stored.provenance["digest"]
            and entry.last <= stored.cutoff
            and _error(entry) is not None
            and (entry.candles_id == stored.candles_id or _same_series(entry, candles))
        ]
        requests = self._store.forecasts.requests([entry.id for entry in entries])
        alike = [entry for entry in entries if _sampling(requests.get(entry.id, {})) == _sampling(stored.request)]
        newest = sorted(alike, key=lambda entry: entry.last)[-WINDOW:]
        if len(newest) < FEWEST:
            return None
        errors = np.array([_error(entry) for entry in newest], np.float64)
        return _calibration(float(np.sqrt((errors**2).mean())), "ledger", len(newest), newest[-1].last)

    def _from_model(self, view: ForecastView, group: str) -> Calibration | Text:
        from training.evaluation.calibration import FEWEST

        stored, model = view.stored, view.model
        try:
            shipped = self._models.spec(model).recalibration.get(group)
        except NotFound:  # the model was deleted
            shipped = None
        if shipped is None:
            return text(
                "No calibration: it needs {fewest} completed forecasts of this series by {model} before the cutoff.",
                fewest=FEWEST,
                model=model,
            )
        if (shipped.temperature, shipped.top_p, 0, shipped.driftless) != _sampling(stored.request):
            return text(
                "No calibration: the factor of {model} is for temperature {temperature}, top-p {top_p} and {drift}.",
                model=model,
                temperature=f"{shipped.temperature:g}",
                top_p=f"{shipped.top_p:g}",
                drift=text("zero-drift forecasts") if shipped.driftless else text("forecasts with drift"),
            )
        if stored.cutoff.date() <= shipped.until:
            return text(
                "No calibration: the factor of {model} was learned from candles up to {until}, after this cutoff.",
                model=model,
                until=shipped.until.isoformat(),
            )
        return _calibration(shipped.scale, "model", shipped.cutoffs, pd.Timestamp(shipped.until), group)


def _from_evaluation(evaluation: Evaluation, stored: StoredForecast, candles: CandleFrame) -> Calibration | None:
    """Learn from an evaluation of this series with the same weights and sampling settings.

    One of forecasts with drift serves a zero-drift forecast, too: its errors are then taken against a zero mean.
    """
    from training.evaluation.calibration import FEWEST, WINDOW, Variance, known_forecasts

    model, weights = str(stored.provenance["model"]), str(stored.provenance["digest"])
    setup = evaluation.setups.get(model)
    if setup is None:
        return None
    *others, driftless = _sampling(setup.model_dump())
    *own, centred = _sampling(stored.request)
    if others != own or (driftless and not centred):
        return None
    records = read_series_scores(evaluation, model, weights, candles, stored.cutoff)
    if records is None:
        return None
    records = records.assign(mean=0.0) if centred and not driftless else records
    past = known_forecasts(records, int(stored.cutoff.as_unit("ns").value))
    if len(past) < FEWEST:
        return None
    until = pd.Timestamp(int(past.last_times(1)[0]))
    factor, count, same_window = Variance().factor(past), min(len(past), WINDOW), _same_window(evaluation, stored)
    return _calibration(factor, "evaluation", count, until, evaluation=evaluation.id, same_window=same_window)


def _same_window(evaluation: Evaluation, stored: StoredForecast) -> bool:
    request = evaluation.request
    return (request.lookback, request.horizon) == (stored.provenance["history_rows"], len(stored.timestamps))


def _same_series(entry: LedgerEntry, candles: CandleFrame) -> bool:
    about = candles.about
    here = candles.source, about.symbol, about.interval, about.adjustment
    return about.symbol is not None and here == (entry.source, entry.symbol, entry.interval, entry.adjustment)


def _error(entry: LedgerEntry) -> float | None:
    """Return the error of a graded forecast in deviations of its paths; grades of earlier versions lack it."""
    return (entry.grade or {}).get("error_in_deviations")


def _sampling(request: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the settings that must be equal for one forecast to calibrate another; 0 is "off" for the last two."""
    return request.get("temperature"), request.get("top_p"), request.get("top_k", 0), bool(request.get("driftless"))
