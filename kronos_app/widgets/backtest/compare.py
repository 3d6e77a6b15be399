"""Backtests side by side: growth over each other, figures, and the settings in which they differ."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.charts.backtest import growth_chart
from kronos_app.runtime import desk
from kronos_app.services.backtest.service import FEWEST_COMPARED, MOST_COMPARED, BacktestComparison
from kronos_app.state import gettext as _
from kronos_app.widgets.backtest import tables as backtest_tables
from kronos_app.widgets.backtest import words as backtest_words
from kronos_app.widgets.backtest.listing import BACKTESTS
from kronos_app.widgets.candles.last_candles import CHART_CONFIG
from kronos_app.widgets.kit import formats

PARAMETER = "compare"


def draw() -> None:
    """Draw the choice and, of two or more, the comparison; the choice is kept in the address."""
    found = {one.id: one for one in desk().backtests.list() if one.state == "finished"}
    if len(found) < FEWEST_COMPARED:
        st.info(_("Two finished backtests are needed to compare."), icon=":material/compare_arrows:")
        return
    linked = [name for name in st.query_params.get_all(PARAMETER) if name in found]
    state.default(state.BACKTEST_COMPARED, linked[:MOST_COMPARED])
    known = [name for name in st.session_state[state.BACKTEST_COMPARED] if name in found]
    st.session_state[state.BACKTEST_COMPARED] = known
    chosen = st.multiselect(
        _("Backtests to compare"),
        list(found),
        format_func=lambda name: f"{BACKTESTS.title(found[name])} · {formats.moment(found[name].created)}",
        key=state.BACKTEST_COMPARED,
        persist_state="session",
        max_selections=MOST_COMPARED,
        placeholder=_("Choose two or more"),
    )
    if len(chosen) < FEWEST_COMPARED:
        return
    st.query_params[PARAMETER] = chosen
    compared = desk().backtests.compare(chosen)
    names = [f"{place}. {BACKTESTS.title(one)}" for place, one in enumerate(compared.backtests, start=1)]
    _growth(compared, names)
    _figures(compared, names)
    _differences(compared, names)


def _growth(compared: BacktestComparison, names: list[str]) -> None:
    if compared.start is None:
        st.info(_("They have no day in common: their growth cannot be compared."), icon=":material/event_busy:")
        return
    curves = dict(zip(names, compared.curves.values(), strict=True))
    figure = growth_chart(curves, backtest_words.chart_words(compared.backtests[0]))
    st.plotly_chart(figure, key="backtest.growth", config=CHART_CONFIG, alt=_("Growth of each, after costs"))
    told = _("Growth after costs since {day}, the first day that all of them have. Figures are of the whole of each.")
    st.caption(told.format(day=formats.time(compared.start)))


def _figures(compared: BacktestComparison, names: list[str]) -> None:
    reports: list[dict[str, Any]] = [one.report or {} for one in compared.backtests]
    days = [report["curves"]["day"] for report in reports]
    rows = [
        [_("From"), *(formats.time(pd.Timestamp(one[0])) for one in days)],
        [_("To"), *(formats.time(pd.Timestamp(one[-1])) for one in days)],
        [_("Random signals that earned less"), *(formats.percent(report["percentile"], 0) for report in reports)],
    ]
    for label, key, form in backtest_tables.figure_rows(benchmark=any(one["has_benchmark"] for one in reports)):
        rows.append([label, *(form(report["figures"].get(key)) for report in reports)])
    st.dataframe(
        pd.DataFrame(rows, columns=[_("Figure"), *names]),
        hide_index=True,
        height="content",
        key="backtest.compared",
        alt=_("Figures side by side"),
    )


def _differences(compared: BacktestComparison, names: list[str]) -> None:
    st.markdown("**" + _("Different settings") + "**")
    if not compared.differences:
        st.caption(_("None: all settings are equal."))
        return
    labels = backtest_words.settings()
    rows = [
        [labels[field], *(backtest_words.setting(field, value) for value in values)]
        for field, values in compared.differences
    ]
    table = pd.DataFrame(rows, columns=[_("Setting"), *names])
    st.dataframe(table, hide_index=True, height="content", key="backtest.differences", alt=_("Settings side by side"))
