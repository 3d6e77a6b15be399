"""The figures of an evaluation: by step, coverage, calibration, over time, by market, and the worst cutoffs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from kronos_app.charts import evaluation as charts
from kronos_app.runtime import desk
from kronos_app.services.evaluation.report import LEVELS
from kronos_app.state import gettext as _
from kronos_app.widgets.evaluation import keys
from kronos_app.widgets.evaluation.words import chart_words, forecaster_names
from kronos_app.widgets.kit import errors, formats
from kronos_app.widgets.kit.chart_style import chart_style
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.runs.parts import render_chart, render_table

WIDTH = 500  # pixels of a figure; two fit side by side on a wide page


def render(evaluation_id: str, report: Mapping[str, Any]) -> None:
    """Render all figures, two side by side on a wide page."""
    names, models = forecaster_names(report["forecasters"]), report["models"]
    words, calibration = chart_words(), report["calibration"]
    coverage = {
        name: {level: report["forecasters"][name]["figures"][f"coverage_{level}"]["value"] for level in LEVELS}
        for name in (*models, report["best_baseline"])
    }
    reliability = {name: calibration[name]["reliability"] for name in models if calibration[name]["reliability"]}
    pit = {name: calibration[name]["pit"] for name in models}
    figures = {
        _("CRPS by step"): (
            charts.steps_chart(report["steps"], models, names, words),
            _("Lower is better; baselines are grey."),
        ),
        _("Coverage: nominal vs observed"): (
            charts.coverage_chart(coverage, models, names, words),
            _("Below the line, prediction intervals are too narrow."),
        ),
        _("PIT histogram"): (
            charts.pit_chart(pit, models, names, words),
            _("High in the middle: intervals too wide. High at both ends: too narrow. A slope: biased."),
        ),
        _("Calibration of P(up)"): (
            charts.reliability_chart(reliability, models, names, words),
            _("Larger points stand for more forecasts. On the line, P(up) is calibrated."),
        ),
    }
    with st.container(horizontal=True, gap="medium"):
        for title, (figure, about) in figures.items():
            with st.container(width=WIDTH):
                _render_figure(figure, title, about, evaluation_id)
    _render_coverage_over_time(evaluation_id, report, names)
    _render_markets(report, names)
    _render_recalibration(report)
    _render_worst(evaluation_id, report, names)


def _render_figure(figure: go.Figure, title: str, about: str, key: str) -> None:
    st.markdown(f"**{title}**")
    render_chart(figure, f"evaluate.{title}.{key}", title)
    st.caption(about)


def _render_coverage_over_time(evaluation_id: str, report: Mapping[str, Any], names: Mapping[str, str]) -> None:
    level = st.segmented_control(
        _("Band"),
        list(LEVELS),
        format_func=lambda level: f"{level} %",
        default="90",
        required=True,
        key=keys.LEVEL,
        persist_state="session",
    )
    rows = report["coverage_over_time"]
    figure = charts.coverage_over_time_chart(rows, level or "90", report["models"], names, chart_words())
    _render_figure(figure, _("Coverage over time"), _("Periods with an equal number of cutoffs."), evaluation_id)


def _render_markets(report: Mapping[str, Any], names: Mapping[str, str]) -> None:
    if not report["markets"]:
        return
    st.markdown("**" + _("By market") + "**")
    table = pd.DataFrame(report["markets"])
    table["forecaster"] = table["forecaster"].map(dict(names))
    render_table(
        table[["part", "forecaster", "cutoffs", "skill", "low", "high", "crps", "coverage_90"]].round(3),
        {
            "part": _("Market"),
            "forecaster": _("Forecaster"),
            "cutoffs": _("Cutoffs"),
            "skill": _("CRPS ratio"),
            "low": _("Ratio, 95 % CI from"),
            "high": _("to"),
            "crps": _("CRPS"),
            "coverage_90": _coverage_column("90"),
        },
        _("Scores by market"),
    )


def _render_recalibration(report: Mapping[str, Any]) -> None:
    """Render the coverage of bands that were calibrated with earlier forecasts."""
    methods = {
        "none": _("As forecast"),
        "split": _("Split conformal"),
        "adaptive": _("Adaptive conformal"),
        "variance": _("Variance scaled"),
    }
    rows = [
        {"model": model, **row, "method": methods[row["method"]]}
        for model in report["models"]
        for row in report["recalibration"][model]
    ]
    with st.expander(_("Calibrated bands"), icon=":material/build:"):
        if not rows:
            st.caption(_("Calibration needs at least 20 completed forecasts of a series before the calibrated one."))
            return
        columns = ["model", "method", "wis", *(f"covered_{level}" for level in LEVELS), "width_90"]
        interval_score = _("Weighted interval score; lower is better.")
        render_table(
            pd.DataFrame(rows)[columns].round(3),
            {
                "model": _("Model"),
                "method": _("Calibration"),
                "wis": st.column_config.NumberColumn(_("Interval score"), help=interval_score),
                "width_90": st.column_config.NumberColumn(_("Width of the {level} % band").format(level=90)),
                **{f"covered_{level}": _coverage_column(level) for level in LEVELS},
            },
            _("Coverage before and after calibration"),
        )
        st.caption(_("A forecast is calibrated only with forecasts completed by its cutoff; all rows use the same."))


def _coverage_column(level: str) -> Any:
    return st.column_config.NumberColumn(_("Coverage {level} %").format(level=level), format="percent")


def _render_worst(evaluation_id: str, report: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """Render the cutoffs at which a model lost most against the best baseline, one at a time."""
    st.markdown("**" + _("The worst cutoffs") + "**")
    first, second = st.columns(2)
    models, key = report["models"], f"{keys.WORST}.{evaluation_id}"
    model = first.selectbox(_("Model"), models, key=f"{key}.model") if len(models) > 1 else models[0]
    cutoffs = report["worst"][model]
    if not cutoffs:
        return
    with second if len(models) > 1 else first:
        number = st.selectbox(
            _("Cutoff"),
            range(len(cutoffs)),
            format_func=lambda i: _cutoff_label(cutoffs[i]),
            key=f"{key}.{model}",
            help=_("The last number is the CRPS lost against the best baseline."),
        )
    with errors.render_errors():
        past = desk().evaluations.past(evaluation_id, model, int(number))
        if past is None:
            return
        figure = charts.cutoff_chart(past.history, past.actual, past.bands, chart_style())
        render_chart(figure, f"{key}.chart", _("Forecast and actual candles"))
        cutoff = cutoffs[number]
        values = {"crps": formats.number(cutoff["crps"], 3), "other": formats.number(cutoff["baseline"], 3)}
        caption = _("CRPS {crps}, that of {baseline} {other}.")
        st.caption(escape(caption.format(baseline=names[report["best_baseline"]], **values)))


def _cutoff_label(cutoff: Mapping[str, Any]) -> str:
    time, lost = formats.time(pd.Timestamp(cutoff["time"])), cutoff["crps"] - cutoff["baseline"]
    return f"{cutoff['symbol']} · {time} · {lost:+.3f}"
