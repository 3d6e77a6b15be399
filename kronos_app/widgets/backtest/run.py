"""One backtest: how it stands, and once it has finished the sentence, figures, curves, holdings, trades, costs."""

from __future__ import annotations

from typing import Any

import streamlit as st

from kronos_app import state
from kronos_app.charts.backtest import equity_chart, monthly_chart
from kronos_app.services.backtest.report import standing
from kronos_app.services.backtest.service import BacktestView
from kronos_app.state import gettext as _
from kronos_app.widgets.backtest import tables as backtest_tables
from kronos_app.widgets.backtest import words as backtest_words
from kronos_app.widgets.backtest.listing import BACKTESTS
from kronos_app.widgets.candles.last_candles import CHART_CONFIG
from kronos_app.widgets.kit.errors import escape


def draw(backtest_id: str) -> None:
    """Draw the backtest that the address names."""
    BACKTESTS.draw_one(backtest_id, _finished)


def _finished(seen: BacktestView) -> None:
    report = seen.report or {}
    _verdict(seen, report)
    for note in seen.notes:
        st.caption(":material/info: " + escape(state.say(note)))
    words = backtest_words.chart_words(seen)
    figure = equity_chart(report["curves"], report["beside_curves"], report["luck"], words)
    st.plotly_chart(figure, key=f"backtest.equity.{seen.id}", config=CHART_CONFIG, alt=_("Growth and drawdown"))
    st.caption(
        _(
            "Luck: {count} random signals through the same rule, on the same days and among the same instruments."
        ).format(count=report["random_signals"])
    )
    backtest_tables.draw_figures(seen, report)
    st.markdown("**" + _("By month, after costs, in percent") + "**")
    st.plotly_chart(
        monthly_chart(report["monthly"], words),
        key=f"backtest.months.{seen.id}",
        config=CHART_CONFIG,
        alt=_("Returns by month"),
    )
    backtest_tables.draw_days(seen)
    backtest_tables.draw_more(seen, report)
    backtest_tables.draw_downloads(seen)


def _verdict(seen: BacktestView, report: dict[str, Any]) -> None:
    """Say in plain words what it was worth; what makes that doubtful comes first, in red."""
    for told in seen.warnings:
        sentence = escape(state.say(told))
        if "first" in told.params:
            st.error(sentence, icon=":material/warning:")
        else:
            st.caption(":material/info: " + sentence)
    if seen.verdict is None:
        return
    sentence = escape(state.say(seen.verdict))
    worth = standing(report)
    if worth > 0:
        st.success(sentence, icon=":material/trending_up:")
    elif worth < 0:
        st.error(sentence, icon=":material/trending_down:")
    else:
        st.info(sentence, icon=":material/trending_flat:")
