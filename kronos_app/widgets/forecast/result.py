"""A forecast as people read it: numbers, chart, what it was worth, table, and where it comes from."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.charts.forecast import BANDS, Outline, forecast_chart
from kronos_app.charts.style import Words
from kronos_app.data import calendars
from kronos_app.runtime import desk
from kronos_app.services.forecast.recalibration import Recalibration
from kronos_app.services.forecast.rendering import to_csv, to_json
from kronos_app.services.forecast.service import ForecastView
from kronos_app.services.ledger.comparison import COVERAGE_LEVELS, Comparison
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import calendar_choice
from kronos_app.widgets.candles import doubts as doubt
from kronos_app.widgets.candles.last_candles import CHART_CONFIG
from kronos_app.widgets.evaluation import record as evaluation_record
from kronos_app.widgets.forecast import form as forecast_form
from kronos_app.widgets.forecast import recalibration as forecast_recalibration
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.kit.words import chart_words, drift_name, window_names

Quantiles = dict[float, pd.DataFrame]

HISTORY_SHOWN = 150


def draw(view: ForecastView) -> None:
    """Draw it."""
    _heading(view)
    doubt.draw(doubt.stored(view.stored.provenance))
    levels = sorted({level for pair in BANDS.values() for level in pair} | {0.5})
    quantiles = view.quantiles(levels)
    found = desk().recalibrations.find(view)
    recalibration = forecast_recalibration.wanted(found)
    bands = None if recalibration is None else view.recalibrated(levels, recalibration.factor)
    _headline(view, quantiles, bands)
    history = view.history.tail(HISTORY_SHOWN)
    missing = calendars.missing(pd.DatetimeIndex(history.index), view.timezone, view.calendar, only_by_calendar=True)
    words, outline = _words(quantiles, bands)
    figure = forecast_chart(
        history, quantiles[0.5], bands or quantiles, words, actual=view.actual, missing=missing, outline=outline
    )
    st.plotly_chart(
        figure, key="forecast.chart", config=CHART_CONFIG, alt=_("History, median forecast and bands of the close")
    )
    forecast_recalibration.draw(found)
    evaluation_record.draw(view)
    if view.history.empty:
        st.info(_("The data set of this forecast was deleted: its history and comparison are gone."))
    with st.expander(_("How to read this"), icon=":material/help:"):
        _explain(view)
    if view.comparison is not None:
        _comparison(view.comparison)
    _table(quantiles, bands, view.actual)
    _downloads(view, recalibration)
    with st.expander(_("Where this comes from"), icon=":material/fingerprint:"):
        _provenance(view)


def _heading(view: ForecastView) -> None:
    stored = view.stored
    mode = _("Replay") if stored.request.get("cutoff") else _("Future")
    st.subheader(f"{escape(stored.candles_name)} · {mode}")
    told = (
        _("{horizon} candles after {cutoff} by {model}, {samples} samples, without drift")
        if view.driftless
        else _("{horizon} candles after {cutoff} by {model}, {samples} samples")
    )
    st.caption(
        told.format(
            horizon=len(stored.timestamps),
            cutoff=formats.time(stored.cutoff),
            model=escape(str(stored.provenance["model"])),
            samples=len(stored.paths),
        )
    )


def _words(quantiles: Quantiles, bands: Quantiles | None) -> tuple[Words, Outline | None]:
    """Return the words of the chart, and the 80 % band as drawn where the chart has recalibrated ones."""
    if bands is None:
        return chart_words(), None
    lower, upper = (quantiles[level]["close"] for level in BANDS[80])
    drawn = Outline(_("{level} % band as drawn").format(level=80), lower, upper)
    return replace(chart_words(), band=_("{level} % band, recalibrated")), drawn


def _headline(view: ForecastView, quantiles: Quantiles, bands: Quantiles | None) -> None:
    last = view.stored.last_close
    low, high = BANDS[80]
    end = float(quantiles[0.5]["close"].iloc[-1])
    ends = [float((bands or quantiles)[level]["close"].iloc[-1]) for level in (low, high)]
    band = " – ".join(formats.price(one) for one in ends)
    apart = " … ".join(formats.percent(one / last - 1, signed=True) for one in ends)
    title = _("80 % band at the end") if bands is None else _("80 % band at the end, recalibrated")
    with st.container(horizontal=True, gap="medium"):
        st.metric(_("Last close"), formats.price(last), width=130)
        if not view.driftless:
            change = formats.percent(end / last - 1, signed=True)
            st.metric(_("Median at the end"), formats.price(end), change, width=160)
        st.metric(title, band, apart, delta_color="off", delta_arrow="off", width=220)
        if not view.driftless:
            st.metric(
                _("Paths ending higher"),
                formats.percent(float(view.probability_up().iloc[-1]), 0),
                width=150,
                help=_("The part of the paths whose last close is above the last known close."),
            )


def _explain(view: ForecastView) -> None:
    st.markdown(
        _(
            "The model drew {samples} possible futures. At each step the 50 % band holds the middle half of their "
            "closes; the 80 % and 90 % bands hold correspondingly more. If the model is well calibrated, real closes "
            "fall inside the 80 % band about four times in five; a replay shows how often they did. The forecast "
            "candles "
            "are medians of each value at each step, so they look calmer than any single path. Hollow candles rise, "
            "filled ones fall."
        ).format(samples=len(view.stored.paths))
    )
    if view.driftless:
        st.markdown(
            _(
                "The forecast is without drift: all paths were moved together so that half of them lie above the last "
                "close at each step. It tells how far prices may go, not where to. Its median candles stand still for "
                "that reason, not because nothing is expected to happen."
            )
        )
    if view.stored.repairs:
        st.markdown(
            _("In {count} sampled candles the high, low or volume contradicted the rest and was put right.").format(
                count=view.stored.repairs
            )
        )


def _comparison(comparison: Comparison) -> None:
    st.subheader(_("Against simple random walks"))
    st.markdown(escape(state.say(comparison.verdict)))
    rows = {
        state.say(score.label): [
            formats.price(score.mae),
            formats.percent(score.mape, 2),
            formats.percent(score.direction, 0),
            *(formats.percent(score.coverage[level], 0) for level in COVERAGE_LEVELS),
            formats.price(score.crps),
        ]
        for score in comparison.scores
    }
    columns = [
        _("MAE"),
        _("MAPE"),
        _("Direction"),
        *(_("Coverage {level} %").format(level=round(level * 100)) for level in COVERAGE_LEVELS),
        _("CRPS"),
    ]
    st.table(pd.DataFrame.from_dict(rows, orient="index", columns=columns))
    st.caption(
        _(
            "{matched} candles compared. MAE, MAPE and CRPS: lower is better. Direction: how often the median "
            "lay on the "
            "right side of the last close. Coverage: how often the close fell inside the band; best near the "
            "band's own "
            "level. CRPS judges the whole distribution."
        ).format(matched=comparison.matched)
    )


def _table(quantiles: Quantiles, bands: Quantiles | None, actual: pd.DataFrame | None) -> None:
    st.subheader(_("Forecast by candle"))
    median = quantiles[0.5]
    table = pd.DataFrame({_("Median close"): median["close"]})
    for level in (50, 80, 90):
        low, high = BANDS[level]
        table[_("{level} % from").format(level=level)] = quantiles[low]["close"]
        table[_("{level} % to").format(level=level)] = quantiles[high]["close"]
        if bands is not None:
            table[_("{level} % from, recalibrated").format(level=level)] = bands[low]["close"]
            table[_("{level} % to, recalibrated").format(level=level)] = bands[high]["close"]
    for name, title in (("open", _("Median open")), ("high", _("Median high")), ("low", _("Median low"))):
        table[title] = median[name]
    if actual is not None:
        table.insert(0, _("Actual close"), actual["close"].reindex(table.index))
    table.index = pd.Index([formats.time(time) for time in table.index], name=_("Time"))
    digits = 2 if abs(float(median["close"].iloc[0])) >= 10 else 4
    config = {str(name): st.column_config.NumberColumn(format=f"%.{digits}f") for name in table}
    st.dataframe(table, column_config=config, height=320, placeholder=formats.MISSING, alt=_("Forecast by candle"))


def _downloads(view: ForecastView, recalibration: Recalibration | None) -> None:
    with st.container(horizontal=True):
        st.download_button(
            _("Download JSON"),
            lambda: json.dumps(
                to_json(view, paths=True, recalibration=recalibration), ensure_ascii=False, allow_nan=False
            ),
            file_name=f"forecast-{view.id}.json",
            mime="application/json",
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            _("Download CSV"),
            lambda: to_csv(view, recalibration),
            file_name=f"forecast-{view.id}.csv",
            mime="text/csv",
            on_click="ignore",
            icon=":material/download:",
        )


def _provenance(view: ForecastView) -> None:
    stored, made = view.stored, view.stored.provenance
    settings = stored.request
    facts = {
        _("Model"): made["model"],
        _("Weights (SHA-256)"): made["digest"],
        _("Candles of history"): made["history_rows"],
        _("Cutoff"): formats.time(stored.cutoff),
        _("Time zone"): view.timezone or _("not stated"),
        _("Calendar"): calendar_choice.name(made.get("calendar")),
        _("Window"): window_names()[settings.get("window", "fit")],
        _("Temperature"): settings["temperature"],
        _("Top-p"): settings["top_p"],
        _("Top-k"): settings["top_k"],
        _("Samples"): settings["samples"],
        _("Drift"): drift_name(driftless=view.driftless),
        _("Seed"): made["seed"],
        _("Done to the data"): doubt.repaired(made),
        _("Repaired candles"): stored.repairs,
        _("Computed in"): _("{seconds} s").format(seconds=formats.number(made["seconds"], 1)),
        _("Made"): formats.moment(stored.created),
        _("Forecast id"): stored.id,
    }
    st.table(pd.DataFrame({"": [str(value) for value in facts.values()]}, index=list(facts)))
    if not view.history.empty:
        st.button(
            _("Use these settings"),
            icon=":material/tune:",
            on_click=forecast_form.adopt,
            args=(stored,),
            key="forecast.adopt",
        )
