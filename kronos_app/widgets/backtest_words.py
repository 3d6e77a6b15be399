"""Words of backtests that several widgets use, in the session's language."""

from __future__ import annotations

from kronos_app import state
from kronos_app.charts.backtest import BacktestWords
from kronos_app.services.backtest import BacktestView
from kronos_app.widgets import formats, work_words
from kronos_app.widgets.work_words import badge

__all__ = ["badge", "chart_words", "details", "others", "sentence", "signals"]


def signals() -> dict[str, str]:
    """Return the signals with what readers call them."""
    _ = state.gettext()
    points = {"last": _("end"), "mean": _("mean"), "max": _("highest"), "min": _("lowest")}
    returns = {f"{key}_return": _("Expected return, {point} of the path").format(point=p) for key, p in points.items()}
    return {
        **{key: returns[key] for key in ("mean_return", "last_return", "max_return", "min_return")},
        "risk_adjusted": _("Expected return by its deviation"),
        "probability_up": _("Chance of a rise"),
        **{key: _("Price difference, {point} of the path (as published)").format(point=p) for key, p in points.items()},
    }


def details(seen: BacktestView) -> str:
    """Return what a backtest is made of, in one line."""
    _ = state.gettext()
    request = seen.request
    rule = (
        _("the best {topk}, {n_drop} replaced a day").format(topk=request.topk, n_drop=request.n_drop)
        if request.rule == "topk"
        else _("long or short")
        if request.short
        else _("long or flat")
    )
    return " · ".join(
        [
            signals()[request.signal],
            rule,
            _("{lookback} candles → {horizon}").format(lookback=request.lookback, horizon=request.horizon),
            _("{samples} paths each").format(samples=request.samples),
            _("begun {moment}").format(moment=formats.moment(seen.created)),
        ]
    )


def sentence(seen: BacktestView) -> str:
    """Return how far it is and how long it will take, as far as that is known."""
    _ = state.gettext()
    return work_words.sentence(
        seen,
        loading=_("Loading the model"),
        counted=_("Signals of {done} of {total} days"),
        ending=_("Trading by the signals, and by random ones"),
    )


def others(seen: BacktestView) -> dict[str, str]:
    """Return what a strategy is compared with, as readers call it."""
    _ = state.gettext()
    return {
        "bench": seen.request.benchmark or _("Benchmark"),
        "equal_weight": _("Equal parts of all"),
        "momentum": _("Momentum, same rule"),
        "buy_and_hold": _("Holding it"),
    }


def chart_words(seen: BacktestView) -> BacktestWords:
    """Return the words of the figures."""
    from babel.dates import get_month_names

    _ = state.gettext()
    months = get_month_names("abbreviated", locale=state.language())
    return BacktestWords(
        strategy=_("Strategy, after costs"),
        others=others(seen),
        luck=[_("Luck, 90 of 100"), _("Luck, the middle half")],
        earned=_("Earned"),
        drawdown=_("Drawdown"),
        months=[*(str(months[month]) for month in range(1, 13)), _("Year")],
    )
