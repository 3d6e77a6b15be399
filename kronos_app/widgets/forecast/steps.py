"""Three steps to a first forecast."""

from __future__ import annotations

import streamlit as st

from kronos_app import nav, state
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.kit.errors import render_errors


def render_steps() -> None:
    """Render three cards: choose candles, choose a model, forecast."""
    steps = {
        _("1. Choose candles"): (
            _("Upload a CSV, Feather or Parquet file, or use one of the included samples of real series."),
            ("data", _("Upload a file"), ":material/upload:"),
        ),
        _("2. Choose a model"): (
            _("A small model is included and works offline. Larger ones can be downloaded."),
            ("models", _("See the models"), ":material/memory:"),
        ),
        _("3. Forecast"): (
            _("Forecast the future, or replay the past from any candle and compare with the actual candles."),
            ("forecast", _("Make a forecast"), ":material/candlestick_chart:"),
        ),
    }
    for column, (title, (body, (page, label, icon))) in zip(st.columns(3), steps.items(), strict=True):
        with column.container(border=True, height="stretch"):
            st.subheader(title)
            st.markdown(body)
            if page == "data":
                with render_errors():
                    _render_sample_button()
            nav.link(page, label, icon=icon)


def _render_sample_button() -> None:
    if st.button(_("Start with a sample"), type="primary", icon=":material/play_arrow:"):
        service = desk().candles
        state.use_candles(service.keep(service.sample(next(iter(service.samples()))), "drop").id)
        nav.go("forecast")
