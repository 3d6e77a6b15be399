"""A forecast on the page: figures, chart, scores, table and provenance."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st

from kronos_app import nav, state
from kronos_app.charts.forecast import BANDS
from kronos_app.runtime import desk
from kronos_app.services.forecast.calibration import Calibration
from kronos_app.services.forecast.rendering import ForecastResult, forecast_csv
from kronos_app.services.forecast.view import CandleKind, ForecastView
from kronos_app.services.ledger.comparison import COVERAGE_LEVELS, Comparison
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import calendar_choice, doubts
from kronos_app.widgets.forecast import keys, record
from kronos_app.widgets.forecast.calibration import chosen_calibration, render_calibration
from kronos_app.widgets.forecast.chart import Quantiles, describe_candles, render_chart
from kronos_app.widgets.forecast.listing import describe_mode, settings_facts
from kronos_app.widgets.kit import formats, names
from kronos_app.widgets.kit.errors import escape, render_errors
from kronos_app.widgets.models.names import forecaster_label

LEVELS = sorted({level for pair in BANDS.values() for level in pair} | {0.5})


@st.fragment
def render_forecast(view: ForecastView) -> None:
    """Render a forecast with all that is known about it; a switch in it runs nothing else of the page."""
    with render_errors():
        quantiles = view.quantiles(LEVELS)
        available = desk().calibrations.find(view)
        calibration = chosen_calibration(available)
        bands = None if calibration is None else view.calibrated(LEVELS, calibration.factor)
        with st.container(gap="xsmall"):
            _render_summary(view, quantiles, calibration)
            kind = render_chart(view, quantiles, bands)
            render_calibration(view, available)
        with st.expander(_("How to read this"), icon=":material/help:"):
            _render_help(view)
        if view.comparison is not None:
            record.render_record(view)
            _render_comparison(view.comparison)
        _render_table(view, kind, quantiles, bands)
        _render_downloads(view, calibration)
        with st.expander(_("Provenance"), icon=":material/fingerprint:"):
            _render_provenance(view)


def _render_summary(view: ForecastView, quantiles: Quantiles, calibration: Calibration | None) -> None:
    """Render what the forecast is, its verdict and warnings, and its figures."""
    _render_heading(view)
    if view.comparison is None:
        record.render_record(view)
    else:
        st.caption(":material/balance: " + escape(state.say(view.comparison.verdict)))
    doubts.render_doubts(doubts.stored(view.stored.provenance))
    if view.history.empty:
        st.info(_("The data set of this forecast was deleted: its history and comparison are not available."))
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        _render_figures(view, quantiles, calibration)
        if view.driftless:
            said = _("Zero drift: the median is fixed at the last close. It forecasts volatility, not direction.")
            st.container().caption(said)


def _render_heading(view: ForecastView) -> None:
    stored = view.stored
    mode = describe_mode(bool(stored.request.get("cutoff")))
    summary = _("{horizon} candles after {cutoff} by {model}, {samples} samples").format(
        horizon=len(stored.timestamps),
        cutoff=formats.time(stored.cutoff),
        model=escape(view.model),
        samples=len(stored.paths),
    )
    if st.session_state.get(keys.CACHED) == view.id:
        summary += " · :material/bolt: " + _("From the cache: the same request was computed before.")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        name = stored.candles_name
        st.subheader(f"{names.cut(name)} · {mode}", width="content", help=names.whole(name))
        st.caption(summary, width="content")
        if not view.history.empty:
            _render_next_steps(view)


def _render_figures(view: ForecastView, quantiles: Quantiles, calibration: Calibration | None) -> None:
    """Render the last close and, at the last forecast candle, median, 80 % band and what the drift allows."""
    last, end = view.stored.last_close, float(quantiles[0.5]["close"].iloc[-1])
    factor = 1.0 if calibration is None else calibration.factor
    ends = [end * (float(quantiles[level]["close"].iloc[-1]) / end) ** factor for level in BANDS[80]]
    title = _("80 % band at the end") if calibration is None else _("80 % band at the end, calibrated")
    figures = {_("Last close"): formats.price(last)}
    if not view.driftless:
        change = formats.percent(end / last - 1, signed=True)
        figures[_("Median at the end")] = f"{formats.price(end)} ({change})"
    figures[title] = " – ".join(formats.price(price) for price in ends)
    figures[_("Change, 80 %")] = " … ".join(formats.percent(price / last - 1, signed=True) for price in ends)
    for label, value in figures.items():
        st.metric(label, value, width="content")
    if view.driftless:
        help_ = _(
            "Standard deviation of the log return from the last close to the last forecast candle. The history had "
            "{past} over as many candles."
        ).format(past=formats.percent(view.past_volatility))
        st.metric(_("Volatility to the end"), formats.percent(view.volatility * factor), width="content", help=help_)
    else:
        help_ = _("Share of the paths whose last close is above the last known close.")
        probability = formats.percent(float(view.probability_up().iloc[-1]), 0)
        st.metric(_("P(up) at the end"), probability, width="content", help=help_)


def _render_next_steps(view: ForecastView) -> None:
    """Render links to pages that begin with the data set and the settings of the forecast."""
    with st.container(horizontal=True, horizontal_alignment="right", gap="xsmall"):
        nav.link("evaluate", _("Evaluate this setup"), icon=":material/query_stats:", forecast=view.id)
        nav.link("backtest", _("Backtest this setup"), icon=":material/finance:", forecast=view.id)
        nav.link("live", _("Follow live"), icon=":material/sensors:", forecast=view.id)


def _render_help(view: ForecastView) -> None:
    st.markdown(
        _(
            "The model sampled {samples} possible paths. At each step the 50 % band holds the middle half of their "
            "closes; the 80 % and 90 % bands hold correspondingly more. If the model is well calibrated, actual closes "
            "are inside the 80 % band about four times in five; a replay shows the observed coverage. The forecast "
            "candles are one possible future: by default the path nearest to all others. Median and mean are taken of "
            "each step by itself, so they are smoother than any path. Hollow candles rise, filled ones fall."
        ).format(samples=len(view.stored.paths))
    )
    if view.driftless:
        st.markdown(
            _(
                "This is a zero-drift forecast: the median of all paths is fixed at the last close. It forecasts "
                "volatility, not direction. Its median is flat for that reason, not because no move is expected."
            )
        )
    if view.stored.repairs:
        st.markdown(
            _("Sampled candles with an inconsistent high, low or volume that were corrected: {count}.").format(
                count=view.stored.repairs
            )
        )


def _render_comparison(comparison: Comparison) -> None:
    st.subheader(_("Comparison with random walks"))
    rows = {
        forecaster_label(score.name): [
            formats.price(score.mae),
            formats.percent(score.mape, 2),
            formats.percent(score.direction, 0),
            *(formats.percent(score.coverage[level], 0) for level in COVERAGE_LEVELS),
            formats.price(score.crps),
        ]
        for score in comparison.scores
    }
    coverage = [_("Coverage {level} %").format(level=round(level * 100)) for level in COVERAGE_LEVELS]
    columns = [_("MAE"), _("MAPE"), _("Direction"), *coverage, _("CRPS")]
    st.table(pd.DataFrame.from_dict(rows, orient="index", columns=columns))
    st.caption(
        _(
            "{matched} candles compared. MAE, MAPE and CRPS: lower is better. Direction: share of steps with the "
            "median on the right side of the last close. Coverage: share of closes inside the band; ideal is the "
            "nominal level. CRPS scores the whole distribution."
        ).format(matched=comparison.matched)
    )


def _render_table(view: ForecastView, kind: CandleKind, quantiles: Quantiles, bands: Quantiles | None) -> None:
    st.subheader(_("Forecast by candle"))
    st.caption(_("Open, high, low and close: {candles}.").format(candles=describe_candles(view, kind)))
    candles, median, actual = view.candles(kind), quantiles[0.5]["close"], view.actual
    titles = {"open": _("Open price"), "high": _("High price"), "low": _("Low price"), "close": _("Close price")}
    table = candles[list(titles)].rename(columns=titles)
    table[_("Median close")] = median
    for level in (50, 80, 90):
        low, high = BANDS[level]
        table[_("{level} % from").format(level=level)] = quantiles[low]["close"]
        table[_("{level} % to").format(level=level)] = quantiles[high]["close"]
        if bands is not None:
            table[_("{level} % from, calibrated").format(level=level)] = bands[low]["close"]
            table[_("{level} % to, calibrated").format(level=level)] = bands[high]["close"]
    if actual is not None:
        table.insert(0, _("Actual close"), actual["close"].reindex(table.index))
    table.index = pd.Index([formats.time(time) for time in table.index], name=_("Time"))
    digits = 2 if abs(float(median.iloc[0])) >= 10 else 4
    config = {str(name): st.column_config.NumberColumn(format=f"%.{digits}f") for name in table}
    st.dataframe(table, column_config=config, height=320, placeholder=formats.MISSING, alt=_("Forecast by candle"))


def _render_downloads(view: ForecastView, calibration: Calibration | None) -> None:
    def as_json() -> str:
        fields = ForecastResult.of(view, paths=True, calibration=calibration).to_json()
        return json.dumps(fields, ensure_ascii=False, allow_nan=False)

    files = {
        "json": (_("Download JSON"), as_json, "application/json"),
        "csv": (_("Download CSV"), lambda: forecast_csv(view, calibration), "text/csv"),
    }
    with st.container(horizontal=True):
        for suffix, (label, content, mime) in files.items():
            st.download_button(
                label,
                content,
                file_name=f"forecast-{view.id}.{suffix}",
                mime=mime,
                on_click="ignore",
                icon=":material/download:",
            )


def _render_provenance(view: ForecastView) -> None:
    stored, made = view.stored, view.stored.provenance
    facts = {
        _("Model"): view.model,
        _("Weights (SHA-256)"): made["digest"],
        _("Candles of history"): made["history_rows"],
        _("Cutoff"): formats.time(stored.cutoff),
        _("Time zone"): view.timezone or _("not stated"),
        _("Calendar"): calendar_choice.name(made.get("calendar")),
        **settings_facts(stored),
        _("Repairs of the data"): doubts.repaired(made),
        _("Corrected candles"): stored.repairs,
        _("Computed in"): _("{seconds} s").format(seconds=formats.number(made["seconds"], 1)),
        _("Created"): formats.moment(stored.created),
        _("Forecast id"): stored.id,
    }
    st.table(pd.DataFrame({"": [str(value) for value in facts.values()]}, index=list(facts)))
