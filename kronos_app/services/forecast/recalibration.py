"""By how much the bands of a forecast should be wider or narrower, learned from forecasts before it.

The series itself is asked first: an evaluation of the model on it, then the ledger. Only forecasts whose last candle
had come at the cutoff teach. Else there is what was learned over the model's market and shipped with it. Paths are
never changed, and the ledger grades bands as they were drawn.

Evaluations are of paths with their drift; of a forecast without it they teach what its absence would have cost there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from kronos_app.errors import AppError
from kronos_app.i18n import Text, text
from kronos_app.services.ledger.grading import same_instrument
from kronos_app.services.selection.training_files import group_of
from kronos_app.store.ledger import LedgerFilter
from kronos_app.store.records import ForecastFilter

if TYPE_CHECKING:
    from kronos_app.data.candle_frame import CandleFrame
    from kronos_app.services.evaluation.folders import Evaluation, EvaluationFolders
    from kronos_app.services.forecast.view import ForecastView
    from kronos_app.services.models.service import ModelService
    from kronos_app.store import Store
    from kronos_app.store.ledger import LedgerEntry
    from kronos_app.store.records import StoredForecast
    from training.evaluation.asof import AsOf

Source = Literal["evaluation", "ledger", "model"]


@dataclass(frozen=True)
class Recalibration:
    """What the log distance of each quantile from the median is multiplied by, and how that is known.

    Attributes
    ----------
    source
        An evaluation of the model on this series, the ledger's forecasts of it, or what was shipped with the model.
    forecasts
        How many it was learned from.
    until
        The last candle among them.
    group
        Market and interval that it holds for, where it was shipped.
    """

    factor: float
    source: Source
    forecasts: int
    until: pd.Timestamp
    group: str | None = None

    @property
    def told(self) -> Text:
        """Return the same in a sentence."""
        values = {"factor": f"{self.factor:.2f}", "count": self.forecasts, "until": f"{self.until:%Y-%m-%d}"}
        if self.source == "evaluation":
            return text(
                "Recalibrated by {factor}: learned from {count} forecasts in an evaluation of it, over by {until}.",
                **values,
            )
        if self.source == "ledger":
            return text(
                "Recalibrated by {factor}: learned from {count} forecasts of it in the ledger, over by {until}.",
                **values,
            )
        return text(
            "Recalibrated by {factor}: learned from {count} validation cutoffs of {group}, over by {until}.",
            group=self.group,
            **values,
        )

    def to_dict(self, language: str = "en") -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "factor": self.factor,
            "source": self.source,
            "forecasts": self.forecasts,
            "until": self.until.isoformat(),
            "message": self.told.render(language),
        }


class Recalibrations:
    """Finds what is known for a forecast; every thread may use it."""

    def __init__(self, store: Store, models: ModelService, evaluations: EvaluationFolders) -> None:
        self._store = store
        self._models = models
        self._evaluations = evaluations

    def find(self, view: ForecastView) -> Recalibration | Text:
        """Return what is known at the forecast's cutoff, or why nothing is."""
        stored = view.stored
        saved = self._store.candles.get(stored.candles_id)
        if saved is None:
            return text("Unknown by how much: the data set of this forecast was deleted.")
        return (
            self._of_evaluations(stored, saved.candles)
            or self._of_ledger(stored, saved.candles)
            or self._of_model(stored, saved.candles)
        )

    def _of_evaluations(self, stored: StoredForecast, candles: CandleFrame) -> Recalibration | None:
        """Return what the newest evaluation teaches that was made of this series with these weights and settings."""
        for one in self._evaluations.list():
            files = _score_files(one, stored)
            if files and _is_of(one, candles, stored.cutoff):
                records = _records(files, group_of(candles), _symbol(candles))
                if records is not None and stored.driftless:
                    records = records.assign(mean=0.0)
                found = None if records is None else _learned(_known(records, stored.cutoff), "evaluation")
                if found is not None:
                    return found
        return None

    def _of_ledger(self, stored: StoredForecast, candles: CandleFrame) -> Recalibration | None:
        """Return what the ledger's forecasts of this series teach that the same weights made in the same way."""
        model = str(stored.provenance["model"])
        entries = [
            entry
            for entry in self._store.ledger.list(LedgerFilter(states=("graded",), model=model))
            if entry.weights == stored.provenance["digest"]
            and _error(entry) is not None
            and (entry.candles_id == stored.candles_id or _same_series(entry, candles))
        ]
        if not entries:
            return None
        asked = {info.id: info.request for info in self._store.forecasts.list(ForecastFilter(model=model))}
        alike = [entry for entry in entries if _made(asked.get(entry.id, {})) == _made(stored.request)]
        return _learned(_past(alike, stored.cutoff, candles.name), "ledger")

    def _of_model(self, stored: StoredForecast, candles: CandleFrame) -> Recalibration | Text:
        model, group = str(stored.provenance["model"]), group_of(candles)
        try:
            shipped = self._models.spec(model).recalibration.get(group)
        except AppError:  # the model was deleted since
            shipped = None
        if shipped is None:
            return _nothing_known(model)
        if (shipped.temperature, shipped.top_p, 0) != _drawn(stored.request):
            return text(
                "The factor of {model} is for paths drawn with temperature {temperature} and top-p {top_p}.",
                model=model,
                temperature=f"{shipped.temperature:g}",
                top_p=f"{shipped.top_p:g}",
            )
        if shipped.driftless != stored.driftless:
            return (
                text("The factor of {model} is for forecasts without drift.", model=model)
                if shipped.driftless
                else text("The factor of {model} is for forecasts with their drift.", model=model)
            )
        if stored.cutoff.date() <= shipped.until:
            return text(
                "The factor of {model} was learned from candles up to {until}, which had not come at this cutoff.",
                model=model,
                until=shipped.until.isoformat(),
            )
        return Recalibration(shipped.scale, "model", shipped.cutoffs, pd.Timestamp(shipped.until), group)


def _nothing_known(model: str) -> Text:
    from training.evaluation.calibration import FEWEST

    return text(
        "Unknown by how much: {fewest} forecasts of this series by {model} must be over at the cutoff. Evaluate it, or "
        "wait for the ledger.",
        fewest=FEWEST,
        model=model,
    )


def _learned(past: AsOf, source: Source) -> Recalibration | None:
    """Return what forecasts that were over teach, None where they are too few."""
    from training.evaluation.calibration import FEWEST, WINDOW, Variance

    if len(past) < FEWEST:
        return None
    until = pd.Timestamp(int(past.last_times(1)[0]))
    return Recalibration(Variance().factor(past), source, min(len(past), WINDOW), until)


def _score_files(evaluation: Evaluation, stored: StoredForecast) -> tuple[Path, ...]:
    """Return the files of scores of the forecast's model, none where other weights or settings made them."""
    from training.evaluation.walk_forward import SETTINGS

    model, asked = str(stored.provenance["model"]), evaluation.request
    drawn = asked.temperature, asked.top_p, 0
    report = evaluation.report()
    if report is None or model not in asked.models or drawn != _drawn(stored.request):
        return ()
    try:
        made = json.loads((evaluation.scores / SETTINGS).read_text(encoding="utf-8"))["forecasters"]
    except (OSError, ValueError, KeyError):
        return ()
    if not str(made.get(model)).startswith(f"{stored.provenance['digest']}/"):
        return ()
    return tuple(evaluation.scores / name for name in report["files"][model])


def _is_of(evaluation: Evaluation, candles: CandleFrame, cutoff: pd.Timestamp) -> bool:
    """Return whether an evaluation has this series under this name: its closes up to the cutoff say so."""
    path = evaluation.path / "candles" / f"{group_of(candles)}.parquet"
    try:
        closes = _closes(path, _symbol(candles))
    except OSError:
        return False
    known = pd.Series(candles.frame["close"].to_numpy(np.float64), index=candles.timestamps)
    return same_instrument(known[:cutoff], closes[:cutoff])


@lru_cache(maxsize=16)
def _closes(path: Path, symbol: str) -> pd.Series[float]:
    frame = pd.read_parquet(path, columns=["timestamp", "close"], filters=[("symbol", "==", symbol)])
    return frame.set_index("timestamp")["close"]


@lru_cache(maxsize=16)
def _records(files: tuple[Path, ...], group: str, symbol: str) -> pd.DataFrame | None:
    """Return the records of one series, None where there are none or they are gone; files never change."""
    filters = [("group", "==", group), ("symbol", "==", symbol)]
    try:
        found = pd.concat([pd.read_parquet(path, filters=filters) for path in files], ignore_index=True)
    except OSError:
        return None
    return None if found.empty else found


def _known(records: pd.DataFrame, cutoff: pd.Timestamp) -> AsOf:
    from training.evaluation.calibration import known_forecasts

    return known_forecasts(records, _nanoseconds(cutoff))


def _symbol(candles: CandleFrame) -> str:
    return candles.about.symbol or candles.name


def _same_series(entry: LedgerEntry, candles: CandleFrame) -> bool:
    about = candles.about
    here = candles.source, about.symbol, about.interval, about.adjustment
    return about.symbol is not None and here == (entry.source, entry.symbol, entry.interval, entry.adjustment)


def _error(entry: LedgerEntry) -> float | None:
    """Return the error of a graded forecast in deviations of its paths; grades of earlier versions lack it."""
    return (entry.grade or {}).get("error_in_deviations")


def _past(entries: Sequence[LedgerEntry], cutoff: pd.Timestamp, name: str) -> AsOf:
    """Return graded forecasts as `calibration` knows them: of mean 0 and deviation 1, and one step each."""
    from training.evaluation.asof import AsOf
    from training.evaluation.calibration import ACTUAL, DEVIATION, MEAN

    ordered = sorted(entries, key=lambda entry: entry.last)
    channels = np.full((len(ordered), 8, 1, 1), np.nan)
    channels[:, ACTUAL, 0, 0] = [_error(entry) for entry in ordered]
    channels[:, MEAN], channels[:, DEVIATION] = 0.0, 1.0
    known_at = np.array([_nanoseconds(entry.last) for entry in ordered], np.int64)
    return AsOf(known_at, channels, _nanoseconds(cutoff), name)


def _drawn(request: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(request.get(name) for name in ("temperature", "top_p", "top_k"))


def _made(request: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what must be equal where forecasts are to teach about one another."""
    return *_drawn(request), bool(request.get("driftless"))


def _nanoseconds(time: pd.Timestamp) -> int:
    return int(time.as_unit("ns").value)
