"""Names of forecasters for people."""

from __future__ import annotations

from training.errors import Message, message

LABELS: dict[str, Message] = {
    "tuned": message("the fine-tuned model"),
    "base": message("the base model"),
    "last_close": message("last close"),
    "drift": message("drift"),
    "ewma": message("EWMA random walk"),
    "walk_20": message("random walk with the volatility of 20 candles"),
    "walk_100": message("random walk with the volatility of 100 candles"),
    "momentum_5": message("momentum of 5 candles"),
    "bootstrap": message("bootstrap of past returns"),
    "seasonal": message("random walk with the volatility of the time of day"),
    "garch": message("GARCH(1,1)"),
    "gjr": message("GJR-GARCH"),
    "ets": message("exponential smoothing"),
    "theta": message("theta method"),
    "arima": message("ARIMA(1,1,0)"),
}


def label(name: str) -> Message:
    """Return a forecaster's name for people; its own, where it is not one of ours."""
    return LABELS.get(name, Message(name))
