"""The track record of a model, in a sentence shown beside a new forecast.

From the ledger: forecasts of the same series made before the outcome was known. Else from `judgement.json` beside the
model's weights: the scores measured when the model was developed.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from kronos_app.errors import NotFound
from kronos_app.i18n import Text, text
from kronos_app.services.ledger.comparison import forecaster_name
from kronos_app.services.ledger.record import FEWEST_APART
from kronos_app.services.selection.training_files import group_of
from kronos_app.store.ledger import LedgerFilter

if TYPE_CHECKING:
    from kronos_app.data.candle_frame import CandleFrame
    from kronos_app.services.forecast.view import ForecastView
    from kronos_app.services.ledger.service import LedgerService
    from kronos_app.services.models.service import ModelService
    from kronos_app.store import Store

log = logging.getLogger(__name__)

JUDGEMENT = "judgement.json"
BLOCKS = ("together", "new", "all", "later")  # of a judgement, in order of preference


class _Figure(BaseModel):
    value: float
    low: float | None = None
    high: float | None = None


class _Line(BaseModel):
    """The scores of one market and interval."""

    cutoffs: int
    best_baseline: str
    crps_ratio: _Figure
    coverage_90: _Figure


@dataclass(eq=False)
class ForecastRecords:
    """Finds the track record of a model; every thread may use it."""

    _store: Store
    _models: ModelService
    _ledger: LedgerService

    def find(self, view: ForecastView) -> Text | None:
        """Return the track record of the forecast's model, None if there is none."""
        saved = self._store.candles.get(view.stored.candles_id)
        if saved is None:
            return None
        return self._from_ledger(view.model, saved.candles) or self._from_judgement(view.model, group_of(saved.candles))

    def _from_ledger(self, model: str, candles: CandleFrame) -> Text | None:
        symbol = candles.symbol
        entries = self._ledger.list(LedgerFilter(states=("graded",), model=model, symbol=symbol, ahead=True))
        total = self._ledger.summary([entry for entry in entries if entry.step == candles.interval]).total
        if total is None or total.apart < FEWEST_APART:
            return None
        return text(
            "Live forecasts of {symbol} by {model}: {verdict}", symbol=symbol, model=model, verdict=total.verdict
        )

    def _from_judgement(self, model: str, group: str) -> Text | None:
        try:
            path = Path(self._models.spec(model).model_id).parent / JUDGEMENT
            judgement = _read_judgement(path, path.stat().st_mtime_ns)
        except (NotFound, FileNotFoundError, NotADirectoryError):  # a deleted model, or one without a judgement
            return None
        except (OSError, ValueError) as error:
            return _unreadable(model, path, error)
        try:
            blocks = judgement["blocks"]
            line = next((blocks[name][group] for name in BLOCKS if group in blocks.get(name, ())), None)
            return None if line is None else _describe(model, group, _Line.model_validate(line), judgement)
        except (KeyError, TypeError, AttributeError, ValidationError) as error:
            return _unreadable(model, path, error)


def _unreadable(model: str, path: Path, error: Exception) -> Text:
    """Log why a judgement cannot be used, and return a message that says so."""
    log.warning("The judgement of %s in %s cannot be used: %s: %s", model, path, type(error).__name__, error)
    return text("The track record of {model} cannot be read; the log says why.", model=model)


@lru_cache(maxsize=8)
def _read_judgement(path: Path, _changed: int) -> dict[str, Any]:
    judgement: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return judgement


def _describe(model: str, group: str, line: _Line, judgement: dict[str, Any]) -> Text:
    removed = judgement.get("settings", {}).get("drift") == "removed"
    ratio = line.crps_ratio
    interval = text("no confidence interval")
    if ratio.low is not None and ratio.high is not None:
        interval = text("95 % CI {low}–{high}", low=f"{ratio.low:.2f}", high=f"{ratio.high:.2f}")
    return text(
        "Track record of {model} on {group}, {cutoffs} cutoffs, {drift}: CRPS {ratio} × {baseline} ({interval}); "
        "coverage of the 90 % band {coverage} %.",
        model=model,
        group=group,
        cutoffs=line.cutoffs,
        drift=text("zero-drift forecasts") if removed else text("forecasts with drift"),
        ratio=f"{ratio.value:.2f}",
        baseline=forecaster_name(line.best_baseline),
        interval=interval,
        coverage=f"{line.coverage_90.value * 100:.0f}",
    )
