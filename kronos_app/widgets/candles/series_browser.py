"""Stored series: what they cover, refreshing, exporting and deleting them, and using one as a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from functools import partial

import streamlit as st

from kronos_app import state
from kronos_app.data.coverage import Range, to_ns, union
from kronos_app.data.draft import Draft
from kronos_app.errors import AppError
from kronos_app.i18n import Text, text
from kronos_app.runtime import desk
from kronos_app.services.candles.series import FORMATS, KIND, ExportFormat, as_entry
from kronos_app.state import gettext as _
from kronos_app.store.series import SeriesInfo, SeriesKey
from kronos_app.store.watchlists import Watched
from kronos_app.widgets.candles import drafts, keys, watchlists
from kronos_app.widgets.candles.asking import name_job
from kronos_app.widgets.kit import errors, formats, job, paging
from kronos_app.widgets.kit.confirm import confirm

PAGE_SIZE = 10
SUGGESTED_CANDLES = 20_000  # fast to inspect, and more than a model uses
JOB = "refresh"  # parameter of the address
FORMAT_TITLES = {"csv": "CSV", "parquet": "Parquet"}


def adopt_job() -> None:
    """Show the stored series where the address names a refresh, once."""
    job_id = st.query_params.get(JOB)
    if job_id is not None and st.session_state.get(keys.STORED_JOB) != job_id:
        st.session_state[keys.STORED_JOB] = job_id
        st.session_state[keys.SOURCE] = "stored"


def render_series() -> Draft | None:
    """Render the series and the watchlists; return candles of the series in use, None where none is."""
    infos = desk().series.list()
    if infos:
        _render_head(infos)
    else:
        st.info(_("Nothing is stored yet. Candles fetched from a market source are stored here."))
    _follow_job()
    if infos:
        _render_list(infos)
    # Closed while a series is in use, whose data set follows below.
    with st.expander(_("Watchlists"), icon=":material/list_alt:", expanded=keys.STORED not in st.session_state):
        watchlists.render_watchlists(refresh)
    return _render_data_set(infos)


def refresh(entries: Sequence[SeriesKey | Watched] | None) -> None:
    """Start a refresh of series, by default all, and put its job into the address."""
    with errors.render_errors():
        name_job(desk().series.refresh(entries), keys.STORED_JOB, JOB)
        st.rerun()


def _render_head(infos: Sequence[SeriesInfo]) -> None:
    size = desk().series.size()
    summary, action = st.columns([5, 3], vertical_alignment="center")
    summary.markdown(
        _("**{count} series**, {size} of {limit}").format(
            count=formats.number(len(infos), 0), size=_format_size(size.bytes), limit=_format_size(size.limit)
        )
    )
    with action.container(horizontal=True, horizontal_alignment="right"):
        if st.button(_("Refresh all"), icon=":material/sync:", key="data.stored.refresh_all"):
            refresh(None)


def _follow_job() -> None:
    job_id = st.query_params.get(JOB)
    if job_id is None:
        return
    with errors.render_errors():
        if desk().jobs.get(job_id).kind != KIND:
            errors.render_error(
                text("The job {id} is not a refresh.", id=job_id), text("Choose the series to refresh.")
            )
            return
        count = job.await_result(job_id)
        if count is not None:
            st.success(_("Up to date: {count} series.").format(count=count), icon=":material/check_circle:")


def _render_list(infos: Sequence[SeriesInfo]) -> None:
    first, last = min(info.first for info in infos), max(info.last for info in infos)
    for info in _render_page(infos):
        _render_row(info, first.value, last.value + 1)
    st.caption(
        _("The bars span {first} to {last}; the filled parts are stored.").format(
            first=f"{first:%Y-%m-%d}", last=f"{last:%Y-%m-%d}"
        )
    )


def _render_page(infos: Sequence[SeriesInfo]) -> Sequence[SeriesInfo]:
    """Return the series to show; with many, render a search and a page field."""
    if len(infos) <= PAGE_SIZE:
        return infos
    search, page = st.columns([3, 1])
    query = search.text_input(
        _("Search"), key=keys.STORED_TEXT, placeholder=_("symbol or source"), persist_state="session"
    )
    words = query.casefold().split()
    matches = [i for i in infos if all(word in f"{i.key.symbol} {i.key.source}".casefold() for word in words)]
    with page:
        start = paging.first_row(len(matches), keys.STORED_PAGE, PAGE_SIZE)
    return matches[start : start + PAGE_SIZE]


def _render_row(info: SeriesInfo, first: int, last: int) -> None:
    key = info.key
    name = f"data.stored.{_key_text(key)}"
    with st.container(border=True):
        description, actions = st.columns([5, 2], vertical_alignment="center")
        with description:
            in_use = st.session_state.get(keys.STORED) == key
            badge = " :green-badge[" + _("in use") + "]" if in_use else ""
            kind = " · ".join(filter(None, (key.source, key.interval, key.adjustment)))
            title = f"**{errors.escape(key.symbol)}** :gray[{errors.escape(kind)}]{badge}"
            st.markdown(f"{title}  \n:small[{errors.escape(_describe(info))}]")
            st.html(_coverage_bar(info, first, last))
        with actions.container(horizontal=True, horizontal_alignment="right"):
            if st.button(_("Use"), key=f"{name}.use", disabled=in_use):
                st.session_state[keys.STORED] = key
                st.rerun()
            with st.popover("", icon=":material/more_vert:", key=f"{name}.more", help=_("More")):
                _render_actions(info, name)
        _render_notes(info)


def _key_text(key: SeriesKey) -> str:
    return "|".join(astuple(key))


def _describe(info: SeriesInfo) -> str:
    first, last = (formats.time(watchlists.local(moment, info)) for moment in (info.first, info.last))
    return " · ".join([
        _("{count} candles").format(count=formats.number(info.rows, 0)),
        _("{first} to {last}").format(first=first, last=last),
        _format_size(info.size_bytes),
        _("checked {moment}").format(moment=formats.moment(info.state.checked)),
    ])  # fmt: skip


def _format_size(value: int) -> str:
    if value < 10**6:
        return f"{formats.number(value / 1e3, 0)} kB"
    return f"{formats.number(value / 1e6, 0 if value >= 10**8 else 1)} MB"


def _coverage_bar(info: SeriesInfo, first: int, last: int) -> str:
    """Return HTML of a bar from `first` to `last` whose filled parts are covered."""
    whole = max(last - first, 1)
    ranges = covered_ranges(info)
    parts = "".join(
        f'<i style="left:{100 * (start - first) / whole:.3f}%;width:{100 * (stop - start) / whole:.3f}%"></i>'
        for start, stop in ranges
    )
    share = formats.percent(sum(stop - start for start, stop in ranges) / whole, 0)
    label = _("{share} of this time span is stored").format(share=share)
    return f'<div class="kronos-coverage" role="img" aria-label="{label}" title="{label}">{parts}</div>'


def covered_ranges(info: SeriesInfo) -> list[Range]:
    """Return the covered ranges of a series between its first and its last candle."""
    first, last = to_ns(info.first), to_ns(info.last) + 1
    return union((max(start, first), min(stop, last)) for start, stop in info.state.covered) or [(first, last)]


def _render_notes(info: SeriesInfo) -> None:
    if info.state.error is not None:
        reason, hint = (state.say(Text.from_dict(info.state.error[part])) for part in ("message", "hint"))
        message = _("Not up to date: {reason} {hint} The stored candles can be used.").format(reason=reason, hint=hint)
        st.caption(":orange[:material/warning:] " + errors.escape(message))
    if info.state.note is not None:
        st.caption(":material/history: " + errors.escape(state.say(info.state.note)))


def _render_actions(info: SeriesInfo, name: str) -> None:
    if st.button(_("Refresh"), key=f"{name}.refresh", icon=":material/sync:", width="stretch"):
        refresh([info.key])
    for form in FORMATS:
        st.download_button(
            _("Save as {format}").format(format=FORMAT_TITLES[form]),
            partial(_export, info.key, form),
            file_name=desk().series.file_name(info.key, form),
            on_click="ignore",
            key=f"{name}.{form}",
            icon=":material/download:",
            width="stretch",
        )
    watchlists.render_add_buttons(as_entry(info), name)
    if st.button(_("Delete"), key=f"{name}.delete", icon=":material/delete:", width="stretch"):
        confirm(
            _("Delete the series {name}?").format(name=info.key.symbol),
            _("Data sets made from it are not deleted. Its candles must be fetched again if you need them."),
            lambda: desk().series.delete(info.key),
        )


def _export(key: SeriesKey, form: ExportFormat) -> bytes:
    return desk().series.export(key, form)[1]


def _render_data_set(infos: Sequence[SeriesInfo]) -> Draft | None:
    """Render how many candles of the series in use to take, and return them."""
    key = st.session_state.get(keys.STORED)
    info = next((info for info in infos if info.key == key), None)
    if info is None:
        st.session_state.pop(keys.STORED, None)
        return None
    st.subheader(_("{symbol} as a data set").format(symbol=errors.escape(info.key.symbol)))
    field = state.joined(keys.STORED_LAST, _key_text(info.key))
    state.default(field, min(info.rows, SUGGESTED_CANDLES))
    state.clamp(field, 1, info.rows)
    last = st.number_input(_("Latest candles"), 1, info.rows, key=field, help=_("Of {count}.").format(count=info.rows))
    try:
        return drafts.read_alone(
            (info.key, (last, info.last, info.rows, info.state.checked)),
            lambda: desk().series.draft(info.key, last=int(last)),
        )
    except AppError as error:
        errors.render_error(error.message, error.hint)
        return None
