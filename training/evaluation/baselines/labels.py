"""Names of forecasters for people."""

from __future__ import annotations

from training.errors import Remark, remark

LABELS: dict[str, Remark] = {
    "tuned": remark("the fine-tuned model"),
    "base": remark("the base model"),
    "last_close": remark("last close"),
    "drift": remark("drift"),
    "ewma": remark("EWMA random walk"),
    "walk_20": remark("random walk with the volatility of 20 candles"),
    "walk_100": remark("random walk with the volatility of 100 candles"),
    "momentum_5": remark("momentum of 5 candles"),
    "bootstrap": remark("bootstrap of past returns"),
    "seasonal": remark("random walk with the volatility of the time of day"),
    "garch": remark("GARCH(1,1)"),
    "gjr": remark("GJR-GARCH"),
    "ets": remark("exponential smoothing"),
    "theta": remark("theta method"),
    "arima": remark("ARIMA(1,1,0)"),
}


def label(name: str) -> Remark:
    """Return a forecaster's name for people; its own, where it is not one of ours."""
    return LABELS.get(name, Remark(name))
