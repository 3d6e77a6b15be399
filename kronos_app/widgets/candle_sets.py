"""The data sets the desk keeps."""

from __future__ import annotations

import math

import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.store.records import CandleSetInfo
from kronos_app.widgets import formats
from kronos_app.widgets.confirm import confirm
from kronos_app.widgets.errors import escape

PAGE_SIZE = 10


def draw() -> None:
    """Draw one row a data set, to use or to delete it."""
    _ = state.gettext()
    st.subheader(_("Data sets kept here"))
    infos = desk().candles.list()
    if not infos:
        st.caption(_("None yet. What you keep will be listed here."))
    for info in _page(infos):
        _row(info)


def _page(infos: list[CandleSetInfo]) -> list[CandleSetInfo]:
    """Return the data sets to show; where they are many, ask which."""
    if len(infos) <= PAGE_SIZE:
        return infos
    _ = state.gettext()
    first, second = st.columns([3, 1])
    wanted = first.text_input(_("Search"), key=state.DATA_SETS_TEXT, placeholder=_("name of a data set")).strip()
    found = [info for info in infos if wanted.casefold() in info.name.casefold()]
    pages = max(math.ceil(len(found) / PAGE_SIZE), 1)
    state.clamp(state.DATA_SETS_PAGE, 1, pages)
    page = second.number_input(_("Page, of {pages}").format(pages=pages), 1, pages, key=state.DATA_SETS_PAGE)
    st.caption(_("{found} of {count} data sets").format(found=len(found), count=len(infos)))
    return found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]


def _row(info: CandleSetInfo) -> None:
    _ = state.gettext()
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
    _ = state.gettext()
    return " · ".join(
        [
            _("{count} candles").format(count=formats.number(info.rows, 0)),
            _("{first} to {last}").format(first=formats.time(info.first), last=formats.time(info.last)),
            formats.span(info.interval.total_seconds()),
            _("kept {moment}").format(moment=formats.moment(info.created)),
        ]
    )
