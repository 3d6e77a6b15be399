"""The saved data sets."""

from __future__ import annotations

from functools import partial

import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.services.candles.labels import LabelChange
from kronos_app.services.core.labels import LONGEST_NAME
from kronos_app.state import gettext as _
from kronos_app.store.records import CandleSetFilter, CandleSetInfo
from kronos_app.widgets.candles import keys
from kronos_app.widgets.kit import formats, names, paging
from kronos_app.widgets.kit.confirm import confirm
from kronos_app.widgets.kit.errors import escape, render_errors
from kronos_app.widgets.kit.tags import render_tags, tag_badges

PAGE_SIZE = 10
NARROWEST_FIELD = 200  # pixels


def render_candle_sets() -> None:
    """Render one row a data set, with buttons to use, rename, tag and delete it."""
    st.subheader(_("Saved data sets"))
    total = desk().candles.count()
    if not total:
        st.caption(_("None yet. Data sets that you save are listed here."))
    for info in _render_filter(total):
        _render_row(info)


def _render_filter(total: int) -> list[CandleSetInfo]:
    """Return the data sets to show; where they are many or have tags, render a search, tags and a page."""
    tags = desk().candles.labels.all_tags()
    if total <= PAGE_SIZE and not tags:
        return desk().candles.list()
    grid = st.grid(3, min_column_width=NARROWEST_FIELD, vertical_alignment="bottom")
    with grid.container():
        text = st.text_input(_("Search"), key=keys.SETS_TEXT, placeholder=_("name of a data set")).strip()
    with grid.container():
        st.session_state[keys.SETS_TAGS] = [tag for tag in st.session_state.get(keys.SETS_TAGS, ()) if tag in tags]
        chosen = st.multiselect(_("Tags"), tags, key=keys.SETS_TAGS, placeholder=_("Any"), disabled=not tags)
    where = CandleSetFilter(text, tuple(chosen))
    count = desk().candles.count(where)
    with grid.container():
        start = paging.first_row(count, keys.SETS_PAGE, PAGE_SIZE)
    st.caption(_("{matching} of {count} data sets").format(matching=count, count=total))
    return desk().candles.list(where, limit=PAGE_SIZE, offset=start)


def _render_row(info: CandleSetInfo) -> None:
    with st.container(border=True):
        words, actions = st.columns([5, 2], vertical_alignment="center")
        in_use = info.id == state.candles_id()
        badge = " :green-badge[" + _("in use") + "]" if in_use else ""
        with words:
            title = f"**{names.cut(info.title)}**{badge}{tag_badges(info.tags)}"
            st.markdown(f"{title}  \n:small[{escape(_details(info))}]", help=names.whole(info.title))
        with actions.container(horizontal=True, horizontal_alignment="right"):
            if st.button(_("Use"), key=f"data.use.{info.id}", disabled=in_use):
                state.use_candles(info.id)
                st.rerun()
            if st.button(_("Edit"), key=f"data.edit.{info.id}", icon=":material/edit:", type="tertiary"):
                st.dialog(_("Name and tags"), icon=":material/edit:")(render_labels)(info)
            if st.button(_("Delete"), key=f"data.delete.{info.id}", icon=":material/delete:", type="tertiary"):
                confirm(
                    _("Delete the data set {name}?").format(name=info.title),
                    _("Forecasts made from it stay, but without their history and comparison."),
                    partial(_delete, info.id),
                )


def _delete(candles_id: str) -> None:
    desk().candles.delete(candles_id)
    if candles_id == state.candles_id():
        state.leave_candles(missing=False)


def render_labels(info: CandleSetInfo) -> None:
    """Render the fields for the name and the tags of a data set, and the button that saves them."""
    key = keys.LABELS + info.id
    title = info.title[:LONGEST_NAME]
    name = st.text_input(_("Name"), title, max_chars=LONGEST_NAME, key=f"{key}.name", placeholder=info.name)
    tags = render_tags(_("Tags"), f"{key}.tags", info.tags, desk().candles.labels.all_tags())
    st.caption(_("Forecasts keep the name that the data set had when they were made."))
    if st.button(_("Save"), type="primary", key=f"{key}.save", icon=":material/save:"):
        with render_errors():
            renamed = {} if name == title else {"name": name.strip() or None}
            desk().candles.labels.change(info.id, LabelChange.build({"tags": tags, **renamed}))
            st.rerun()


def _details(info: CandleSetInfo) -> str:
    parts = [
        _("{count} candles").format(count=formats.number(info.rows, 0)),
        _("{first} to {last}").format(first=formats.time(info.first), last=formats.time(info.last)),
        formats.span(info.interval.total_seconds()),
        _("saved {moment}").format(moment=formats.moment(info.created)),
    ]
    if not info.title.startswith(info.name):  # renamed, not numbered
        parts.append(_("from {name}").format(name=names.shorten(info.name)))
    return " · ".join(parts)
