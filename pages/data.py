"""Data: upload or fetch candles, check their quality, choose a repair, save them."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.data.draft import Draft
from kronos_app.data.sources import SourceFamily
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import (
    candle_sets,
    compare,
    drafts,
    fetch_form,
    keys,
    listed_form,
    saving,
    series_browser,
    several,
    sql_form,
    upload_form,
)
from kronos_app.widgets.kit.errors import render_errors


def render_page() -> None:
    st.title(_("Data"))
    with render_errors():
        several.render_series(_read_drafts())
    with render_errors():
        saving.render_job()
    with render_errors():
        candle_sets.render_candle_sets()
    with render_errors():
        compare.render_comparison()


def _read_drafts() -> list[Draft]:
    families = {family.key: family for family in desk().sources.families}
    labels = {"upload": _("Upload files"), "sample": _("Take a sample")}
    labels |= {key: state.say(family.title) for key, family in families.items()}
    labels["sql"] = _("SQL database")
    labels["stored"] = _("Stored series")
    fetch_form.adopt_job()
    sql_form.adopt_job()
    series_browser.adopt_job()
    source = st.segmented_control(
        _("Data source"),
        list(labels),
        format_func=labels.__getitem__,
        default="upload",
        required=True,
        key=keys.SOURCE,
        persist_state="session",
    )
    if source == "upload":
        return upload_form.render_upload_form()
    if source in families and families[source].listed:
        return listed_form.render_form(families[source])
    other = {"sample": _sample, "sql": sql_form.render_form, "stored": series_browser.render_series}
    draft = other[source]() if source in other else _fetched(families[source])
    return [] if draft is None else [draft]


def _fetched(family: SourceFamily) -> Draft | None:
    result_id = fetch_form.render_form(family)
    return None if result_id is None else drafts.read_alone((result_id, None), lambda: desk().fetched.get(result_id))


def _sample() -> Draft | None:
    samples = desk().candles.samples()
    titles = {name: state.say(info.title) for name, info in samples.items()}
    name = st.selectbox(_("Sample"), list(titles), format_func=titles.__getitem__, key=keys.SAMPLE)
    info = samples[name]
    st.caption(_("Source: {source}. Licence: {licence}.").format(source=info.source, licence=info.licence))
    return drafts.read_alone((name, None), lambda: desk().candles.sample(name))


render_page()
