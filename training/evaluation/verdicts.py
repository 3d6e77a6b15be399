"""Names of forecasters, and verdicts, as sentences that can be translated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.errors import Message, message
from training.evaluation.inference import Estimate, Outcome

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
AGAINST_BASELINE: Mapping[Outcome, Message] = {
    "unknown": message("On this data, {model} cannot be compared with {baseline}: the CRPS of {baseline} is 0."),
    "too few": message(
        "The CRPS ratio of {model} to {baseline} is {ratio}; there are too few cutoff times for a conclusion."
    ),
    "better": message("On this data, {model} is better than {baseline} (CRPS ratio {ratio}, 95 % CI {low}–{high})."),
    "worse": message("On this data, {model} is worse than {baseline} (CRPS ratio {ratio}, 95 % CI {low}–{high})."),
    "same": message(
        "On this data, {model} does not differ significantly from {baseline} (CRPS ratio {ratio}, 95 % CI "
        "{low}–{high})."
    ),
}
AGAINST_BASE: Mapping[Outcome, Message] = {
    "unknown": message("Fine-tuned and base model cannot be compared: the CRPS of the base model is 0."),
    "too few": message(
        "The CRPS ratio of the fine-tuned to the base model is {ratio}; there are too few cutoff times for a "
        "conclusion."
    ),
    "better": message("Fine-tuning improved the base model (CRPS ratio {ratio}, 95 % CI {low}–{high})."),
    "worse": message(
        "Fine-tuning made the base model worse (CRPS ratio {ratio}, 95 % CI {low}–{high}). Use the base model."
    ),
    "same": message("No significant improvement over the base model (CRPS ratio {ratio}, 95 % CI {low}–{high})."),
}


def label(name: str) -> Message:
    """Return the readable name of a forecaster; its own name where it is not one of ours."""
    return LABELS.get(name, Message(name))


def verdict_on_baseline(model: str, baseline: str, ratio: Estimate) -> Message:
    """Return one sentence on how a model compares with a baseline, from the ratio of their CRPS."""
    return _fill(AGAINST_BASELINE, ratio, model=label(model), baseline=label(baseline))


def verdict_on_base(ratio: Estimate) -> Message:
    """Return one sentence on how a fine-tuned model compares with its base, from the ratio of their CRPS."""
    return _fill(AGAINST_BASE, ratio)


def _fill(sentences: Mapping[Outcome, Message], ratio: Estimate, **values: Any) -> Message:
    shown = {"ratio": ratio.value, "low": ratio.low, "high": ratio.high}
    numbers = {name: f"{value:.3f}" for name, value in shown.items() if value is not None}
    return Message(sentences[ratio.outcome].msgid, {**values, **numbers})
