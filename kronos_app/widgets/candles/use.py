"""The button that saves a draft and uses it, with its name and tags, and then the next step."""

from __future__ import annotations

import streamlit as st

from kronos_app import nav, state
from kronos_app.data.checks.quality import QualityReport
from kronos_app.data.checks.repair import Repaired
from kronos_app.runtime import desk
from kronos_app.services.core.labels import LONGEST_NAME
from kronos_app.state import gettext as _
from kronos_app.store.records import CandleSetFilter
from kronos_app.widgets.candles import keys
from kronos_app.widgets.kit import names
from kronos_app.widgets.kit.errors import render_errors
from kronos_app.widgets.kit.tags import render_tags

WIDTH = 320  # of a field, in pixels


def render_use(repaired: Repaired, report: QualityReport, key: str = "") -> None:
    """Render the name, the tags and the button that saves the candles and uses them; once used, the next step.

    Parameters
    ----------
    key
        Tells the series apart from others that are on the page with it.
    """
    candles_id = repaired.candles.digest[:16]
    saved = next(iter(desk().candles.list(CandleSetFilter(id=candles_id))), None)
    if saved is not None and candles_id == state.candles_id() and _has_facts(candles_id, repaired):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(":green[:material/check_circle:] " + _("This data set is in use."), width="content")
            if st.button(_("Make a forecast"), type="primary", icon=":material/candlestick_chart:"):
                nav.go("forecast")
        return
    name, tags = None, []
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if saved is None:
            field = state.joined(keys.NAME + key, repaired.candles.source, repaired.candles.name)
            name = st.text_input(
                _("Name"), repaired.candles.name[:LONGEST_NAME], max_chars=LONGEST_NAME, key=field, width=WIDTH
            )
            tags = render_tags(_("Tags"), f"{field}.tags", [], desk().candles.labels.all_tags(), WIDTH)
        else:
            title = _("Saved as {name}").format(name=names.cut(saved.title))
            st.markdown(f":green[:material/check:] {title}", help=names.whole(saved.title), width="content")
        clicked = st.button(_("Use this data set"), type="primary", icon=":material/check:")
    if clicked:
        with render_errors():
            state.use_candles(desk().candles.save(repaired, report, name, tags).id)
            st.toast(_("Saved, and now in use."), icon=":material/check:")
            st.rerun()


def _has_facts(candles_id: str, repaired: Repaired) -> bool:
    """Return whether the saved candles have the calendar and other facts of these; an id depends on values alone."""
    return desk().candles.get(candles_id).candles.about == repaired.candles.about
