"""The settings of a forecast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.runtime import desk
from kronos_app.services.forecast.request import WINDOWS, ForecastRequest
from kronos_app.services.forecast.sampling import BANDS
from kronos_app.services.models.limits import SHORTEST_HISTORY, longest_horizon
from kronos_app.state import gettext as _
from kronos_app.store.records import CandleSet, StoredForecast
from kronos_app.widgets.candles import doubts, picker
from kronos_app.widgets.forecast import keys
from kronos_app.widgets.forecast.sampling import render_sampling
from kronos_app.widgets.forecast.setups import render_setups, requests_of_setups
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.errors import render_errors
from kronos_app.widgets.kit.fields import render_number, render_segments
from kronos_app.widgets.models.choice import render_model_field

if TYPE_CHECKING:
    from kronos_app.services.forecast.service import Submission

FUTURE, REPLAY = "future", "replay"
NARROWEST_NUMBER = 110  # pixels: four digits and both buttons
# Field of the request to the key of its widget.
FIELDS = {
    "lookback": keys.LOOKBACK,
    "horizon": keys.HORIZON,
    "window": keys.WINDOW,
    "temperature": keys.TEMPERATURE,
    "top_p": keys.TOP_P,
    "top_k": keys.TOP_K,
    "samples": keys.SAMPLES,
    "driftless": keys.DRIFTLESS,
    "seed": keys.SEED,
}
DEFAULTS = {
    keys.MODE: FUTURE,
    keys.LOOKBACK: 400,
    keys.HORIZON: 24,
    keys.WINDOW: "fit",
    keys.TOP_K: 0,
    keys.SEED: None,
    keys.PRESET: BANDS,
}


def render_form(on_submit: Callable[[Sequence[Submission]], None]) -> CandleFrame | None:
    """Render the settings; call `on_submit` once they are submitted.

    Returns
    -------
    The candles up to the cutoff, None without a data set.
    """
    for key, value in DEFAULTS.items():
        state.default(key, value)
    chosen = picker.render_candle_picker()
    if chosen is None:
        return None
    model = _render_model()
    _render_mode()
    replay = st.session_state[keys.MODE] == REPLAY
    _render_lengths(chosen, desk().models.context(model))
    cutoff = _render_cutoff(chosen) if replay else None
    with st.expander(_("Sampling"), icon=":material/tune:", expanded=True):
        render_sampling(model)
    with render_errors():
        lookback = st.session_state[keys.LOOKBACK]
        doubts.render_doubts(desk().forecasts.doubts(chosen.id, cutoff, lookback), link=True)
    render_setups()
    if st.button(_("Run forecast"), type="primary", icon=":material/play_arrow:", width="stretch"):
        with render_errors():
            fields = {name: st.session_state[key] for name, key in FIELDS.items()}
            moment = None if cutoff is None else cutoff.to_pydatetime()
            request = ForecastRequest.build({**fields, "candles_id": chosen.id, "model": model, "cutoff": moment})
            on_submit(desk().forecasts.submit_all(requests_of_setups(request)))
    candles = chosen.candles
    return candles if cutoff is None else replace(candles, frame=candles.frame[candles.timestamps <= cutoff])


def _render_model() -> str:
    st.session_state[keys.MODEL] = state.model()
    chosen = render_model_field(keys.MODEL, on_change=lambda: state.use_model(st.session_state[keys.MODEL]))
    state.use_model(chosen)
    return chosen


def _render_mode() -> None:
    render_segments(
        keys.MODE,
        _("Mode"),
        {FUTURE: _("Future"), REPLAY: _("Replay")},
        width="stretch",
        help=_("Future continues the last candle. Replay stops at a cutoff and compares with the actual candles."),
    )


def _render_lengths(chosen: CandleSet, context: int) -> None:
    """Render lookback, horizon and window, within the candles there are and the context of the model."""
    window = st.session_state[keys.WINDOW]
    longest = max(longest_horizon(context, window), 1)
    pair = st.grid(2, min_column_width=NARROWEST_NUMBER)
    lookback, horizon = pair.container(), pair.container()
    with horizon:
        steps = render_number(keys.HORIZON, _("Horizon"), 1, longest, _("Number of candles to forecast."))
    room = context - steps if window == "fit" else context
    most = max(min(room, len(chosen.candles)), SHORTEST_HISTORY)
    with lookback:
        render_number(
            keys.LOOKBACK,
            _("Lookback"),
            SHORTEST_HISTORY,
            most,
            _("Number of history candles that the model sees."),
        )
    chosen_window = render_segments(
        keys.WINDOW,
        _("Window"),
        {name: state.say(choice.label) for name, choice in WINDOWS.items()},
        width="stretch",
        help=_("How the model handles a lookback and horizon longer than its context."),
    )
    st.caption(state.say(WINDOWS[chosen_window].description).format(context=context))


def _render_cutoff(chosen: CandleSet) -> pd.Timestamp | None:
    """Render the choice of the last history candle, by slider and by date, which stay equal."""
    times = chosen.candles.timestamps
    lookback, horizon = st.session_state[keys.LOOKBACK], st.session_state[keys.HORIZON]
    if len(times) < 3:
        st.info(_("A replay needs at least three candles."))
        return None
    first = min(lookback, len(times) - 1) - 1
    low, high = _time_of(times, first), _time_of(times, len(times) - 2)
    for key in (state.FORECAST_CUTOFF, state.FORECAST_CUTOFF_DATE):
        state.default(key, _time_of(times, max(len(times) - 1 - horizon, first)))
        state.clamp(key, low, high)
    step = chosen.candles.interval.to_pytimedelta()
    pair = (state.FORECAST_CUTOFF, state.FORECAST_CUTOFF_DATE)
    if low < high:
        st.slider(
            _("Cutoff"),
            low,
            high,
            step=step,
            format="YYYY-MM-DD HH:mm" if step < timedelta(days=1) else "YYYY-MM-DD",
            key=pair[0],
            persist_state="session",
            on_change=_copy_value,
            args=pair,
            help=_("The last candle that the model sees. Later candles are only used for the comparison."),
        )
    st.datetime_input(
        _("Cutoff by date"),
        None,  # the value is the session's
        min_value=low,
        max_value=high,
        step=timedelta(minutes=1),
        key=pair[1],
        persist_state="session",
        on_change=_copy_value,
        args=pair[::-1],
    )
    value = st.session_state[state.FORECAST_CUTOFF_DATE] or st.session_state[state.FORECAST_CUTOFF]
    row = int(times.searchsorted(pd.Timestamp(value), side="right")) - 1
    after = min(len(times) - 1 - row, horizon)
    st.caption(
        _("The history ends at {time}; {count} actual candles after it are compared.").format(
            time=formats.time(times[row]), count=after
        )
    )
    return pd.Timestamp(times[row])


def _time_of(times: pd.DatetimeIndex, row: int) -> datetime:
    return pd.Timestamp(times[max(row, 0)]).to_pydatetime()


def _copy_value(source: str, target: str) -> None:
    if st.session_state[source] is not None:
        st.session_state[target] = st.session_state[source]


def adopt_settings(forecast: StoredForecast) -> None:
    """Set all fields to the settings of a forecast, its seed included."""
    request: dict[str, Any] = {"window": "fit", "driftless": False} | forecast.request
    request["seed"] = forecast.provenance["seed"]
    state.use_candles(forecast.candles_id)
    state.use_model(request["model"])
    values = {key: request[name] for name, key in FIELDS.items()} | {
        keys.MODE: REPLAY if request["cutoff"] else FUTURE,
        keys.PRESET: None,
        keys.ADVISED: {"model": request["model"]},
    }
    if request["cutoff"]:
        cutoff = forecast.cutoff.to_pydatetime()
        values |= {state.FORECAST_CUTOFF: cutoff, state.FORECAST_CUTOFF_DATE: cutoff}
    st.session_state.update(values)
