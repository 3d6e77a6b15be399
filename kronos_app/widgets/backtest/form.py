"""A new backtest: candles, model, signal, rule, costs, what it comes to, and Start."""

from __future__ import annotations

from datetime import date
from typing import Any

import streamlit as st

from kronos_app import nav, state
from kronos_app.errors import AppError
from kronos_app.runtime import desk
from kronos_app.services.backtest.service import BacktestData, BacktestRequest
from kronos_app.state import gettext as _
from kronos_app.widgets.backtest import data as backtest_data
from kronos_app.widgets.backtest import words as backtest_words
from kronos_app.widgets.kit import errors, formats
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.models import choice as model_choice

BACKTEST = "backtest"  # the address names one by this
EARLIEST = date(1970, 1, 1)
DEFAULTS = {name: field.default for name, field in BacktestRequest.model_fields.items()}
TOPK, SINGLE = "topk", "single"


def draw() -> None:
    """Draw the form."""
    first, second = st.columns(2, gap="large")
    with first, errors.shown():
        data = backtest_data.draw()
    with second:
        fields: dict[str, Any] = {"model": _model(), "signal": _signal()}
    fields |= _forecasts()
    fields |= _rule()
    fields |= _dealing(fields["rule"])
    if data is None:
        st.caption(_("Choose candles first."))
        return
    with errors.shown():
        fields["benchmark"] = _benchmark(data) if fields["rule"] == TOPK else None
        _offer(data, fields)


def adopt(request: BacktestRequest) -> None:
    """Set the form to what a backtest was made with."""
    backtest_data.adopt(request.data)
    st.session_state[state.BACKTEST_MODEL] = request.model
    for name, value in request.model_dump().items():
        if name not in {"data", "model"}:
            st.session_state[_key(name)] = value


def _key(field: str) -> str:
    return f"{state.BACKTEST_FIELD}.{field}"


def _model() -> str:
    offered = model_choice.offered()
    if st.session_state.get(state.BACKTEST_MODEL) not in offered:
        st.session_state[state.BACKTEST_MODEL] = state.model()
    return str(st.selectbox(_("Model"), list(offered), key=state.BACKTEST_MODEL, persist_state="session"))


def _signal() -> str:
    names = backtest_words.signals()
    state.default(_key("signal"), DEFAULTS["signal"])
    chosen = st.selectbox(
        _("Signal"),
        list(names),
        format_func=names.__getitem__,
        key=_key("signal"),
        persist_state="session",
        help=_(
            "What each forecast is reduced to. Differences of prices, as published, put dear instruments first or "
            "last; shares of the price do not."
        ),
    )
    return str(chosen)


def _forecasts() -> dict[str, Any]:
    columns = st.columns(4)
    every = _("Days from one signal to the next: fewer signals take less time.")
    return {
        "lookback": _count(columns[0], _("Lookback"), "lookback", 16, 2048),
        "horizon": _count(columns[1], _("Horizon"), "horizon", 1, 512),
        "every": _count(columns[2], _("A signal every"), "every", 1, 500, every),
        "samples": _count(columns[3], _("Samples"), "samples", 1, 500, _("Paths of each forecast.")),
    }


def _rule() -> dict[str, Any]:
    names = backtest_words.rules()
    columns = st.columns([2, 1, 1])
    with columns[0]:
        state.default(_key("rule"), TOPK)
        rule = st.selectbox(
            _("Rule"),
            list(names),
            format_func=names.__getitem__,
            key=_key("rule"),
            persist_state="session",
            help=_("TopkDropout as Qlib has it; or one instrument that is bought above a threshold and sold below."),
        )
    period = {
        field: columns[place].date_input(
            label, None, EARLIEST, key=_key(field), persist_state="session", help=_("Empty: as far as candles reach.")
        )
        for place, field, label in ((1, "start", _("From")), (2, "end", _("To")))
    }
    places = st.columns(4)
    if rule == SINGLE:
        state.default(_key("threshold"), DEFAULTS["threshold"])
        state.default(_key("short"), DEFAULTS["short"])
        threshold = places[0].number_input(
            _("Threshold"),
            0.0,
            step=0.001,
            format="%.4f",
            key=_key("threshold"),
            persist_state="session",
            help=_("In units of the signal: long above it. A chance of a rise counts from one half."),
        )
        short = places[1].checkbox(_("Short below its negative"), key=_key("short"), persist_state="session")
        return {"rule": rule, "threshold": threshold, "short": short, **period}
    return {
        "rule": rule,
        "topk": _count(places[0], _("Instruments held"), "topk", 1, 500, "topk"),
        "n_drop": _count(places[1], _("Replaced a day"), "n_drop", 1, 500, "n_drop"),
        "hold_thresh": _count(places[2], _("Days held at least"), "hold_thresh", 1, 500, "hold_thresh"),
        **period,
    }


def _dealing(rule: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with st.expander(_("Costs and dealing"), icon=":material/payments:"):
        columns = st.columns(4)
        found["account"] = _amount(columns[0], _("Money to begin with"), "account", 1.0, None, 10_000.0, "%.0f")
        found["open_cost"] = _amount(columns[1], _("Cost of buying"), "open_cost", 0.0, 0.49, 0.0001)
        found["close_cost"] = _amount(columns[2], _("Cost of selling"), "close_cost", 0.0, 0.49, 0.0001)
        found["slippage"] = _amount(columns[3], _("Slippage"), "slippage", 0.0, 0.49, 0.0001)
        if rule == TOPK:
            names = backtest_words.deal_prices()
            state.default(_key("deal_price"), DEFAULTS["deal_price"])
            found["deal_price"] = columns[0].selectbox(
                _("Dealt at"),
                list(names),
                format_func=names.__getitem__,
                key=_key("deal_price"),
                persist_state="session",
                help=_("Of the day after the signal."),
            )
            found["min_cost"] = _amount(columns[1], _("Least cost of an order"), "min_cost", 0.0, None, 1.0, "%.2f")
            found["limit_threshold"] = columns[2].number_input(
                _("Limit"),
                0.001,
                10.0,
                value=None,
                step=0.005,
                format="%.4f",
                key=_key("limit_threshold"),
                persist_state="session",
                placeholder=_("none"),
                help=_("No order on a day whose close moved so far: 0.095 for most A-shares."),
            )
        seed = _("Of paths and of random signals: the same gives the same result.")
        found["seed"] = _count(columns[3], _("Seed"), "seed", 0, 2**32 - 1, seed)
    return found


def _count(place: Any, label: str, field: str, least: int, most: int, about: str | None = None) -> int:
    state.default(_key(field), DEFAULTS[field])
    return int(place.number_input(label, least, most, step=1, key=_key(field), persist_state="session", help=about))


def _amount(
    place: Any, label: str, field: str, least: float, most: float | None, step: float, form: str = "%.4f"
) -> float:
    state.default(_key(field), DEFAULTS[field])
    value = place.number_input(label, least, most, step=step, format=form, key=_key(field), persist_state="session")
    return float(value)


def _benchmark(data: BacktestData) -> str | None:
    names = desk().backtests.names(data)
    if st.session_state.get(_key("benchmark")) not in names:
        st.session_state[_key("benchmark")] = None
    chosen: str | None = st.selectbox(
        _("Benchmark"),
        names,
        index=None,
        placeholder=_("none"),
        key=_key("benchmark"),
        persist_state="session",
        help=_("An index among the chosen candles: it is compared with and not traded."),
    )
    return chosen


def _offer(data: BacktestData, fields: dict[str, Any]) -> None:
    """Say what it comes to, and offer to start."""
    request = BacktestRequest.build({"data": data, **fields})
    plan = desk().backtests.plan(request)
    with st.container(horizontal=True, gap="medium"):
        st.metric(_("Instruments"), formats.number(plan.instruments, 0), width=150)
        st.metric(_("Forecasts, at most"), formats.number(plan.forecasts, 0), width=190)
        st.metric(_("Paths, at most"), formats.number(plan.forecasts * request.samples, 0), width=190)
    for note in plan.notes:
        st.caption(":material/info: " + escape(state.say(note)))
    if st.button(_("Start"), type="primary", icon=":material/play_arrow:", key="backtest.start"):
        try:
            started = desk().backtests.start(request)
        except AppError as error:
            errors.show(error.message, error.hint)
            return
        nav.go("backtest", backtest=started.id)
