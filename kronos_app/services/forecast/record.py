"""What the forecasts of a model have been worth, in a sentence to stand beside a new one.

That is the ledger's verdict on those of the same series which were made before anybody could know; else what was judged
when the model was made, in `judgement.json` beside its weights.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kronos_app.errors import AppError
from kronos_app.i18n import Text, text
from kronos_app.services.ledger.record import FEWEST_APART
from kronos_app.services.selection.training_files import group_of
from kronos_app.store.ledger import LedgerFilter

if TYPE_CHECKING:
    from kronos_app.data.candle_frame import CandleFrame
    from kronos_app.services.forecast.view import ForecastView
    from kronos_app.services.ledger.service import LedgerService
    from kronos_app.services.models.service import ModelService
    from kronos_app.store import Store

JUDGEMENT = "judgement.json"
BLOCKS = ("together", "new", "all", "later")  # of a judgement, the one to be told first


class ForecastRecords:
    """Finds the record of a model; every thread may use it."""

    def __init__(self, store: Store, models: ModelService, ledger: LedgerService) -> None:
        self._store = store
        self._models = models
        self._ledger = ledger

    def find(self, view: ForecastView) -> Text | None:
        """Return what is known of a forecast's model, None where that is nothing."""
        model, saved = str(view.stored.provenance["model"]), self._store.candles.get(view.stored.candles_id)
        if saved is None:
            return None
        return self._of_ledger(model, saved.candles) or self._judged(model, group_of(saved.candles))

    def _of_ledger(self, model: str, candles: CandleFrame) -> Text | None:
        symbol = candles.about.symbol or candles.name
        entries = self._ledger.list(LedgerFilter(states=("graded",), model=model, symbol=symbol, ahead=True))
        total = self._ledger.summary([entry for entry in entries if entry.step == candles.interval]).total
        if total is None or total.apart < FEWEST_APART:
            return None
        return text(
            "Live forecasts of {symbol} by {model}: {verdict}", symbol=symbol, model=model, verdict=total.verdict
        )

    def _judged(self, model: str, group: str) -> Text | None:
        try:
            path = Path(self._models.spec(model).model_id).parent / JUDGEMENT
            judgement = _judgement(path, path.stat().st_mtime_ns)
            return _told(model, group, _line(judgement, group), judgement.get("settings", {}).get("drift"))
        except (AppError, OSError, ValueError, KeyError, TypeError, IndexError):
            return None  # nothing was judged, or not this market


@lru_cache(maxsize=8)
def _judgement(path: Path, _changed: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _line(judgement: dict[str, Any], group: str) -> dict[str, Any]:
    blocks = judgement["blocks"]
    lines: list[dict[str, Any]] = [blocks[name][group] for name in BLOCKS if group in blocks.get(name, ())]
    return lines[0]


def _told(model: str, group: str, line: dict[str, Any], drift: str | None) -> Text:
    from training.evaluation.baselines.labels import label

    ratio = line["crps_ratio"]
    values = {
        "model": model,
        "group": group,
        "cutoffs": int(line["cutoffs"]),
        "drift": text("without drift") if drift == "removed" else text("with its drift"),
        "ratio": f"{ratio['value']:.2f}",
        "baseline": Text.from_dict(label(str(line["best_baseline"])).to_dict()),
        "coverage": f"{line['coverage_90']['value'] * 100:.0f}",
    }
    if ratio["low"] is None or ratio["high"] is None:
        return text(
            "{model} on {group}, judged {drift} at {cutoffs} cutoffs: CRPS {ratio} of that of {baseline}; the 90 % "
            "band held {coverage} %.",
            **values,
        )
    return text(
        "{model} on {group}, judged {drift} at {cutoffs} cutoffs: CRPS {ratio} of that of {baseline} (95 % interval "
        "{low}–{high}); the 90 % band held {coverage} %.",
        low=f"{ratio['low']:.2f}",
        high=f"{ratio['high']:.2f}",
        **values,
    )
