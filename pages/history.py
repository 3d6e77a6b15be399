"""History: all forecasts, to find, reopen, compare and delete."""

from __future__ import annotations

import streamlit as st

from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.store.records import ForecastFilter
from kronos_app.widgets.forecast import keys
from kronos_app.widgets.forecast.listing import render_rows
from kronos_app.widgets.forecast.pickers import render_pickers
from kronos_app.widgets.kit import job, paging
from kronos_app.widgets.kit.errors import render_errors


def render() -> None:
    st.title(_("History"))
    job.render_active_jobs()
    total = desk().forecasts.count()
    if not total:
        st.info(_("No forecasts yet."), icon=":material/history:")
        return
    with render_errors():
        render_pickers(total)
    st.subheader(_("All forecasts"))
    where = _render_filter()
    count = desk().forecasts.count(where)
    start = paging.first_row(count, keys.HISTORY_PAGE)
    st.caption(_("{found} of {count} forecasts").format(found=count, count=total))
    render_rows(desk().forecasts.list(where, limit=paging.PAGE_SIZE, offset=start), deletable=True)


def _render_filter() -> ForecastFilter:
    everything = _("All")
    names = desk().forecasts.data_sets()
    first, second, third = st.columns([2, 1, 1])
    text = first.text_input(_("Search"), key=keys.HISTORY_TEXT, placeholder=_("data set, model or id"))
    candles = second.selectbox(
        _("Data set"),
        [None, *names],
        format_func=lambda key: everything if key is None else names[key],
        key=keys.HISTORY_CANDLES,
    )
    model = third.selectbox(
        _("Model"),
        [None, *desk().forecasts.models()],
        format_func=lambda name: name or everything,
        key=keys.HISTORY_MODEL,
    )
    return ForecastFilter(model=model, candles_id=candles, text=text)


render()
