"""Calibrated bands: by how much the bands of a forecast should be wider or narrower, learned from earlier forecasts.

Sources, in this order: an evaluation of the model on the series, the ledger's forecasts of the series, and the factor
shipped with the model for its market and interval. Only forecasts that were completed at the cutoff count. Paths do not
change, and the ledger grades the bands as sampled.

An evaluation scores forecasts with drift; for a zero-drift forecast its errors are taken against a zero mean.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from kronos_app.errors import NotFound
from kronos_app.i18n import Text, text
from kronos_app.services.core.view import Message, View
from kronos_app.services.ledger.grading import same_instrument
from kronos_app.services.selection.training_files import group_of
from kronos_app.store.ledger import LedgerFilter

if TYPE_CHECKING:
    from kronos_app.data.candle_frame import CandleFrame
    from kronos_app.services.evaluation.run import Evaluation, EvaluationFolders
    from kronos_app.services.forecast.view import ForecastView
    from kronos_app.services.models.service import ModelService
    from kronos_app.store import Store
    from kronos_app.store.ledger import LedgerEntry
    from kronos_app.store.records import StoredForecast
    from training.evaluation.asof import AsOf

log = logging.getLogger(__name__)

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
    """

    factor: float
    source: Source
    forecasts: int
    until: datetime
    message: Message


def _calibration(
    factor: float, source: Source, forecasts: int, until: pd.Timestamp, group: str | None = None
) -> Calibration:
    values = {"factor": f"{factor:.2f}", "count": forecasts, "until": f"{until:%Y-%m-%d}", "group": group}
    message = Text(MESSAGES[source].msgid, values)
    return Calibration(factor=factor, source=source, forecasts=forecasts, until=until, message=message)


@dataclass(eq=False)
class Calibrations:
    """Finds the calibration of a forecast; every thread may use it."""

    _store: Store
    _models: ModelService
    _evaluations: EvaluationFolders

    def find(self, view: ForecastView) -> Calibration | Text:
        """Return the calibration known at the forecast's cutoff, or the reason why there is none."""
        stored = view.stored
        saved = self._store.candles.get(stored.candles_id)
        if saved is None:
            return text("No calibration: the data set of this forecast was deleted.")
        return (
            self._from_evaluations(stored, saved.candles)
            or self._from_ledger(stored, saved.candles)
            or self._from_model(view, group_of(saved.candles))
        )

    def _from_evaluations(self, stored: StoredForecast, candles: CandleFrame) -> Calibration | None:
        """Use the newest evaluation of this series with the same weights and sampling settings."""
        from training.evaluation.calibration import known_forecasts

        for evaluation in self._evaluations.list():
            files = _find_score_files(evaluation, stored)
            if not files or not _contains_series(evaluation, candles, stored.cutoff):
                continue
            records = _read_records(files, group_of(candles), _symbol(candles))
            if records is None:
                continue
            records = records.assign(mean=0.0) if stored.driftless else records
            calibration = _learn(known_forecasts(records, _nanoseconds(stored.cutoff)), "evaluation")
            if calibration is not None:
                return calibration
        return None

    def _from_ledger(self, stored: StoredForecast, candles: CandleFrame) -> Calibration | None:
        """Use the ledger's forecasts of this series with the same weights and sampling settings."""
        model = str(stored.provenance["model"])
        graded = LedgerFilter(states=("graded",), model=model, symbol=_symbol(candles))
        entries = [
            entry
            for entry in self._store.ledger.list(graded)
            if entry.weights == stored.provenance["digest"]
            and _error(entry) is not None
            and (entry.candles_id == stored.candles_id or _same_series(entry, candles))
        ]
        requests = self._store.forecasts.requests([entry.id for entry in entries])
        alike = [entry for entry in entries if _sampling(requests.get(entry.id, {})) == _sampling(stored.request)]
        return _learn(_past_errors(alike, stored.cutoff, candles.name), "ledger")

    def _from_model(self, view: ForecastView, group: str) -> Calibration | Text:
        from training.evaluation.calibration import FEWEST

        stored, model = view.stored, view.model
        try:
            shipped = self._models.spec(model).recalibration.get(group)
        except NotFound:  # the model was deleted
            shipped = None
        if shipped is None:
            return text(
                "No calibration: it needs {fewest} completed forecasts of this series by {model} before the cutoff. "
                "Evaluate the model on the series, or wait for the ledger.",
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


def _learn(past: AsOf, source: Source) -> Calibration | None:
    """Return the calibration from completed forecasts, None if they are too few."""
    from training.evaluation.calibration import FEWEST, WINDOW, Variance

    if len(past) < FEWEST:
        return None
    until = pd.Timestamp(int(past.last_times(1)[0]))
    return _calibration(Variance().factor(past), source, min(len(past), WINDOW), until)


def _find_score_files(evaluation: Evaluation, stored: StoredForecast) -> tuple[Path, ...]:
    """Return the score files of the forecast's model, none if the evaluation used other weights or settings."""
    from training.evaluation.walk_forward import SETTINGS

    model, request = str(stored.provenance["model"]), evaluation.request
    report = evaluation.report
    if report is None or model not in request.models:
        return ()
    if (request.temperature, request.top_p, 0) != _sampling(stored.request)[:3]:
        return ()
    path = evaluation.scores / SETTINGS
    try:
        forecasters = json.loads(path.read_text(encoding="utf-8"))["forecasters"]
    except (OSError, ValueError, KeyError) as error:
        log.warning("%s cannot be read and is not used for calibration: %s", path, error)
        return ()
    if not str(forecasters.get(model)).startswith(f"{stored.provenance['digest']}/"):
        return ()
    return tuple(evaluation.scores / name for name in report["files"][model])


def _contains_series(evaluation: Evaluation, candles: CandleFrame, cutoff: pd.Timestamp) -> bool:
    """Return whether an evaluation has this series: the same name and the same closes up to the cutoff."""
    path = evaluation.path / "candles" / f"{group_of(candles)}.parquet"
    try:
        closes = _read_closes(path, _symbol(candles))
    except FileNotFoundError:  # an evaluation of another market or interval
        return False
    known = pd.Series(candles.frame["close"].to_numpy(np.float64), index=candles.timestamps)
    return same_instrument(known[:cutoff], closes[:cutoff])


@lru_cache(maxsize=16)
def _read_closes(path: Path, symbol: str) -> pd.Series[float]:
    frame = pd.read_parquet(path, columns=["timestamp", "close"], filters=[("symbol", "==", symbol)])
    return frame.set_index("timestamp")["close"]


@lru_cache(maxsize=16)
def _read_records(files: tuple[Path, ...], group: str, symbol: str) -> pd.DataFrame | None:
    """Return the records of one series, None if there are none; the files never change."""
    filters = [("group", "==", group), ("symbol", "==", symbol)]
    try:
        records = pd.concat([pd.read_parquet(path, filters=filters) for path in files], ignore_index=True)
    except OSError as error:
        log.warning("Scores cannot be read and are not used for calibration: %s", error)
        return None
    return None if records.empty else records


def _symbol(candles: CandleFrame) -> str:
    return candles.about.symbol or candles.name


def _same_series(entry: LedgerEntry, candles: CandleFrame) -> bool:
    about = candles.about
    here = candles.source, about.symbol, about.interval, about.adjustment
    return about.symbol is not None and here == (entry.source, entry.symbol, entry.interval, entry.adjustment)


def _error(entry: LedgerEntry) -> float | None:
    """Return the error of a graded forecast in deviations of its paths; grades of earlier versions lack it."""
    return (entry.grade or {}).get("error_in_deviations")


def _past_errors(entries: Sequence[LedgerEntry], cutoff: pd.Timestamp, name: str) -> AsOf:
    """Return graded forecasts in the form of `calibration`: one step each, of mean 0 and deviation 1."""
    from training.evaluation.asof import AsOf
    from training.evaluation.calibration import ACTUAL, DEVIATION, MEAN

    ordered = sorted(entries, key=lambda entry: entry.last)
    channels = np.full((len(ordered), 8, 1, 1), np.nan)
    channels[:, ACTUAL, 0, 0] = [_error(entry) for entry in ordered]
    channels[:, MEAN], channels[:, DEVIATION] = 0.0, 1.0
    known_at = np.array([_nanoseconds(entry.last) for entry in ordered], np.int64)
    return AsOf(known_at, channels, _nanoseconds(cutoff), name)


def _sampling(request: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the settings that must be equal for one forecast to calibrate another."""
    return *(request.get(name) for name in ("temperature", "top_p", "top_k")), bool(request.get("driftless"))


def _nanoseconds(time: pd.Timestamp) -> int:
    return int(time.as_unit("ns").value)
