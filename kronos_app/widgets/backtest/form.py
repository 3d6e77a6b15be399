"""The form of a new backtest: candles, model, signal, rule, costs, the size of the backtest, and Start."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import streamlit as st

from kronos_app import nav, state
from kronos_app.runtime import desk
from kronos_app.services.backtest.service import BacktestRequest
from kronos_app.services.selection.context import SHORTEST_LOOKBACK
from kronos_app.services.selection.request import CandleSelection
from kronos_app.state import gettext as _
from kronos_app.store.records import StoredForecast
from kronos_app.widgets.backtest import keys, words
from kronos_app.widgets.kit import errors, formats
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.models import choice as model_choice
from kronos_app.widgets.runs.fields import RequestFields
from kronos_app.widgets.runs.setup import (
    data_of,
    forget_adopted,
    render_adopted,
    render_sampling_fields,
    render_setup_field,
    setup_values,
)
from kronos_app.widgets.selection.picker import CandlePicker

EARLIEST = date(1970, 1, 1)
TOPK, SINGLE = "topk", "single"
NARROW, WIDE = 130, 185  # pixels of a metric: two fit side by side on a phone
MODEL = "backtest.model"
PICKER = CandlePicker("backtest")
FIELDS = RequestFields(BacktestRequest, keys.FIELD, words.SETTINGS, words.UNITS, words.SCALES)


def render() -> None:
    """Render the form."""
    render_adopted("backtest")
    first, second = st.columns(2, gap="large")
    with first, errors.render_errors():
        selected = PICKER.pick(_("Candles to trade"))
    with second:
        fields: dict[str, Any] = {"model": _pick_model(), "signal": _pick_signal()}
    fields |= _forecast_fields(fields["model"])
    fields |= _rule_fields()
    fields |= _cost_fields(fields["rule"], _currency(selected))
    if selected is None:
        st.caption(_("Choose candles first."))
        return
    with errors.render_errors():
        selection = CandleSelection.model_validate(selected)
        fields["benchmark"] = _pick_benchmark(selection) if fields["rule"] == TOPK else None
        _offer(BacktestRequest.build({"data": selection, **fields}))


def adopt(request: BacktestRequest) -> None:
    """Fill the form with the settings of a backtest."""
    PICKER.adopt(request.data)
    st.session_state[MODEL] = request.model
    FIELDS.adopt(request.model_dump(exclude={"data", "model"}))


def adopt_forecast(forecast: StoredForecast) -> None:
    """Fill the form with the data set and the setup of a forecast."""
    PICKER.adopt(data_of(forecast))
    st.session_state[MODEL] = forecast.provenance["model"]
    FIELDS.adopt(setup_values(forecast))


def _pick_model() -> str:
    offered = model_choice.offered()
    if st.session_state.get(MODEL) not in offered:
        st.session_state[MODEL] = state.model()
    return str(st.selectbox(_("Model"), list(offered), key=MODEL, persist_state="session"))


def _pick_signal() -> str:
    about = _(
        "The number that each forecast is reduced to. Price differences, as published, favour or avoid expensive "
        "instruments; returns do not."
    )
    return str(FIELDS.choice(st.container(), "signal", words.signal_names(), help=about))


def _forecast_fields(model: str) -> dict[str, Any]:
    first, second, third, fourth = st.columns(4)
    fields: dict[str, Any] = {}
    for place, name in ((first, "lookback"), (second, "horizon"), (third, "samples")):
        low = {"low": SHORTEST_LOOKBACK} if name == "lookback" else {}
        with place:
            fields[name] = render_setup_field(FIELDS, name, [model], **low)
    about = _("Days from one signal to the next: fewer signals take less time.")
    fields["every"] = FIELDS.number(fourth, "every", help=about)
    with st.expander(_("Sampling"), icon=":material/tune:"):
        return fields | render_sampling_fields(FIELDS, [model])


def _rule_fields() -> dict[str, Any]:
    columns = st.columns([2, 1, 1])
    about = _("TopkDropout as in Qlib; or one instrument that is bought above a threshold and sold below.")
    fields: dict[str, Any] = {"rule": FIELDS.choice(columns[0], "rule", words.rule_names(), help=about)}
    empty = _("Empty: as far as the candles reach.")
    for column, field in zip(columns[1:], ("start", "end"), strict=True):
        fields[field] = column.date_input(
            FIELDS.label(field), None, EARLIEST, key=FIELDS.key(field), persist_state="session", help=empty
        )
    places = st.columns(4)
    if fields["rule"] == SINGLE:
        about = _("In units of the signal: long above it. A probability of a rise counts from 0.5.")
        fields["threshold"] = FIELDS.number(places[0], "threshold", 0.001, format="%.4f", help=about)
        fields["short"] = FIELDS.checkbox(places[1], "short")
    else:
        helps = {
            "topk": _("How many instruments the portfolio holds: those with the best signals."),
            "n_drop": _("At most so many of them are sold and replaced a day."),
            "hold_thresh": _("An instrument is not sold before it was held so many trading days."),
        }
        for place, (field, about) in zip(places, helps.items(), strict=False):
            fields[field] = FIELDS.number(place, field, help=about)
    return fields


def _currency(selected: Mapping[str, Any] | None) -> str:
    """Return the currency of the first chosen data set, or words for it."""
    for candles_id in (selected or {}).get("candle_sets", [])[:1]:
        currency = desk().candles.get(candles_id).candles.about.currency
        if currency:
            return currency
    return _("units of the price currency")


def _cost_fields(rule: str, currency: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    with st.expander(_("Costs and execution"), icon=":material/payments:"):
        columns = st.columns(4)
        about = _("Money of the portfolio on the first day.")
        fields["account"] = FIELDS.number(columns[0], "account", 10_000.0, low=1.0, format="%.0f", help=about)
        columns[0].caption(f"{formats.number(fields['account'], 0)} {currency}")
        helps = {
            "open_cost": _("Commission and fees when buying; 1 basis point (bp) is 0.01 % of the value."),
            "close_cost": _("Commission, fees and stamp duty when selling, in basis points of the value."),
            "slippage": _("How much worse than the execution price an order is filled, in basis points."),
        }
        for column, (field, about) in zip(columns[1:], helps.items(), strict=True):
            fields[field] = FIELDS.number(column, field, 0.5, format="%.1f", help=about)
        columns = st.columns(4)
        if rule == TOPK:
            about = _("Of the day after the signal.")
            fields["deal_price"] = FIELDS.choice(columns[0], "deal_price", words.price_names(), help=about)
            about = _("Least commission of an order, in {currency}.").format(currency=currency)
            fields["min_cost"] = FIELDS.number(columns[1], "min_cost", 1.0, format="%.2f", help=about)
            about = _("No order on a day whose close moved by so much: 9.5 % for most A-shares.")
            options: dict[str, Any] = {"format": "%.1f", "placeholder": _("none"), "help": about}
            fields["limit_threshold"] = FIELDS.number(columns[2], "limit_threshold", 0.5, low=0.001, **options)
        about = _("Of paths and of random signals: the same seed gives the same result.")
        fields["seed"] = FIELDS.number(columns[3], "seed", help=about)
    return fields


def _pick_benchmark(selection: CandleSelection) -> str | None:
    names, key = desk().backtests.names(selection), FIELDS.key("benchmark")
    if st.session_state.get(key) not in names:
        st.session_state[key] = None
    chosen: str | None = st.selectbox(
        _("Benchmark"),
        names,
        index=None,
        placeholder=_("none"),
        key=key,
        persist_state="session",
        help=_("An index among the chosen candles: it is compared with and not traded."),
    )
    return chosen


def _offer(request: BacktestRequest) -> None:
    """Render the size of the backtest and the button that starts it."""
    plan = desk().backtests.plan(request)
    with st.container(horizontal=True, gap="medium"):
        st.metric(_("Instruments"), formats.number(plan.instruments, 0), width=NARROW)
        st.metric(_("Forecasts, at most"), formats.number(plan.forecasts, 0), width=WIDE)
        st.metric(_("Paths, at most"), formats.number(plan.forecasts * (plan.request.samples or 0), 0), width=NARROW)
        about = _("From the speed of this model on this machine, measured in earlier backtests, else in its forecasts.")
        st.metric(_("Takes about"), _duration(plan.seconds), width=WIDE, help=about)
    for note in plan.notes:
        st.caption(":material/info: " + escape(state.say(note)))
    if st.button(_("Start"), type="primary", icon=":material/play_arrow:", key="backtest.start"):
        backtest = desk().backtests.start(request)
        forget_adopted("backtest")
        nav.go("backtest", backtest=backtest.id)


def _duration(seconds: tuple[float, float] | None) -> str:
    """Return a range of time in words."""
    return _("unknown until it runs") if seconds is None else formats.time_range(*seconds)
