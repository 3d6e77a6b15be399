"""Data: bring candles, see what is wrong with them, choose a repair, keep them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime, timedelta

import streamlit as st

from kronos_app import state
from kronos_app.data.draft import Draft
from kronos_app.data.quality import QualityReport
from kronos_app.data.repair import REPAIRS, Repaired
from kronos_app.data.sources import SourceFamily
from kronos_app.i18n import text
from kronos_app.runtime import desk
from kronos_app.widgets import candle_sets, fetch_form, quality
from kronos_app.widgets.errors import shown

INTERVALS = ("1min", "5min", "15min", "30min", "1h", "4h", "1d", "1W")
EARLIEST, LATEST = datetime(1900, 1, 1), datetime(2100, 1, 1)  # noqa: DTZ001 - candles have local times
REPAIR_WORDS = {
    "drop": (text("Drop"), text("Leave faulty candles out.")),
    "ffill": (text("Forward-fill"), text("Replace a faulty candle by a flat one at the close before it.")),
    "keep": (text("Keep"), text("Leave candles whose prices contradict each other as they are.")),
}


def draw() -> None:
    _ = state.gettext()
    st.title(_("Data"))
    with shown():
        draft = _source()
        if draft is not None:
            _examine(draft)
    with shown():
        candle_sets.draw()


def _source() -> Draft | None:
    _ = state.gettext()
    families = {family.key: family for family in desk().fetching.sources()}
    labels = {"upload": _("Upload a file"), "sample": _("Take a sample")}
    labels |= {key: state.say(family.title) for key, family in families.items()}
    fetch_form.adopt()
    source = st.segmented_control(
        _("Where the candles come from"),
        list(labels),
        format_func=labels.__getitem__,
        default="upload",
        required=True,
        key=state.DATA_SOURCE,
        persist_state="session",
    )
    if source in families:
        return _fetched(families[source])
    return _sample() if source == "sample" else _upload()


def _fetched(family: SourceFamily) -> Draft | None:
    result_id = fetch_form.draw(family)
    return None if result_id is None else _kept((result_id, None), lambda: desk().fetching.fetched(result_id))


def _sample() -> Draft | None:
    _ = state.gettext()
    samples = desk().candles.samples()
    titles = {name: state.say(info.title) for name, info in samples.items()}
    name = st.selectbox(_("Sample"), list(titles), format_func=titles.__getitem__, key=state.DATA_SAMPLE)
    info = samples[name]
    st.caption(_("Source: {source}. Licence: {licence}.").format(source=info.source, licence=info.licence))
    return _kept((name, None), lambda: desk().candles.sample(name))


def _upload() -> Draft | None:
    _ = state.gettext()
    file = st.file_uploader(
        _("Candles as CSV, Feather or Parquet, also gzipped"),
        type=["csv", "txt", "gz", "feather", "arrow", "parquet", "pq"],
        key=state.DATA_FILE,
        max_upload_size=desk().settings.max_upload_mb,
    )
    limit = _("Up to {limit} MB.").format(limit=desk().settings.max_upload_mb)
    st.caption(
        _(
            "Needs the columns open, high, low, close; timestamps, volume and amount where there are any. "
            "Common variants and Chinese headers such as 日期, 开盘, 最高, 最低, 收盘, 成交量, 成交额 are understood."
        )
        + " "
        + limit
    )
    if file is None:
        return None
    draft = _kept((file.file_id, None), lambda: desk().candles.read(file.getvalue(), file.name))
    if not draft.needs_timestamps:
        return draft
    stated = _state_times()
    if stated is None:
        return None
    return _kept((file.file_id, stated), lambda: desk().candles.read(file.getvalue(), file.name, *stated))


def _state_times() -> tuple[datetime, str] | None:
    """Ask for what a file without times does not say; nothing is assumed."""
    _ = state.gettext()
    st.warning(_("This file has no time column. State when its first candle began and how long a candle is."))
    first, second = st.columns(2)
    with first:
        start = st.datetime_input(
            _("Start of the first candle"), None, EARLIEST, LATEST, step=timedelta(minutes=1), key=state.DATA_START
        )
    with second:
        interval = st.selectbox(_("Interval"), INTERVALS, index=None, key=state.DATA_INTERVAL, accept_new_options=True)
    return None if start is None or not interval else (start, interval)


def _kept(key: tuple[Hashable, Hashable], read: Callable[[], Draft]) -> Draft:
    """Return what was read before under `key`; a source is read once, not at every click."""
    drafts: dict[tuple[Hashable, Hashable], Draft] = st.session_state.get(state.DATA_DRAFT, {})
    if key not in drafts:
        drafts = {other: draft for other, draft in drafts.items() if other[0] == key[0]} | {key: read()}
        st.session_state[state.DATA_DRAFT] = drafts
    return drafts[key]


def _examine(draft: Draft) -> None:
    _ = state.gettext()
    report = desk().candles.inspect(draft)
    quality.draw(draft.name, report)
    if report.rows == 0:
        return
    choice = None if report.clean else _choose()
    repaired = desk().candles.preview(draft, choice)
    quality.draw_repaired(repaired)
    quality.draw_preview(repaired.candles)
    _save(repaired, report)


def _choose() -> str:
    _ = state.gettext()
    st.subheader(_("Repair"))
    labels = {key: state.say(REPAIR_WORDS[key][0]) for key in REPAIRS}
    return st.radio(
        _("What to do with faulty rows"),
        REPAIRS,
        format_func=labels.__getitem__,
        captions=[state.say(REPAIR_WORDS[key][1]) for key in REPAIRS],
        key=state.DATA_REPAIR,
    )


def _save(repaired: Repaired, report: QualityReport) -> None:
    _ = state.gettext()
    if st.button(_("Use this data set"), type="primary", icon=":material/check:"):
        saved = desk().candles.save(repaired, report)
        state.use_candles(saved.id)
        st.toast(_("Kept, and now in use."), icon=":material/check:")
        st.rerun()
    if state.candles_id() == repaired.candles.digest[:16]:
        quality.draw_next()


draw()
