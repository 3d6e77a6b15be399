"""The cutoff of a replay, by date and by slider."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import formats

WIDGETS = (state.FORECAST_CUTOFF, state.FORECAST_CUTOFF_DATE)
DATE_WIDTH, SLIDER_WIDTH = 205, 240  # pixels


def render_cutoff(candles: CandleFrame, horizon: int) -> tuple[datetime, str]:
    """Render the choice of the last history candle, by date and by slider, which stay equal.

    Returns
    -------
    Its time, and a sentence about the candles before and after it.

    Raises
    ------
    InvalidInput
        There are too few candles for a replay.
    """
    times = candles.timestamps
    if len(times) < 3:
        raise InvalidInput(
            "too_few_candles",
            text("A replay needs at least three candles."),
            text("Choose the mode Future, or a longer data set."),
        )
    for key in WIDGETS:
        state.default(key, _time_of(times, max(len(times) - 1 - max(horizon, 1), 1)))
    _render_widgets(_time_of(times, 0), _time_of(times, len(times) - 1), candles.interval.to_pytimedelta())
    value = st.session_state[state.FORECAST_CUTOFF_DATE] or st.session_state[state.FORECAST_CUTOFF]
    row = int(times.searchsorted(pd.Timestamp(value), side="right")) - 1
    sentence = _("The history ends at {time}; {count} actual candles after it are compared.").format(
        time=formats.time(times[row]), count=min(len(times) - 1 - row, max(horizon, 0))
    )
    return _time_of(times, row), sentence


def _render_widgets(first: datetime, last: datetime, step: timedelta) -> None:
    st.datetime_input(
        _("Cutoff by date"),
        None,  # the value is the session's
        min_value=first,
        max_value=last,
        step=timedelta(minutes=1),
        key=state.FORECAST_CUTOFF_DATE,
        persist_state="session",
        on_change=_copy_value,
        args=WIDGETS[::-1],
        label_visibility="collapsed",
        width=DATE_WIDTH,
    )
    st.slider(
        _("Cutoff"),
        first,
        last,
        step=step,
        format="YYYY-MM-DD HH:mm" if step < timedelta(days=1) else "YYYY-MM-DD",
        key=state.FORECAST_CUTOFF,
        persist_state="session",
        on_change=_copy_value,
        args=WIDGETS,
        label_visibility="collapsed",
        width=SLIDER_WIDTH,
    )


def _time_of(times: pd.DatetimeIndex, row: int) -> datetime:
    return pd.Timestamp(times[row]).to_pydatetime()


def _copy_value(source: str, target: str) -> None:
    if st.session_state[source] is not None:
        st.session_state[target] = st.session_state[source]
