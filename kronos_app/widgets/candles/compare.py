"""Several data sets on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from kronos_app.charts.compare import START, compare_chart, normalise
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.store.records import CandleSetInfo
from kronos_app.widgets.candles import keys
from kronos_app.widgets.kit import formats, names
from kronos_app.widgets.kit.chart_style import chart_style
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.kit.figure import render_figure

MOST_SETS = 10
MONTHS = {"1m": 1, "3m": 3, "1y": 12, "5y": 60}
DAY = pd.Timedelta(days=1)


def render_comparison() -> None:
    """Render the choice of data sets and, once there are two, their closes on one scale."""
    infos = {info.id: info for info in desk().candles.list()}
    if len(infos) < 2:
        return
    st.subheader(_("Compare data sets"))
    chosen = _choose(infos)
    if len(chosen) < 2:
        st.caption(_("Choose two or more: their closes are drawn on one scale, each beginning at 100."))
        return
    months = MONTHS.get(_range())
    closes = _on_one_clock({key: desk().candles.get(key).candles for key in chosen})
    labels = _names([infos[key] for key in chosen])
    if months is not None:
        last = max(close.index[-1] for close in closes.values())
        closes = {key: close[close.index >= last - pd.DateOffset(months=months)] for key, close in closes.items()}
    empty = [labels[key] for key, close in closes.items() if close.empty]
    if empty:
        st.info(_("Without a candle in this range: {names}.").format(names=escape(", ".join(empty))))
    table = normalise({labels[key]: close for key, close in closes.items() if not close.empty})
    style = replace(chart_style(), price=_("Close, start = 100"))
    render_figure(compare_chart(table, style), "data.compare", _("Closes of several data sets"), "closes")
    if table.notna().all(axis=1).any():
        st.caption(
            _("Each is 100 at {time}, from where on all have candles.").format(time=formats.time(table.index[0]))
        )
    else:
        st.caption(_("These never have candles at the same time: each is 100 at its own start."))
    st.table(_facts(table))


def _choose(infos: Mapping[str, CandleSetInfo]) -> list[str]:
    labels = _names(list(infos.values()))
    chosen = st.session_state.get(keys.COMPARED)
    if chosen is not None:  # some may have been deleted
        st.session_state[keys.COMPARED] = [key for key in chosen if key in infos]
    return st.multiselect(
        _("Data sets"),
        list(infos),
        format_func=labels.__getitem__,
        key=keys.COMPARED,
        max_selections=MOST_SETS,
        select_all=False,
        placeholder=_("Choose two or more"),
        persist_state="session",
    )


def _range() -> str:
    labels = {"1m": _("1 month"), "3m": _("3 months"), "1y": _("1 year"), "5y": _("5 years"), "all": _("All")}
    chosen = st.segmented_control(
        _("Range"),
        list(labels),
        format_func=labels.__getitem__,
        default="all",
        required=True,
        key=keys.COMPARED_RANGE,
        persist_state="session",
    )
    return str(chosen)


def _names(infos: Sequence[CandleSetInfo]) -> dict[str, str]:
    """Return what tells data sets apart: the name, and what else it takes where several share one."""
    titles = [info.title for info in infos]
    long = {
        info.id: " · ".join(
            [names.shorten(info.title), formats.span(info.interval.total_seconds()), formats.time(info.last)]
        )
        for info in infos
    }
    labels = {info.id: names.shorten(info.title) if titles.count(info.title) == 1 else long[info.id] for info in infos}
    shared = list(labels.values())
    return {key: label if shared.count(label) == 1 else f"{label} · {key[:4]}" for key, label in labels.items()}


def _on_one_clock(sets: Mapping[str, CandleFrame]) -> dict[str, pd.Series[float]]:
    """Return the closes by time: days as each exchange counts them, shorter candles in UTC."""
    daily = all(candles.interval >= DAY for candles in sets.values())
    closes = {}
    for key, candles in sets.items():
        times = candles.timestamps if daily else candles.utc.tz_localize(None)
        closes[key] = pd.Series(candles.frame["close"].to_numpy(), index=times.normalize() if daily else times)
    return {key: close[~close.index.duplicated(keep="last")] for key, close in closes.items()}


def _facts(table: pd.DataFrame) -> pd.DataFrame:
    lines = {}
    for name in table:
        line = table[name].dropna()
        fall = (line / line.cummax() - 1).min()
        lines[str(name)] = {
            _("Change"): formats.percent(line.iloc[-1] / START - 1, signed=True),
            _("Max drawdown"): formats.percent(fall, signed=True),
            _("Highest"): formats.number(line.max(), 1),
            _("Lowest"): formats.number(line.min(), 1),
        }
    return pd.DataFrame(lines).T
