"""The page of a backtest: verdict, curves, figures, holdings, trades and costs."""

from __future__ import annotations

import streamlit as st

from kronos_app.charts.backtest import equity_chart, monthly_chart
from kronos_app.services.backtest.report import grade
from kronos_app.services.backtest.service import Backtest
from kronos_app.state import gettext as _
from kronos_app.widgets.backtest import tables
from kronos_app.widgets.backtest.words import chart_words
from kronos_app.widgets.kit.chart_style import chart_style
from kronos_app.widgets.runs.parts import render_chart, render_notes, render_verdict, render_warning


def render_backtest(backtest: Backtest) -> None:
    """Render a finished backtest."""
    report = backtest.report or {}
    for warning in backtest.warnings:
        render_warning(warning, severe="first" in warning.params)
    if backtest.verdict is not None:
        render_verdict(backtest.verdict, grade(report))
    render_notes(backtest.notes)
    words, market = chart_words(backtest), chart_style().market
    equity = equity_chart(report["curves"], report["beside_curves"], report["luck"], words, market)
    render_chart(equity, f"backtest.equity.{backtest.id}", _("Growth and drawdown"))
    caption = _("{count} random signals through the same rule, on the same days and among the same instruments.")
    st.caption(caption.format(count=report["random_signals"]))
    tables.render_figures(backtest, report)
    st.markdown("**" + _("Monthly return after costs, %") + "**")
    months = monthly_chart(report["monthly"], words, market)
    render_chart(months, f"backtest.months.{backtest.id}", _("Returns by month"))
    tables.render_days(backtest)
    tables.render_more(backtest, report)
    tables.render_downloads(backtest)
