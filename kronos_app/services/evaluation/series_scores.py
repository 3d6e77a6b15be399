"""The scores that an evaluation has of one series, by known weights."""

from __future__ import annotations

import json
import logging
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from kronos_app.services.ledger.grading import read_closes, same_instrument
from kronos_app.services.selection.training_files import group_of

if TYPE_CHECKING:
    from kronos_app.data.candle_frame import CandleFrame
    from kronos_app.services.evaluation.run import Evaluation

log = logging.getLogger(__name__)


def read_series_scores(
    evaluation: Evaluation, model: str, weights: str, candles: CandleFrame, cutoff: pd.Timestamp
) -> pd.DataFrame | None:
    """Return the `records` of a model on the series of `candles`, None if the evaluation has none by these weights.

    Parameters
    ----------
    weights
        Digest of the model's weights.
    cutoff
        Only candles up to this time decide whether a series of the evaluation is the same.
    """
    report = evaluation.report
    if report is None or model not in report["files"] or not _used_weights(evaluation, model, weights):
        return None
    group, symbol = group_of(candles), candles.symbol
    try:
        closes = _read_closes(evaluation.path / "candles" / f"{group}.parquet", symbol)
    except FileNotFoundError:  # an evaluation of another market or interval
        return None
    if not same_instrument(read_closes(candles, None)[:cutoff], closes[:cutoff]):
        return None
    return _read_records(tuple(evaluation.scores / name for name in report["files"][model]), group, symbol)


def _used_weights(evaluation: Evaluation, model: str, weights: str) -> bool:
    from training.evaluation.walk_forward import SETTINGS

    path = evaluation.scores / SETTINGS
    try:
        forecasters = json.loads(path.read_text(encoding="utf-8"))["forecasters"]
    except (OSError, ValueError, KeyError) as error:
        log.warning("%s cannot be read and is not used for calibration: %s", path, error)
        return False
    return str(forecasters.get(model)).startswith(f"{weights}/")


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
