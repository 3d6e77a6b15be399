"""Which candles to fine-tune on: data sets, stored series, a watchlist, files to upload, a Qlib folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime, time
from typing import Any

import streamlit as st

from kronos_app import nav, state
from kronos_app.data.sources import SourceFamily
from kronos_app.runtime import desk
from kronos_app.services.finetune.service import DataChoice
from kronos_app.state import gettext as _
from kronos_app.store.series import SeriesInfo, SeriesKey
from kronos_app.widgets.candles import saving, several, upload_form
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.errors import escape

SETS, SERIES, WATCHLIST, UPLOAD, QLIB = "candle_sets", "series", "watchlist", "upload", "qlib"
SAMPLE = "sp500"
EARLIEST = date(1900, 1, 1)
QLIB_UNITS = {"m": "min", "d": "day", "wk": "week", "mo": "month"}


def draw() -> DataChoice | None:
    """Draw the choice, and return it; None while nothing is chosen."""
    labels = {
        SETS: _("Data sets"),
        SERIES: _("Stored series"),
        WATCHLIST: _("Watchlist"),
        UPLOAD: _("Upload"),
        QLIB: _("Qlib"),
    }
    _adopt_uploaded()
    kind = st.segmented_control(
        _("Training candles"),
        list(labels),
        format_func=labels.__getitem__,
        default=SETS,
        required=True,
        key=state.FINETUNE_SOURCE,
        persist_state="session",
        width="stretch",
        wrap=True,
    )
    ways = {SETS: _sets, SERIES: _series, WATCHLIST: _watchlist, UPLOAD: _upload, QLIB: _qlib}
    return ways[kind or SETS]()


def _sets() -> DataChoice | None:
    infos = {info.id: info for info in desk().candles.list()}
    if not infos:
        st.info(_("There is no data set yet. Upload one, or take a sample."), icon=":material/database:")
    else:
        labels = {
            name: f"{one.name} · {formats.span(one.interval.total_seconds())} · {formats.number(one.rows, 0)}"
            for name, one in infos.items()
        }
        current = state.candles_id()
        state.default(state.FINETUNE_SETS, [current if current in infos else next(iter(infos))])
        st.session_state[state.FINETUNE_SETS] = [one for one in st.session_state[state.FINETUNE_SETS] if one in infos]
        chosen = st.multiselect(
            _("Data sets"),
            list(infos),
            format_func=labels.__getitem__,
            key=state.FINETUNE_SETS,
            persist_state="session",
            placeholder=_("Choose one or several"),
            help=_("Many series of one kind teach more than one. Upload more here or on the Data page."),
        )
        if chosen:
            return DataChoice(kind="candle_sets", candle_sets=chosen)
    if st.button(_("Take a sample"), icon=":material/play_arrow:", on_click=_take_sample, key="finetune.sample"):
        st.toast(_("Saved and selected."), icon=":material/check:")
    return None


def _take_sample() -> None:
    """Keep a series that comes with the desk, and choose it."""
    service = desk().candles
    draft = service.sample(SAMPLE)
    saved = service.save(service.preview(draft, "drop"), service.inspect(draft))
    state.use_candles(saved.id)
    st.session_state[state.FINETUNE_SETS] = [saved.id]


def _series() -> DataChoice | None:
    infos = {info.key: info for info in desk().series.list()}
    if not infos:
        _nothing(_("No series is stored yet. Series fetched on the Data page are stored and can be used here."))
        return None
    known = [key for key in st.session_state.get(state.FINETUNE_SERIES, []) if key in infos]
    st.session_state[state.FINETUNE_SERIES] = known
    chosen = st.multiselect(
        _("Stored series"),
        list(infos),
        format_func=lambda key: _series_label(infos[key]),
        key=state.FINETUNE_SERIES,
        persist_state="session",
        select_all=len(infos),
        placeholder=_("Choose one or several"),
    )
    return _of_series(chosen) if chosen else None


def _of_series(keys: list[SeriesKey]) -> DataChoice:
    return DataChoice.model_validate({"kind": "series", "series": [asdict(key) for key in keys]})


def _series_label(info: SeriesInfo) -> str:
    key = info.key
    parts = (key.symbol, key.source, key.interval, key.adjustment, formats.number(info.rows, 0))
    return " · ".join(filter(None, parts))


def _watchlist() -> DataChoice | None:
    lists = {one.name: one for one in desk().series.watchlists()}
    if not lists:
        _nothing(_("There is no watchlist yet. Make one under Stored series on the Data page."))
        return None
    if st.session_state.get(state.FINETUNE_WATCHLIST) not in lists:
        st.session_state[state.FINETUNE_WATCHLIST] = next(iter(lists))
    name = st.selectbox(_("Watchlist"), list(lists), key=state.FINETUNE_WATCHLIST, persist_state="session")
    infos = desk().series.list()
    stored = sum(desk().series.stored(entry, infos) is not None for entry in lists[name].entries)
    told = _("{stored} of its {count} series are stored and will be used.")
    st.caption(told.format(stored=stored, count=len(lists[name].entries)))
    return DataChoice(kind="watchlist", watchlist=name) if stored else None


def _upload() -> None:
    """Draw what the Data page has for files; what is kept of them is chosen from then on."""
    st.session_state[state.FINETUNE_KNOWN] = [info.id for info in desk().candles.list()]
    several.draw(upload_form.draw())
    saving.draw()


def _adopt_uploaded() -> None:
    """Choose the data sets that this session kept since files were asked for."""
    known = st.session_state.pop(state.FINETUNE_KNOWN, None)
    together: several.Kept | None = st.session_state.get(state.DATA_KEPT)
    kept = {*(together.saved.ids if together else ()), *saving.last_saved(), state.candles_id()}
    new = [] if known is None else [one.id for one in desk().candles.list() if one.id in kept and one.id not in known]
    if new:
        st.session_state[state.FINETUNE_SETS] = new
        st.session_state[state.FINETUNE_SOURCE] = SETS


def _qlib() -> DataChoice | None:
    family: SourceFamily | None = next((one for one in desk().sources.families if one.key == QLIB), None)
    names = desk().sources.names(family) if family else ()
    if not names:
        _nothing(_("There is no Qlib folder. The administrator sets KRONOS_QLIB_FOLDERS; see docs/qlib.md."))
        return None
    folder = st.selectbox(
        _("Folder"),
        names,
        format_func=lambda name: name.partition(":")[2],
        key=state.FINETUNE_FOLDER,
        persist_state="session",
    )
    first, second = st.columns(2)
    with first:
        market = st.selectbox(
            _("Market"),
            desk().sources.listed(folder).markets(),
            key=f"{state.FINETUNE_MARKET}.{folder}",
            persist_state="session",
        )
        start = _day(_("From"), state.FINETUNE_FROM, time.min)
    with second:
        intervals = [interval.key for interval in desk().sources.get(folder).intervals()]
        interval = st.selectbox(
            _("Interval"), intervals, key=f"{state.FINETUNE_FREQUENCY}.{folder}", persist_state="session"
        )
        end = _day(_("To"), state.FINETUNE_TO, time.max)
    return DataChoice(
        kind="qlib",
        qlib_folder=folder.partition(":")[2],
        qlib_market=market,
        qlib_frequency=_frequency(interval),
        qlib_start=start,
        qlib_end=end,
    )


def _frequency(interval: str) -> str:
    """Return Qlib's word for an interval: `1d` is `day`, `5m` is `5min`."""
    unit = interval.lstrip("0123456789")
    count = interval.removesuffix(unit)
    word = QLIB_UNITS[unit]
    return word if count == "1" and word != "min" else count + word


def _interval(frequency: str) -> str:
    """Return the interval of Qlib's word."""
    word = frequency.lstrip("0123456789")
    unit = next(unit for unit, known in QLIB_UNITS.items() if known == word)
    return (frequency.removesuffix(word) or "1") + unit


def _day(label: str, key: str, at: time) -> datetime | None:
    """Ask for a day, and return that time of it on the exchange's own clock."""
    day = st.date_input(label, None, EARLIEST, datetime.now(UTC).date(), key=key, persist_state="session")
    return None if day is None else datetime.combine(day, at)


def _nothing(said: str) -> None:
    st.info(escape(said), icon=":material/database:")
    nav.link("data", _("Go to Data"), icon=":material/database:")


def adopt(data: DataChoice) -> None:
    """Set the choice to what a run was made with."""
    values: Mapping[str, Any] = {
        SETS: {state.FINETUNE_SETS: list(data.candle_sets)},
        SERIES: {state.FINETUNE_SERIES: [SeriesKey(**one.model_dump()) for one in data.series]},
        WATCHLIST: {state.FINETUNE_WATCHLIST: data.watchlist},
        QLIB: {
            state.FINETUNE_FOLDER: f"{QLIB}:{data.qlib_folder}",
            f"{state.FINETUNE_MARKET}.{QLIB}:{data.qlib_folder}": data.qlib_market,
            f"{state.FINETUNE_FREQUENCY}.{QLIB}:{data.qlib_folder}": _interval(data.qlib_frequency),
            state.FINETUNE_FROM: data.qlib_start and data.qlib_start.date(),
            state.FINETUNE_TO: data.qlib_end and data.qlib_end.date(),
        },
    }
    st.session_state.update({state.FINETUNE_SOURCE: data.kind, **values[data.kind]})
