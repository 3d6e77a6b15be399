"""History: every forecast made, to find, reopen, compare and delete."""

from __future__ import annotations

import math

import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.store.records import ForecastInfo
from kronos_app.widgets import comparison_view, job
from kronos_app.widgets.confirm import confirm
from kronos_app.widgets.errors import shown
from kronos_app.widgets.forecast_list import draw_rows

PAGE_SIZE = 20


def draw() -> None:
    _ = state.gettext()
    st.title(_("History"))
    job.draw_active()
    infos = desk().forecasts.list()
    if not infos:
        st.info(_("No forecast was made yet."), icon=":material/history:")
        return
    with shown():
        comparison_view.draw(infos)
    _list(infos)


def _list(infos: list[ForecastInfo]) -> None:
    _ = state.gettext()
    st.subheader(_("All forecasts"))
    found = _filtered(infos)
    pages = max(math.ceil(len(found) / PAGE_SIZE), 1)
    state.clamp(state.HISTORY_PAGE, 1, pages)
    page = 1
    if pages > 1:
        page = st.number_input(_("Page, of {pages}").format(pages=pages), 1, pages, key=state.HISTORY_PAGE, width=160)
    st.caption(_("{found} of {count} forecasts").format(found=len(found), count=len(infos)))
    draw_rows(found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE], on_delete=_delete)


def _filtered(infos: list[ForecastInfo]) -> list[ForecastInfo]:
    _ = state.gettext()
    everything = _("All")
    names = {info.candles_id: info.candles_name for info in infos}
    first, second, third = st.columns([2, 1, 1])
    with first:
        wanted = st.text_input(_("Search"), key=state.HISTORY_TEXT, placeholder=_("data set, model or id"))
    with second:
        candles = st.selectbox(
            _("Data set"),
            [None, *names],
            format_func=lambda key: everything if key is None else names[key],
            key=state.HISTORY_CANDLES,
        )
    with third:
        model = st.selectbox(
            _("Model"),
            [None, *sorted({info.model for info in infos})],
            format_func=lambda name: name or everything,
            key=state.HISTORY_MODEL,
        )
    return desk().forecasts.list(model=model, candles_id=candles, text=wanted)


def _delete(info: ForecastInfo) -> None:
    _ = state.gettext()
    confirm(
        _("Delete this forecast of {name}?").format(name=info.candles_name),
        _("Its address will no longer work. The data set stays."),
        lambda: desk().forecasts.delete(info.id),
    )


draw()
