"""The fields of a setup in a form, with the defaults and limits of its request; and the setup of a forecast in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from kronos_app import nav, state
from kronos_app.i18n import Text, text
from kronos_app.runtime import desk
from kronos_app.services.selection.request import CandleSelection
from kronos_app.services.selection.setup import BANDS
from kronos_app.state import gettext as _
from kronos_app.store.records import StoredForecast
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.errors import escape, render_errors
from kronos_app.widgets.runs.fields import RequestFields
from kronos_app.widgets.runs.views import NEW

LABELS: dict[str, Text] = {
    "lookback": text("Lookback"),
    "horizon": text("Horizon"),
    "samples": text("Samples"),
    "temperature": text("Temperature"),
    "top_p": text("Top-p"),
    "top_k": text("Top-k"),
    "driftless": text("Drift"),
    "seed": text("Seed"),
}
HELPS: dict[str, Text] = {
    "lookback": text("Number of history candles that the model sees."),
    "horizon": text("Number of candles to forecast."),
    "samples": text("Number of paths of each forecast. More paths give smoother bands and take longer."),
    "temperature": text("Below 1 the model samples likely moves more often, above 1 unlikely ones."),
    "top_p": text("Sample from the likeliest tokens that together have this probability."),
    "top_k": text("Sample from the k likeliest tokens only; 0 means all."),
    "driftless": text(
        "Zero drift fixes the median of all paths at the last close: a forecast of volatility, not of direction."
    ),
}
STEPS = {"temperature": 0.05, "top_p": 0.05}
PARAMETER = "forecast"  # of an address: the forecast whose setup a form takes


def render_setup_field(fields: RequestFields, field: str, models: Sequence[str], **options: Any) -> Any:
    """Render a field of a setup and return its value; None is what each of the models recommends."""
    place, options = st.container(), {"help": state.say(HELPS[field]), **options}
    if fields.model.model_fields[field].default is None:
        options["placeholder"] = _recommendation(field, models)
    if field == "driftless":
        return fields.choice(place, field, {True: _("Zero drift"), False: _("With drift")}, index=None, **options)
    return fields.number(place, field, STEPS.get(field, 1), **options)


def render_sampling_fields(fields: RequestFields, models: Sequence[str]) -> dict[str, Any]:
    """Render temperature, top-p, top-k and drift side by side and return their values."""
    names = ("temperature", "top_p", "top_k", "driftless")
    values: dict[str, Any] = {}
    for column, field in zip(st.columns(4), names, strict=True):
        with column:
            values[field] = render_setup_field(fields, field, models)
    return values


def adopt_forecast(page: str, fill: Callable[[StoredForecast], None]) -> bool:
    """Fill the form of a page with the forecast in the address, once; return whether the form holds one."""
    key, forecast_id = f"{page}.adopted", st.query_params.pop(PARAMETER, None)
    if forecast_id:
        with render_errors():
            forecast = desk().forecasts.get(forecast_id).stored
            state.use_model(forecast.provenance["model"])
            fill(forecast)
            st.session_state.update({key: forecast_id, f"{page}.view": NEW})
    return key in st.session_state


def render_adopted(page: str) -> None:
    """Render whose setup the form holds, if it was filled with the one of a forecast."""
    forecast_id = st.session_state.get(f"{page}.adopted")
    if forecast_id is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        message = _("Setup of forecast {id} loaded.").format(id=forecast_id[:8])
        st.caption(":material/check: " + escape(message), width="content")
        nav.link(PARAMETER, _("Open it"), icon=":material/candlestick_chart:", forecast=forecast_id)


def forget_adopted(page: str) -> None:
    """Forget that the form was filled with the setup of a forecast: it was used."""
    st.session_state.pop(f"{page}.adopted", None)


def setup_values(forecast: StoredForecast) -> dict[str, Any]:
    """Return the setup of a forecast by the names of the fields, the lookback and the seed as they were used."""
    setup = {name: forecast.request.get(name) for name in LABELS}
    used = {"lookback": forecast.provenance["history_rows"], "seed": forecast.provenance["seed"]}
    return setup | used | {"top_k": setup["top_k"] or 0, "driftless": bool(setup["driftless"])}


def data_of(forecast: StoredForecast) -> CandleSelection:
    """Return the data set of a forecast as a selection of candles."""
    return CandleSelection(kind="candle_sets", candle_sets=[forecast.candles_id])


def _recommendation(field: str, models: Sequence[str]) -> str:
    """Return what the models recommend, in the words of the form."""
    values = {getattr(desk().models.spec(model).sampling[BANDS], field) for model in models}
    if len(values) != 1:
        return _("as recommended")
    value = values.pop()
    if isinstance(value, bool):
        return _("Recommended: zero drift") if value else _("Recommended: with drift")
    return _("{value} recommended").format(value=formats.number(value, 0 if isinstance(value, int) else 2))
