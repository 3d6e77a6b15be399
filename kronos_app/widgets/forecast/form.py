"""The settings of a forecast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.runtime import desk
from kronos_app.services.forecast.sampling import BANDS
from kronos_app.services.forecast.service import ForecastRequest
from kronos_app.state import gettext as _
from kronos_app.store.records import CandleSet, StoredForecast
from kronos_app.widgets.candles import doubts as doubt
from kronos_app.widgets.candles import picker as candle_picker
from kronos_app.widgets.forecast import sampling as forecast_sampling
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.errors import shown
from kronos_app.widgets.kit.words import window_names
from kronos_app.widgets.models import choice as model_choice

FUTURE, REPLAY = "future", "replay"
NARROWEST_NUMBER = 110  # pixels: four digits and both buttons
DEFAULTS = {
    state.FORECAST_MODE: FUTURE,
    state.FORECAST_LOOKBACK: 400,
    state.FORECAST_HORIZON: 24,
    state.FORECAST_WINDOW: "fit",
    state.FORECAST_TOP_K: 0,
    state.FORECAST_SEED: None,
    state.FORECAST_PRESET: BANDS,
}


def draw(on_submit: Callable[[str | None, str | None], None]) -> CandleFrame | None:
    """Draw the settings; call `on_submit` with the job's or the cached forecast's id once they are sent.

    Returns
    -------
    The candles up to the cutoff, None without a data set.
    """
    for key, value in DEFAULTS.items():
        state.default(key, value)
    chosen = candle_picker.pick()
    if chosen is None:
        return None
    model = _pick_model()
    _mode()
    replay = st.session_state[state.FORECAST_MODE] == REPLAY
    _lengths(chosen, desk().models.context(model))
    cutoff = _cutoff(chosen) if replay else None
    with st.expander(_("Sampling"), icon=":material/tune:", expanded=True):
        forecast_sampling.draw(model)
    with shown():
        doubt.draw(desk().forecasts.doubts(chosen.id, cutoff, st.session_state[state.FORECAST_LOOKBACK]), link=True)
    if st.button(_("Run forecast"), type="primary", icon=":material/play_arrow:", width="stretch"):
        with shown():
            sent = desk().forecasts.submit(_request(chosen.id, model, cutoff))
            on_submit(sent.job_id, sent.forecast_id)
    candles = chosen.candles
    return candles if cutoff is None else replace(candles, frame=candles.frame[candles.timestamps <= cutoff])


def _request(candles_id: str, model: str, cutoff: pd.Timestamp | None) -> ForecastRequest:
    values = st.session_state
    return ForecastRequest.build(
        {
            "candles_id": candles_id,
            "model": model,
            "cutoff": None if cutoff is None else cutoff.to_pydatetime(),
            "lookback": values[state.FORECAST_LOOKBACK],
            "horizon": values[state.FORECAST_HORIZON],
            "window": values[state.FORECAST_WINDOW],
            "temperature": values[state.FORECAST_TEMPERATURE],
            "top_p": values[state.FORECAST_TOP_P],
            "top_k": values[state.FORECAST_TOP_K],
            "samples": values[state.FORECAST_SAMPLES],
            "driftless": values[state.FORECAST_DRIFTLESS],
            "seed": values[state.FORECAST_SEED],
        }
    )


def _pick_model() -> str:
    statuses = model_choice.offered()
    current = state.model()
    st.session_state[state.FORECAST_MODEL] = current if current in statuses else next(iter(statuses))
    chosen = st.selectbox(
        _("Model"),
        list(statuses),
        format_func=model_choice.label_names(statuses),
        key=state.FORECAST_MODEL,
        on_change=lambda: state.use_model(st.session_state[state.FORECAST_MODEL]),
    )
    state.use_model(chosen)
    return chosen


def _mode() -> None:
    labels = {FUTURE: _("Future"), REPLAY: _("Replay")}
    st.segmented_control(
        _("Mode"),
        [FUTURE, REPLAY],
        format_func=labels.__getitem__,
        required=True,
        key=state.FORECAST_MODE,
        persist_state="session",
        width="stretch",
        help=_("Future goes on from the last candle. Replay stops at a cutoff and compares with what came."),
    )


def _lengths(chosen: CandleSet, context: int) -> None:
    """Ask for lookback and horizon, within the candles there are and what the model can hold."""
    fit = st.session_state[state.FORECAST_WINDOW] == "fit"
    longest = max(context - 2, 1) if fit else context
    state.clamp(state.FORECAST_HORIZON, 1, longest)
    pair = st.grid(2, min_column_width=NARROWEST_NUMBER)
    first, second = pair.container(), pair.container()
    with second:
        horizon = st.number_input(
            _("Horizon"),
            1,
            longest,
            step=1,
            key=state.FORECAST_HORIZON,
            persist_state="session",
            help=_("How many candles to forecast."),
        )
    most = max(min(context - horizon if fit else context, len(chosen.candles)), 2)
    state.clamp(state.FORECAST_LOOKBACK, 2, most)
    with first:
        st.number_input(
            _("Lookback"),
            2,
            most,
            step=1,
            key=state.FORECAST_LOOKBACK,
            persist_state="session",
            help=_("How many candles of history the model sees."),
        )
    _window(context)


def _window(context: int) -> None:
    """Ask what is to happen to what the model cannot hold."""
    names = window_names()
    st.segmented_control(
        _("Window"),
        list(names),
        format_func=names.__getitem__,
        required=True,
        key=state.FORECAST_WINDOW,
        persist_state="session",
        width="stretch",
        help=_("What happens where lookback and horizon are more than the model can hold."),
    )
    told = {
        "fit": _("The model holds {context} candles, lookback and horizon together."),
        "exact": _(
            "The model sees the last {context} candles: for every new one the oldest leaves, and all is computed anew. "
            "Slowest."
        ),
        "strided": _(
            "The model sees at most the last {context} candles: the oldest leave many at a time. Faster than Exact, "
            "and an approximation of it."
        ),
    }
    st.caption(told[st.session_state[state.FORECAST_WINDOW]].format(context=context))


def _cutoff(chosen: CandleSet) -> pd.Timestamp | None:
    """Ask for the last candle the model may see, by slider or by date; both say the same."""
    times = chosen.candles.timestamps
    lookback, horizon = st.session_state[state.FORECAST_LOOKBACK], st.session_state[state.FORECAST_HORIZON]
    if len(times) < 3:
        st.info(_("A replay needs at least three candles."))
        return None
    low, high = _at(times, min(lookback, len(times) - 1) - 1), _at(times, len(times) - 2)
    suggested = _at(times, max(len(times) - 1 - horizon, min(lookback, len(times) - 1) - 1))
    for key in (state.FORECAST_CUTOFF, state.FORECAST_CUTOFF_DATE):
        state.default(key, suggested)
        state.clamp(key, low, high)
    step = chosen.candles.interval.to_pytimedelta()
    if low < high:
        st.slider(
            _("Cutoff"),
            low,
            high,
            step=step,
            format="YYYY-MM-DD HH:mm" if step < timedelta(days=1) else "YYYY-MM-DD",
            key=state.FORECAST_CUTOFF,
            persist_state="session",
            on_change=_copy,
            args=(state.FORECAST_CUTOFF, state.FORECAST_CUTOFF_DATE),
            help=_("The last candle the model sees. What came after it is only used for the comparison."),
        )
    st.datetime_input(
        _("Cutoff by date"),
        None,  # the value is the session's
        min_value=low,
        max_value=high,
        step=timedelta(minutes=1),
        key=state.FORECAST_CUTOFF_DATE,
        persist_state="session",
        on_change=_copy,
        args=(state.FORECAST_CUTOFF_DATE, state.FORECAST_CUTOFF),
    )
    stated = st.session_state[state.FORECAST_CUTOFF_DATE] or st.session_state[state.FORECAST_CUTOFF]
    row = int(times.searchsorted(pd.Timestamp(stated), side="right")) - 1
    after = min(len(times) - 1 - row, horizon)
    st.caption(
        _("Stops at the candle of {time}; {count} candles after it are known and will be compared.").format(
            time=formats.time(times[row]), count=after
        )
    )
    return pd.Timestamp(times[row])


def _at(times: pd.DatetimeIndex, row: int) -> datetime:
    return pd.Timestamp(times[max(row, 0)]).to_pydatetime()


def _copy(source: str, target: str) -> None:
    if st.session_state[source] is not None:
        st.session_state[target] = st.session_state[source]


def adopt(forecast: StoredForecast) -> None:
    """Set everything to what a forecast was made with, its seed included."""
    asked = forecast.request
    state.use_candles(forecast.candles_id)
    state.use_model(asked["model"])
    values = {
        state.FORECAST_MODE: REPLAY if asked["cutoff"] else FUTURE,
        state.FORECAST_LOOKBACK: asked["lookback"],
        state.FORECAST_HORIZON: asked["horizon"],
        state.FORECAST_WINDOW: asked.get("window", "fit"),
        state.FORECAST_PRESET: None,
        state.FORECAST_ADVISED: {"model": asked["model"]},
        state.FORECAST_TEMPERATURE: asked["temperature"],
        state.FORECAST_TOP_P: asked["top_p"],
        state.FORECAST_TOP_K: asked["top_k"],
        state.FORECAST_SAMPLES: asked["samples"],
        state.FORECAST_DRIFTLESS: bool(asked.get("driftless")),
        state.FORECAST_SEED: forecast.provenance["seed"],
    }
    if asked["cutoff"]:
        cutoff = forecast.cutoff.to_pydatetime()
        values |= {state.FORECAST_CUTOFF: cutoff, state.FORECAST_CUTOFF_DATE: cutoff}
    st.session_state.update(values)
