"""What can be done with the picked forecasts: open, compare, tag, delete; and with all: a CSV file."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from kronos_app import nav
from kronos_app.charts.overlay import MOST_FORECASTS
from kronos_app.runtime import desk
from kronos_app.services.forecast.listing import LONGEST_NOTE, MOST_EXPORTED, Annotation, ForecastItem, ForecastItems
from kronos_app.state import gettext as _
from kronos_app.state import joined
from kronos_app.store.records import ForecastColumn, ForecastFilter
from kronos_app.widgets.forecast.comparison import PARAMETER
from kronos_app.widgets.forecast.history import keys
from kronos_app.widgets.forecast.history.table import pick
from kronos_app.widgets.forecast.listing import describe_damage
from kronos_app.widgets.kit.confirm import confirm
from kronos_app.widgets.kit.errors import escape, render_errors
from kronos_app.widgets.kit.tags import render_tags


def render_actions(picked: Sequence[ForecastItem]) -> None:
    """Render a button for each action."""
    ids, readable = [item.id for item in picked], not any(item.damaged for item in picked)
    comparable = readable and 2 <= len(picked) <= MOST_FORECASTS
    if st.button(_("Open"), icon=":material/open_in_new:", disabled=len(picked) != 1 or not readable):
        nav.go("forecast", forecast=ids[0])
    about = _("Tick two to {most} rows.").format(most=MOST_FORECASTS)
    if st.button(_("Compare"), icon=":material/compare_arrows:", disabled=not comparable, help=about, type="primary"):
        st.query_params[PARAMETER] = ids
        st.rerun()
    with st.popover(_("Tags and note"), icon=":material/label:", disabled=not picked):
        if picked:
            _render_form(picked)
    if st.button(_("Delete"), icon=":material/delete:", disabled=not picked):
        _confirm_deletion(picked)
    st.button(_("Clear"), icon=":material/close:", disabled=not picked, on_click=pick, args=[[]], type="tertiary")
    for item in picked:
        if item.damaged:
            st.warning(f"{escape(item.candles_name)}: {describe_damage()}", icon=":material/warning:")


def render_export(where: ForecastFilter, by: ForecastColumn, ascending: bool) -> None:
    """Render the button that downloads all forecasts that match as CSV."""

    def export() -> str:
        items = desk().forecasts.list(where, by=by, ascending=ascending, limit=MOST_EXPORTED)
        return ForecastItems(total=len(items), forecasts=items).to_csv()

    st.download_button(
        _("Export CSV"), export, "forecasts.csv", "text/csv", icon=":material/download:", on_click="ignore"
    )


def _confirm_deletion(picked: Sequence[ForecastItem]) -> None:
    ids = [item.id for item in picked]

    def delete() -> None:
        desk().forecasts.delete(*ids)
        pick([])

    question = _("Delete this forecast of {name}?").format(name=picked[0].candles_name)
    if len(picked) > 1:
        question = _("Delete these {count} forecasts?").format(count=len(picked))
    confirm(question, _("Addresses of deleted forecasts no longer work. The data sets stay."), delete)


def _render_form(picked: Sequence[ForecastItem]) -> None:
    """Render the fields for tags and note of one forecast, or for tags of several, and save them."""
    save = _render_tags_of_several(picked) if len(picked) > 1 else _render_tags_and_note(picked[0])
    if st.button(_("Save"), type="primary", icon=":material/save:", key="history.save"):
        with render_errors():
            save()
            st.rerun()


def _render_tags_and_note(item: ForecastItem) -> Callable[[], object]:
    tags = render_tags(_("Tags"), joined(keys.TAGS, item.id), item.tags, desk().forecasts.tags())
    note = st.text_area(_("Note"), item.note, max_chars=LONGEST_NOTE, key=joined(keys.NOTE, item.id))
    return lambda: desk().forecasts.annotate(item.id, Annotation.build({"tags": tags, "note": note}))


def _render_tags_of_several(items: Sequence[ForecastItem]) -> Callable[[], object]:
    st.caption(_("{count} forecasts").format(count=len(items)))
    add = render_tags(_("Add tags"), keys.ADDED, [], desk().forecasts.tags())
    shared = sorted({tag for item in items for tag in item.tags})
    remove = st.multiselect(_("Remove tags"), shared, key=keys.REMOVED, placeholder=_("None"))
    return lambda: desk().forecasts.change_tags([item.id for item in items], add, remove)
