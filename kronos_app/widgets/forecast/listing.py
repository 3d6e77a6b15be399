"""Lists of earlier forecasts, and the settings of one."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from kronos_app import nav
from kronos_app.services.forecast.listing import ForecastItem
from kronos_app.services.forecast.request import WINDOWS
from kronos_app.state import gettext as _
from kronos_app.state import say
from kronos_app.store.records import StoredForecast
from kronos_app.widgets.candles import doubts
from kronos_app.widgets.kit import formats, names
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.runs.setup import LABELS


def settings_facts(stored: StoredForecast) -> dict[str, str]:
    """Return the sampling settings of a forecast by label."""
    values = {name: str(stored.request[name]) for name in ("temperature", "top_p", "top_k", "samples")}
    values |= {"driftless": describe_drift(stored.driftless), "seed": str(stored.provenance["seed"])}
    window = say(WINDOWS[stored.request.get("window", "fit")].label)
    return {_("Window"): window} | {say(LABELS[name]): value for name, value in values.items()}


def describe_mode(replay: bool | None) -> str:
    """Return the mode of a forecast in a word."""
    return formats.MISSING if replay is None else _("Replay") if replay else _("Future")


def describe_drift(driftless: bool | None) -> str:
    """Return the drift of a forecast in a word or two."""
    return formats.MISSING if driftless is None else _("zero") if driftless else _("as sampled")


def describe_damage() -> str:
    """Return what is wrong with a damaged record, and what to do."""
    return _("This record is damaged and cannot be read. Delete it, or restore the database from a backup.")


def render_rows(items: Sequence[ForecastItem]) -> None:
    """Render one row per forecast, with a link to open it."""
    for item in items:
        with st.container(border=True):
            words, actions = st.columns([5, 2], vertical_alignment="center")
            title = f"**{names.cut(item.title)}** · {escape(item.model)}{doubts.badges(item.marks)}"
            details = escape(describe_damage() if item.damaged else _describe(item))
            words.markdown(f"{title}  \n:small[{details}]", help=names.whole(item.title))
            with actions.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
                nav.link("forecast", _("Open"), icon=":material/open_in_new:", forecast=item.id)


def _describe(item: ForecastItem) -> str:
    return " · ".join(
        [
            describe_mode(item.replay),
            _("{horizon} candles from {cutoff}").format(horizon=item.horizon, cutoff=formats.time(item.cutoff)),
            _("lookback {lookback}").format(lookback=item.lookback),
            _("{samples} samples").format(samples=item.samples),
            _("created {moment}").format(moment=formats.moment(item.created)),
        ]
    )
