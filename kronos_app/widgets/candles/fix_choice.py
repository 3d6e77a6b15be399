"""The choice of fixes beyond faulty rows, and of a coarser interval; only fixes that would change something appear."""

from __future__ import annotations

from typing import Literal

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.data import resample
from kronos_app.data.checks.quality import QualityReport
from kronos_app.i18n import text
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import keys

# Fix to the count of the report that it is for, its label and what it does.
SINGLE = {
    "adjust_splits": (
        "splits",
        text("Adjust for splits"),
        text("Divide the prices before each split by its ratio, multiply the volume."),
    ),
    "drop_stale": (
        "stale",
        text("Leave stale candles out"),
        text("Where prices repeat without new volume, the first candle stays."),
    ),
    "drop_unfinished": (
        "unfinished",
        text("Leave the unfinished candle out"),
        text("The last candle had not ended when it was read."),
    ),
}
OUTLIERS = {
    "": text("Leave outliers as they are"),
    "cap_outliers": text("Cap outliers at the range of their neighbours"),
    "drop_outliers": text("Leave outliers out"),
}
# Prices on two scales, or a candle that still changes, make a forecast worthless.
BY_DEFAULT = {"adjust_splits", "drop_unfinished"}


def render_fixes(report: QualityReport, key: str = "") -> None:
    """Render the choices that suit the report; `chosen_fixes` and `chosen_interval` return them."""
    persist: Literal["session"] | None = "session" if key else None
    names = [name for name, (count, *_words) in SINGLE.items() if getattr(report, count)]
    coarser = resample.choices(report.interval)
    if not names and not report.outliers and not coarser:
        return
    st.subheader(_("Fixes"))
    for name in names:
        _count, label, help_ = SINGLE[name]
        field = _key(name, key)
        state.default(field, name in BY_DEFAULT)
        st.checkbox(state.say(label), key=field, help=state.say(help_), persist_state=persist)
    if report.outliers:
        field = _key("outliers", key)
        state.default(field, "")
        st.radio(
            _("Outliers"),
            list(OUTLIERS),
            format_func=lambda name: state.say(OUTLIERS[name]),
            key=field,
            persist_state=persist,
        )
    if coarser:
        field = _key("interval", key)
        options: list[str | None] = [None, *coarser]
        if st.session_state.get(field) not in options:
            del st.session_state[field]
        unchanged = _("As it is")
        st.selectbox(
            _("Interval to use"),
            options,
            format_func=lambda name: name or unchanged,
            key=field,
            persist_state=persist,
            width=260,
            help=_("Coarser candles are made session by session; what is not complete at either end is left out."),
        )


def chosen_fixes(report: QualityReport, key: str = "") -> list[str]:
    """Return the fixes chosen for a draft; none before the choice was rendered."""
    values = st.session_state
    chosen = [
        name for name, (count, *_words) in SINGLE.items() if getattr(report, count) and values.get(_key(name, key))
    ]
    outliers = values.get(_key("outliers", key)) if report.outliers else None
    return [*chosen, outliers] if outliers else chosen


def chosen_interval(report: QualityReport, key: str = "") -> str | None:
    """Return the coarser interval chosen for a draft, None for its own."""
    chosen = st.session_state.get(_key("interval", key))
    return chosen if chosen in resample.choices(pd.Timedelta(report.interval)) else None


def _key(name: str, key: str) -> str:
    return f"{keys.FIXES}.{name}{key}"
