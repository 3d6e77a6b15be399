"""Lists of earlier forecasts, and the settings of one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from kronos_app import nav
from kronos_app.runtime import desk
from kronos_app.services.forecast.request import WINDOWS
from kronos_app.state import gettext as _
from kronos_app.state import say
from kronos_app.store.records import ForecastInfo, StoredForecast
from kronos_app.widgets.candles import doubts
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.confirm import confirm
from kronos_app.widgets.kit.errors import escape


def describe_forecast(info: ForecastInfo) -> str:
    """Return a forecast in one line of plain text."""
    return f"{info.candles_name} · {_describe_steps(info)} · {info.model} · {formats.moment(info.created)}"


def _describe_steps(info: ForecastInfo) -> str:
    mode = _("Replay") if info.request.get("cutoff") else _("Future")
    steps = _("{horizon} candles from {cutoff}").format(horizon=info.horizon, cutoff=formats.time(info.cutoff))
    return f"{mode} · {steps}"


def settings_facts(stored: StoredForecast) -> dict[str, str]:
    """Return the sampling settings of a forecast by label."""
    request = stored.request
    return {
        _("Window"): say(WINDOWS[request.get("window", "fit")].label),
        _("Temperature"): str(request["temperature"]),
        _("Top-p"): str(request["top_p"]),
        _("Top-k"): str(request["top_k"]),
        _("Samples"): str(request["samples"]),
        _("Drift"): _("zero") if stored.driftless else _("as sampled"),
        _("Seed"): str(stored.provenance["seed"]),
    }


def render_rows(infos: Sequence[ForecastInfo], *, deletable: bool = False) -> None:
    """Render one row per forecast, with a link to open it and, if `deletable`, a button to delete it."""
    for info in infos:
        with st.container(border=True):
            words, actions = st.columns([5, 2], vertical_alignment="center")
            title = f"**{escape(info.candles_name)}** · {escape(info.model)}{doubts.badges(info.provenance)}"
            words.markdown(f"{title}  \n:small[{escape(_describe_details(info))}]")
            with actions.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
                nav.link("forecast", _("Open"), icon=":material/open_in_new:", forecast=info.id)
                if deletable and st.button(
                    _("Delete"), key=f"history.delete.{info.id}", icon=":material/delete:", type="tertiary"
                ):
                    confirm(
                        _("Delete this forecast of {name}?").format(name=info.candles_name),
                        _("Its address no longer works then. The data set stays."),
                        partial(desk().forecasts.delete, info.id),
                    )


def _describe_details(info: ForecastInfo) -> str:
    if info.damaged:
        return _("This record is damaged and cannot be read. Delete it, or restore the database from a backup.")
    return " · ".join(
        [
            _describe_steps(info),
            _("lookback {lookback}").format(lookback=info.lookback),
            _("{samples} samples").format(samples=info.samples),
            _("created {moment}").format(moment=formats.moment(info.created)),
        ]
    )
