"""History: all forecasts, to find, reopen, compare, tag, export and delete."""

from __future__ import annotations

import streamlit as st

from kronos_app import nav
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.store.records import ForecastFilter
from kronos_app.widgets.forecast.comparison import render_linked_comparison
from kronos_app.widgets.forecast.history import keys
from kronos_app.widgets.forecast.history.actions import render_actions, render_export
from kronos_app.widgets.forecast.history.filter import render_filter, render_order
from kronos_app.widgets.forecast.history.table import picked_ids, read_clicks, render_table
from kronos_app.widgets.kit import job, paging


def render() -> None:
    st.title(_("History"))
    job.render_active_jobs()
    if not desk().forecasts.count():
        st.info(_("No forecasts yet."), icon=":material/history:")
        nav.link("forecast", _("Make a forecast"), icon=":material/candlestick_chart:")
        return
    render_linked_comparison()
    _render_list()


@st.fragment
def _render_list() -> None:
    """Render the list; a click in it does not draw the comparison again."""
    read_clicks()
    forecasts = desk().forecasts
    with st.container(horizontal=True, vertical_alignment="bottom"):
        where = render_filter()
        by, ascending = render_order()
    count = forecasts.count(where)
    picked = forecasts.list(ForecastFilter(ids=tuple(picked_ids())))
    matching = _("{matching} of {count} forecasts").format(matching=count, count=forecasts.count())
    hint = _("Tick rows to open, compare, tag or delete them. Click a title to sort.")
    st.caption(f"{matching} · " + (_("{count} picked").format(count=len(picked)) if picked else hint))
    with st.container(horizontal=True):
        render_actions(sorted(picked, key=lambda item: picked_ids().index(item.id)))
    table = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        start = paging.first_row(count, keys.PAGE)
        render_export(where, by, ascending)
    items = forecasts.list(where, by=by, ascending=ascending, limit=paging.PAGE_SIZE, offset=start)
    if items:
        with table:
            render_table(items, by, ascending)


render()
