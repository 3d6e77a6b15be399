"""The series that the store has: what they cover, keeping them up to date, and taking one as a data set."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
from kronos_app.widgets.candles import drafts, watchlists
from kronos_app.widgets.kit import errors, formats, job
from kronos_app.widgets.kit.confirm import confirm

PAGE_SIZE = 10
# What an examination of a data set is quick with, and far more than a model takes in.
SUGGESTED_CANDLES = 20_000
JOB = "refresh"  # the address names the job by this


def adopt() -> None:
    """Open on the stored series where the address names work on them, once."""
    job_id = st.query_params.get(JOB)
    if job_id is not None and st.session_state.get(state.DATA_STORED_JOB) != job_id:
        st.session_state[state.DATA_STORED_JOB] = job_id
        st.session_state[state.DATA_SOURCE] = "stored"


def draw() -> Draft | None:
    """Draw the series and the watchlists; return candles of the series in use, None while none is."""
    infos = desk().series.list()
    if not infos:
        st.info(_("Nothing is stored yet. What is fetched from a market source stays here, and grows from then on."))
    else:
        _head(infos)
    _follow()
    if infos:
        _list(infos)
    # What is in use follows below, and is what the reader came for.
    with st.expander(_("Watchlists"), icon=":material/list_alt:", expanded=state.DATA_STORED not in st.session_state):
        watchlists.draw(refresh)
    return _chosen(infos)


def refresh(entries: Sequence[SeriesKey | Watched] | None) -> None:
    """Begin to bring series up to date, all by default, and name the work in the address."""
    with errors.shown():
        job_id = desk().series.refresh(entries)
        st.session_state[state.DATA_STORED_JOB] = job_id
        st.query_params[JOB] = job_id
        st.rerun()


def _head(infos: Sequence[SeriesInfo]) -> None:
    size = desk().series.size()
    words, action = st.columns([5, 3], vertical_alignment="center")
    words.markdown(
        _("**{count} series**, {size} of {limit}").format(
            count=formats.number(len(infos), 0), size=_size(size.bytes), limit=_size(size.limit)
        )
    )
    with action.container(horizontal=True, horizontal_alignment="right"):
        if st.button(_("Bring all up to date"), icon=":material/sync:", key="data.stored.refresh_all"):
            refresh(None)


def _follow() -> None:
    """Draw the work that the address names."""
    job_id = st.query_params.get(JOB)
    if job_id is None:
        return
    with errors.shown():
        asked = desk().jobs.get(job_id)
        if asked.kind != KIND:
            errors.show(
                text("The work {id} does not bring series up to date.", id=job_id),
                text("Choose what to bring up to date."),
            )
            return
        done = job.follow(job_id)
        if done is not None:
            st.success(_("Up to date now: {count} series.").format(count=done), icon=":material/check_circle:")


def _list(infos: Sequence[SeriesInfo]) -> None:
    first, last = min(info.first for info in infos), max(info.last for info in infos)
    shown = _page(infos)
    for info in shown:
        _row(info, first.value, last.value + 1)
    st.caption(
        _("The bars go from {first} to {last}: what they fill is stored.").format(
            first=f"{first:%Y-%m-%d}", last=f"{last:%Y-%m-%d}"
        )
    )


def _page(infos: Sequence[SeriesInfo]) -> Sequence[SeriesInfo]:
    """Return the series to show; where they are many, ask which."""
    if len(infos) <= PAGE_SIZE:
        return infos
    first, second = st.columns([3, 1])
    wanted = first.text_input(
        _("Search"), key=state.DATA_STORED_TEXT, placeholder=_("symbol or source"), persist_state="session"
    )
    words = wanted.casefold().split()
    found = [info for info in infos if all(word in f"{info.key.symbol} {info.key.source}".casefold() for word in words)]
    pages = max(math.ceil(len(found) / PAGE_SIZE), 1)
    state.clamp(state.DATA_STORED_PAGE, 1, pages)
    page = second.number_input(_("Page, of {pages}").format(pages=pages), 1, pages, key=state.DATA_STORED_PAGE)
    return found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]


def _row(info: SeriesInfo, first: int, last: int) -> None:
    key = info.key
    name = "data.stored." + "|".join((key.source, key.symbol, key.interval, key.adjustment))
    with st.container(border=True):
        words, actions = st.columns([5, 2], vertical_alignment="center")
        with words:
            in_use = st.session_state.get(state.DATA_STORED) == key
            badge = " :green-badge[" + _("shown below") + "]" if in_use else ""
            kind = " · ".join(filter(None, (key.source, key.interval, key.adjustment)))
            title = f"**{errors.escape(key.symbol)}** :gray[{errors.escape(kind)}]{badge}"
            st.markdown(f"{title}  \n:small[{errors.escape(_details(info))}]")
            st.html(_bar(info, first, last))
        with actions.container(horizontal=True, horizontal_alignment="right"):
            if st.button(_("Use"), key=f"{name}.use", disabled=in_use):
                st.session_state[state.DATA_STORED] = key
                st.rerun()
            with st.popover("", icon=":material/more_vert:", key=f"{name}.more", help=_("More")):
                _more(info, name)
        _remarks(info)


def _details(info: SeriesInfo) -> str:
    first, last = (formats.time(watchlists.local(moment, info)) for moment in (info.first, info.last))
    return " · ".join(
        [
            _("{count} candles").format(count=formats.number(info.rows, 0)),
            _("{first} to {last}").format(first=first, last=last),
            _size(info.size_bytes),
            _("asked {moment}").format(moment=formats.moment(info.state.checked)),
        ]
    )


def _size(value: int) -> str:
    """Return a size in the unit that fits it."""
    if value < 10**6:
        return f"{formats.number(value / 1e3, 0)} kB"
    return f"{formats.number(value / 1e6, 0 if value >= 10**8 else 1)} MB"


def _bar(info: SeriesInfo, first: int, last: int) -> str:
    """Return a bar whose filled parts are the time that the series covers."""
    whole = max(last - first, 1)
    parts = "".join(
        f'<i style="left:{100 * (start - first) / whole:.3f}%;width:{100 * (stop - start) / whole:.3f}%"></i>'
        for start, stop in stretches(info)
    )
    label = _("{share} of the time shown is stored").format(
        share=formats.percent(sum(stop - start for start, stop in stretches(info)) / whole, 0)
    )
    return f'<div class="kronos-coverage" role="img" aria-label="{label}" title="{label}">{parts}</div>'


def stretches(info: SeriesInfo) -> list[Range]:
    """Return what a series covers, between its first and its last candle."""
    first, last = to_ns(info.first), to_ns(info.last) + 1
    found = [(max(start, first), min(stop, last)) for start, stop in info.state.covered]
    return union(found) or [(first, last)]


def _remarks(info: SeriesInfo) -> None:
    if info.state.error is not None:
        said = state.say(Text.from_dict(info.state.error["message"]))
        hint = state.say(Text.from_dict(info.state.error["hint"]))
        told = _("Not up to date: {reason} {hint} What is stored can be used.").format(reason=said, hint=hint)
        st.caption(":orange[:material/warning:] " + errors.escape(told))
    if info.state.note is not None:
        st.caption(":material/history: " + errors.escape(state.say(info.state.note)))


def _more(info: SeriesInfo, name: str) -> None:
    if st.button(_("Bring up to date"), key=f"{name}.refresh", icon=":material/sync:", width="stretch"):
        refresh([info.key])
    for form in FORMATS:
        st.download_button(
            _("Save as {format}").format(format={"csv": "CSV", "parquet": "Parquet"}[form]),
            partial(_exported, info.key, form),
            file_name=desk().series.file_name(info.key, form),
            on_click="ignore",
            key=f"{name}.{form}",
            icon=":material/download:",
            width="stretch",
        )
    watchlists.draw_add(as_entry(info), name)
    if st.button(_("Delete"), key=f"{name}.delete", icon=":material/delete:", width="stretch"):
        confirm(
            _("Delete the series {name}?").format(name=info.key.symbol),
            _("Data sets made from it stay. To have it again it must be fetched."),
            lambda: desk().series.delete(info.key),
        )


def _exported(key: SeriesKey, form: ExportFormat) -> bytes:
    return desk().series.export(key, form)[1]


def _chosen(infos: Sequence[SeriesInfo]) -> Draft | None:
    """Ask how much of the series in use is wanted, and return that."""
    key = st.session_state.get(state.DATA_STORED)
    info = next((info for info in infos if info.key == key), None)
    if info is None:
        st.session_state.pop(state.DATA_STORED, None)
        return None
    st.subheader(_("{symbol} as a data set").format(symbol=errors.escape(info.key.symbol)))
    field = f"{state.DATA_STORED_LAST}.{'|'.join(vars(info.key).values())}"
    state.default(field, min(info.rows, SUGGESTED_CANDLES))
    state.clamp(field, 1, info.rows)
    last = st.number_input(
        _("Latest candles to take"), 1, info.rows, key=field, help=_("Of {count}.").format(count=info.rows)
    )
    try:
        return drafts.kept_alone(
            (info.key, (last, info.last, info.rows, info.state.checked)),
            lambda: desk().series.draft(info.key, last=int(last)),
        )
    except AppError as error:
        errors.show(error.message, error.hint)
        return None
