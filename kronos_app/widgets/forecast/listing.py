"""Forecasts made before, as rows with what one can do with each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from kronos_app import nav
from kronos_app.state import gettext as _
from kronos_app.store.records import ForecastInfo
from kronos_app.widgets.candles import doubts as doubt
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.errors import escape


def label(info: ForecastInfo) -> str:
    """Return a forecast in one line of plain text."""
    mode = _("Replay") if info.request.get("cutoff") else _("Future")
    steps = _("{horizon} candles from {cutoff}").format(horizon=info.horizon, cutoff=formats.time(info.cutoff))
    return f"{info.candles_name} · {mode} · {steps} · {info.model} · {formats.moment(info.created)}"


def draw_rows(infos: Sequence[ForecastInfo], on_delete: Callable[[ForecastInfo], None] | None = None) -> None:
    """Draw one row a forecast, with a link to open it and, where `on_delete` is given, a button to delete it."""
    for info in infos:
        with st.container(border=True):
            words, actions = st.columns([5, 2], vertical_alignment="center")
            title = f"**{escape(info.candles_name)}** · {escape(info.model)}{doubt.badges(info.provenance)}"
            words.markdown(f"{title}  \n:small[{escape(_details(info))}]")
            with actions.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
                nav.link("forecast", _("Open"), icon=":material/open_in_new:", forecast=info.id)
                if on_delete is not None and st.button(
                    _("Delete"), key=f"history.delete.{info.id}", icon=":material/delete:", type="tertiary"
                ):
                    on_delete(info)


def _details(info: ForecastInfo) -> str:
    if info.damaged:
        return _("This record is damaged and cannot be read. Delete it, or restore the database from a backup.")
    mode = _("Replay") if info.request.get("cutoff") else _("Future")
    return " · ".join(
        [
            mode,
            _("{horizon} candles from {cutoff}").format(horizon=info.horizon, cutoff=formats.time(info.cutoff)),
            _("lookback {lookback}").format(lookback=info.lookback),
            _("{samples} samples").format(samples=info.samples),
            _("made {moment}").format(moment=formats.moment(info.created)),
        ]
    )
