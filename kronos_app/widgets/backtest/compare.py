"""Backtests side by side: growth, figures, and the settings that differ."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.charts.backtest import growth_chart
from kronos_app.runtime import desk
from kronos_app.services.backtest.service import FEWEST_COMPARED, MOST_COMPARED, BacktestComparison
from kronos_app.state import gettext as _
from kronos_app.widgets.backtest import keys
from kronos_app.widgets.backtest.listing import BACKTESTS
from kronos_app.widgets.backtest.tables import figure_rows
from kronos_app.widgets.backtest.words import SETTINGS, chart_words, format_setting
from kronos_app.widgets.kit import formats
from kronos_app.widgets.runs.parts import render_chart, render_rows
from kronos_app.widgets.runs.views import COMPARE


def render() -> None:
    """Render the choice, which the address keeps, and the comparison of two or more backtests."""
    backtests = {run.id: run for run in desk().backtests.list() if run.state == "finished"}
    if len(backtests) < FEWEST_COMPARED:
        st.info(_("Two finished backtests are needed to compare."), icon=":material/compare_arrows:")
        return
    key = keys.COMPARED
    linked = [name for name in st.query_params.get_all(COMPARE) if name in backtests]
    state.default(key, linked[:MOST_COMPARED])
    st.session_state[key] = [name for name in st.session_state[key] if name in backtests]
    chosen = st.multiselect(
        _("Backtests to compare"),
        list(backtests),
        format_func=lambda name: f"{BACKTESTS.title(backtests[name])} · {formats.moment(backtests[name].created)}",
        key=key,
        persist_state="session",
        max_selections=MOST_COMPARED,
        placeholder=_("Choose two or more"),
    )
    if len(chosen) < FEWEST_COMPARED:
        return
    st.query_params[COMPARE] = chosen
    comparison = desk().backtests.compare(chosen)
    names = [f"{place}. {BACKTESTS.title(run)}" for place, run in enumerate(comparison.backtests, start=1)]
    _render_growth(comparison, names)
    _render_figures(comparison, names)
    _render_differences(comparison, names)


def _render_growth(comparison: BacktestComparison, names: list[str]) -> None:
    if comparison.start is None:
        st.info(_("They have no day in common: their growth cannot be compared."), icon=":material/event_busy:")
        return
    curves = dict(zip(names, comparison.curves.values(), strict=True))
    figure = growth_chart(curves, chart_words(comparison.backtests[0]))
    render_chart(figure, "backtest.growth", _("Growth of each, after costs"))
    caption = _("Growth after costs since {day}, the first common day. Figures are of the whole of each.")
    st.caption(caption.format(day=formats.time(comparison.start)))


def _render_figures(comparison: BacktestComparison, names: list[str]) -> None:
    reports: list[dict[str, Any]] = [run.report or {} for run in comparison.backtests]
    days = [report["curves"]["day"] for report in reports]
    rows = [
        [_("From"), *(formats.time(pd.Timestamp(one[0])) for one in days)],
        [_("To"), *(formats.time(pd.Timestamp(one[-1])) for one in days)],
        [_("Random signals beaten"), *(formats.percent(report["percentile"], 0) for report in reports)],
    ]
    for label, key, form in figure_rows(benchmark=any(report["has_benchmark"] for report in reports)):
        rows.append([label, *(form(report["figures"].get(key)) for report in reports)])
    render_rows(rows, [_("Figure"), *names], _("Figures side by side"), "backtest.compared")


def _render_differences(comparison: BacktestComparison, names: list[str]) -> None:
    st.markdown("**" + _("Different settings") + "**")
    if not comparison.differences:
        st.caption(_("None: all settings are equal."))
        return
    rows = [
        [state.say(SETTINGS[field]), *(format_setting(field, value) for value in values)]
        for field, values in comparison.differences
    ]
    render_rows(rows, [_("Setting"), *names], _("Settings side by side"), "backtest.differences")
