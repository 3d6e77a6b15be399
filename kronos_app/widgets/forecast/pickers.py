"""The choice of two forecasts to compare."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.store.records import ForecastFilter
from kronos_app.widgets.forecast import keys
from kronos_app.widgets.forecast.comparison import render_comparison
from kronos_app.widgets.forecast.listing import describe_forecast

PARAMETER = "compare"
MOST_OFFERED = 100  # newest forecasts that match the search: a browser is slow with a list of all


def render_pickers(total: int) -> None:
    """Render the choice of two of `total` forecasts and then their overlay; the address keeps the choice."""
    linked = st.query_params.get_all(PARAMETER)
    with st.expander(_("Compare two forecasts"), icon=":material/compare_arrows:", expanded=bool(linked)):
        if total < 2:
            st.caption(_("There is only one forecast so far."))
            return
        search = "" if total <= MOST_OFFERED else _render_search()
        labels = (_("First forecast"), _("Second forecast"))
        chosen = [
            _choose(column, label, search, key, link)
            for column, label, key, link in zip(
                st.columns(2), labels, (keys.HISTORY_FIRST, keys.HISTORY_SECOND), [*linked, None, None], strict=False
            )
        ]
        one, other = chosen
        if one is None or other is None:
            return
        if one == other:
            st.info(_("Choose two different forecasts."))
            return
        st.query_params[PARAMETER] = [one, other]
        render_comparison([desk().forecasts.get(one), desk().forecasts.get(other)])


def _render_search() -> str:
    return st.text_input(
        _("Search"),
        key=keys.HISTORY_COMPARE_TEXT,
        placeholder=_("data set, model or id"),
        help=_("The list shows the newest {count} forecasts that match.").format(count=MOST_OFFERED),
    )


def _choose(place: DeltaGenerator, name: str, search: str, key: str, linked: str | None) -> str | None:
    chosen = st.session_state.get(key) or linked
    offered = {info.id: info for info in desk().forecasts.list(ForecastFilter(text=search), limit=MOST_OFFERED)}
    if chosen is not None and chosen not in offered:  # chosen before, or by link: it stays on offer
        offered |= {info.id: info for info in desk().forecasts.list(ForecastFilter(id=chosen))}
    st.session_state[key] = chosen if chosen in offered else None
    labels = {id_: describe_forecast(info) for id_, info in offered.items()}
    return place.selectbox(
        name, list(labels), None, format_func=labels.__getitem__, key=key, placeholder=_("Choose a forecast")
    )
