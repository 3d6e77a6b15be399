"""Names of signals, rules, settings and benchmarks in the session's language."""

from __future__ import annotations

from typing import Any

from kronos_app import state
from kronos_app.charts.backtest import BacktestWords
from kronos_app.i18n import text
from kronos_app.services.backtest.service import Backtest
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import formats
from kronos_app.widgets.runs.setup import LABELS

DIGEST = 12  # characters of a digest
SETTINGS = {
    "data": text("Candles to trade"),
    "model": text("Model"),
    "weights": text("Weights of the model"),
    "signal": text("Signal"),
    **LABELS,
    "every": text("A signal every"),
    "start": text("From"),
    "end": text("To"),
    "rule": text("Rule"),
    "topk": text("Instruments held"),
    "n_drop": text("Instruments replaced a day"),
    "hold_thresh": text("Minimum holding time"),
    "threshold": text("Threshold"),
    "short": text("Short below its negative"),
    "account": text("Initial capital"),
    "deal_price": text("Execution price"),
    "limit_threshold": text("Price limit"),
    "open_cost": text("Cost of buying"),
    "close_cost": text("Cost of selling"),
    "min_cost": text("Minimum commission"),
    "slippage": text("Slippage"),
    "benchmark": text("Benchmark"),
    "random_signals": text("Random signals"),
}

UNITS = {
    "lookback": text("candles"),
    "horizon": text("candles"),
    "samples": text("paths"),
    "every": text("days"),
    "hold_thresh": text("days"),
    "open_cost": text("bp"),
    "close_cost": text("bp"),
    "slippage": text("bp"),
    "limit_threshold": text("%"),
}
SCALES = {"open_cost": 1e4, "close_cost": 1e4, "slippage": 1e4, "limit_threshold": 100.0}  # of shares in the form


def signal_names() -> dict[str, str]:
    """Return the names of the signals."""
    points = {"last": _("end"), "mean": _("mean"), "max": _("highest"), "min": _("lowest")}
    returns = {f"{key}_return": _("Expected return, {point} of the path").format(point=p) for key, p in points.items()}
    return {
        **{key: returns[key] for key in ("mean_return", "last_return", "max_return", "min_return")},
        "risk_adjusted": _("Expected return / standard deviation"),
        "probability_up": _("Probability of a rise"),
        **{key: _("Price difference, {point} of the path (as published)").format(point=p) for key, p in points.items()},
    }


def format_score(signal: str, value: float | None) -> str:
    """Return the score of a forecast as its signal is written: a percentage, a price difference or a ratio."""
    if signal == "probability_up":
        return formats.percent(value)
    if signal.endswith("_return"):
        return formats.percent(value, 2, signed=True)
    return formats.number(value, 4)


def rule_names() -> dict[str, str]:
    """Return the names of the rules."""
    return {"topk": _("TopkDropout: hold the best instruments"), "single": _("One instrument: long or flat")}


def price_names() -> dict[str, str]:
    """Return the names of the execution prices."""
    return {"open": _("Open price"), "close": _("Close price"), "vwap": _("Average price (VWAP)")}


def format_setting(field: str, value: Any) -> str:
    """Return the value of a setting as in the form."""
    names = {"signal": signal_names, "rule": rule_names, "deal_price": price_names}
    if value is None:
        return formats.MISSING
    if field in names:
        return names[field]()[value]
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if field in SCALES:
        return f"{value * SCALES[field]:g} {state.say(UNITS[field])}"
    if isinstance(value, float):
        return formats.number(value, 0) if value.is_integer() else f"{value:g}"
    return str(value)[:DIGEST] if field == "weights" else str(value)


def benchmark_names(backtest: Backtest) -> dict[str, str]:
    """Return the names of what a strategy is compared with."""
    return {
        "bench": backtest.request.benchmark or _("Benchmark"),
        "equal_weight": _("Equal-weight portfolio"),
        "momentum": _("Momentum, same rule"),
        "buy_and_hold": _("Buy and hold"),
    }


def chart_words(backtest: Backtest) -> BacktestWords:
    """Return the words of the figures."""
    from babel.dates import get_month_names

    months = get_month_names("abbreviated", locale=state.language())
    return BacktestWords(
        strategy=_("Strategy, after costs"),
        benchmarks=benchmark_names(backtest),
        luck=[_("Random signals, 5–95 %"), _("Random signals, 25–75 %")],
        cumulative_return=_("Cumulative return"),
        drawdown=_("Drawdown"),
        months=[*(str(months[month]) for month in range(1, 13)), _("Year")],
    )
