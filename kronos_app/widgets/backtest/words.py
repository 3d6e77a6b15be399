"""Words of backtests that several widgets use, in the session's language."""

from __future__ import annotations

from typing import Any

from kronos_app import state
from kronos_app.charts.backtest import BacktestWords
from kronos_app.services.backtest.service import BacktestView
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import formats

DIGEST = 12  # characters that tell weights apart


def signals() -> dict[str, str]:
    """Return the signals with what readers call them."""
    points = {"last": _("end"), "mean": _("mean"), "max": _("highest"), "min": _("lowest")}
    returns = {f"{key}_return": _("Expected return, {point} of the path").format(point=p) for key, p in points.items()}
    return {
        **{key: returns[key] for key in ("mean_return", "last_return", "max_return", "min_return")},
        "risk_adjusted": _("Expected return by its deviation"),
        "probability_up": _("Chance of a rise"),
        **{key: _("Price difference, {point} of the path (as published)").format(point=p) for key, p in points.items()},
    }


def score(signal: str, value: float | None) -> str:
    """Return the score of a forecast as its signal is written: a share, a difference of prices or a ratio."""
    if signal == "probability_up":
        return formats.percent(value)
    if signal.endswith("_return"):
        return formats.percent(value, 2, signed=True)
    return formats.number(value, 4)


def rules() -> dict[str, str]:
    """Return the rules with what readers call them."""
    return {
        "topk": _("Many instruments: the best are held"),
        "single": _("One instrument: long or flat"),
    }


def deal_prices() -> dict[str, str]:
    """Return the prices that orders can be dealt at, with what readers call them."""
    return {"open": _("Opening price"), "close": _("Closing price"), "vwap": _("Average price (vwap)")}


def settings() -> dict[str, str]:
    """Return the settings of a backtest with what its form calls them."""
    return {
        "data": _("Candles to trade"),
        "model": _("Model"),
        "weights": _("Weights of the model"),
        "signal": _("Signal"),
        "lookback": _("Lookback"),
        "horizon": _("Horizon"),
        "every": _("A signal every"),
        "samples": _("Samples"),
        "seed": _("Seed"),
        "start": _("From"),
        "end": _("To"),
        "rule": _("Rule"),
        "topk": _("Instruments held"),
        "n_drop": _("Replaced a day"),
        "hold_thresh": _("Days held at least"),
        "threshold": _("Threshold"),
        "short": _("Short below its negative"),
        "account": _("Money to begin with"),
        "deal_price": _("Dealt at"),
        "limit_threshold": _("Limit"),
        "open_cost": _("Cost of buying"),
        "close_cost": _("Cost of selling"),
        "min_cost": _("Least cost of an order"),
        "slippage": _("Slippage"),
        "benchmark": _("Benchmark"),
        "random_signals": _("Random signals"),
    }


def setting(field: str, value: Any) -> str:
    """Return the value of a setting as its form shows it."""
    named = {"signal": signals, "rule": rules, "deal_price": deal_prices}
    if value is None:
        return formats.MISSING
    if field in named:
        return named[field]()[value]
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, float):
        return formats.number(value, 0) if value.is_integer() else f"{value:g}"
    return str(value)[:DIGEST] if field == "weights" else str(value)


def others(seen: BacktestView) -> dict[str, str]:
    """Return what a strategy is compared with, as readers call it."""
    return {
        "bench": seen.request.benchmark or _("Benchmark"),
        "equal_weight": _("Equal parts of all"),
        "momentum": _("Momentum, same rule"),
        "buy_and_hold": _("Holding it"),
    }


def chart_words(seen: BacktestView) -> BacktestWords:
    """Return the words of the figures."""
    from babel.dates import get_month_names

    months = get_month_names("abbreviated", locale=state.language())
    return BacktestWords(
        strategy=_("Strategy, after costs"),
        others=others(seen),
        luck=[_("Luck, 90 of 100"), _("Luck, the middle half")],
        earned=_("Earned"),
        drawdown=_("Drawdown"),
        months=[*(str(months[month]) for month in range(1, 13)), _("Year")],
    )
