"""The saved data sets."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.store.records import CandleSetInfo
from kronos_app.widgets.candles import keys
from kronos_app.widgets.kit import formats, paging
from kronos_app.widgets.kit.confirm import confirm
from kronos_app.widgets.kit.errors import escape

PAGE_SIZE = 10


def render_candle_sets() -> None:
    """Render one row a data set, with buttons to use and to delete it."""
    st.subheader(_("Saved data sets"))
    total = desk().candles.count()
    if not total:
        st.caption(_("None yet. Data sets that you save are listed here."))
    for info in _page(total):
        _row(info)


def _page(total: int) -> list[CandleSetInfo]:
    """Return the data sets to show; where they are many, render a search and a choice of page."""
    if total <= PAGE_SIZE:
        return desk().candles.list()
    first, second = st.columns([3, 1])
    text = first.text_input(_("Search"), key=keys.SETS_TEXT, placeholder=_("name of a data set")).strip()
    count = desk().candles.count(text)
    with second:
        start = paging.first_row(count, keys.SETS_PAGE, PAGE_SIZE)
    st.caption(_("{found} of {count} data sets").format(found=count, count=total))
    return desk().candles.list(text, limit=PAGE_SIZE, offset=start)


def _row(info: CandleSetInfo) -> None:
    with st.container(border=True):
        words, actions = st.columns([5, 2], vertical_alignment="center")
        in_use = info.id == state.candles_id()
        badge = " :green-badge[" + _("in use") + "]" if in_use else ""
        words.markdown(f"**{escape(info.name)}**{badge}  \n:small[{escape(_details(info))}]")
        with actions.container(horizontal=True, horizontal_alignment="right"):
            if st.button(_("Use"), key=f"data.use.{info.id}", disabled=in_use):
                state.use_candles(info.id)
                st.rerun()
            if st.button(_("Delete"), key=f"data.delete.{info.id}", icon=":material/delete:", type="tertiary"):
                confirm(
                    _("Delete the data set {name}?").format(name=info.name),
                    _("Forecasts made from it stay, but without their history and comparison."),
                    lambda: desk().candles.delete(info.id),
                )


def _details(info: CandleSetInfo) -> str:
    return " · ".join(
        [
            _("{count} candles").format(count=formats.number(info.rows, 0)),
            _("{first} to {last}").format(first=formats.time(info.first), last=formats.time(info.last)),
            formats.span(info.interval.total_seconds()),
            _("saved {moment}").format(moment=formats.moment(info.created)),
        ]
    )
