"""Home: what this is, three steps to a first forecast, and what was forecast lately."""

from __future__ import annotations

import streamlit as st

from kronos_app import nav, state
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.forecast.listing import draw_rows
from kronos_app.widgets.kit import job
from kronos_app.widgets.kit.errors import shown

RECENT = 5


def draw() -> None:
    st.title(_("Forecast candles, and see how sure the forecast is"))
    st.markdown(
        _(
            "Kronos reads a stretch of candles (open, high, low, close, volume) as a language and writes how it "
            "might go "
            "on, many times over. You get the median path, the bands most paths stay in, and a fair comparison "
            "with simple "
            "random walks. Everything is computed on this machine; nothing you upload leaves it."
        )
    )
    _steps()
    job.draw_active()
    st.subheader(_("Recent forecasts"))
    recent = desk().forecasts.list(limit=RECENT)
    if not recent:
        st.caption(_("None yet. Your forecasts will be listed here."))
        return
    draw_rows(recent)
    nav.link("history", _("All forecasts"), icon=":material/history:")


def _steps() -> None:
    first, second, third = st.columns(3)
    with first.container(border=True, height="stretch"):
        st.subheader(_("1. Bring candles"))
        st.markdown(_("Upload a CSV, Feather or Parquet file, or take one of the real series that come with the desk."))
        with shown():
            _sample_button()
        nav.link("data", _("Upload a file"), icon=":material/upload:")
    with second.container(border=True, height="stretch"):
        st.subheader(_("2. Choose a model"))
        st.markdown(_("A small model is included and works offline. Larger ones can be downloaded."))
        nav.link("models", _("See the models"), icon=":material/memory:")
    with third.container(border=True, height="stretch"):
        st.subheader(_("3. Forecast"))
        st.markdown(_("Forecast the future, or replay the past from any candle and compare with what came."))
        nav.link("forecast", _("Make a forecast"), icon=":material/candlestick_chart:")


def _sample_button() -> None:
    if st.button(_("Start with a sample"), type="primary", icon=":material/play_arrow:"):
        service = desk().candles
        draft = service.sample(next(iter(service.samples())))
        saved = service.save(service.preview(draft, "drop"), service.inspect(draft))
        state.use_candles(saved.id)
        nav.go("forecast")


draw()
