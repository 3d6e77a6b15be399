"""Figures of an evaluation: by step, bands, calibration, over time, recalibrated, and the worst cutoffs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from kronos_app import state
from kronos_app.charts import evaluation as charts
from kronos_app.runtime import desk
from kronos_app.services.evaluation.report import LEVELS
from kronos_app.state import gettext as _
from kronos_app.widgets.evaluation import words as evaluation_words
from kronos_app.widgets.kit import errors, formats, words
from kronos_app.widgets.kit.errors import escape

WIDTH = 500  # pixels of a figure; two fit side by side on a wide page
CHART_CONFIG = {"displaylogo": False, "displayModeBar": False}


def draw(evaluation_id: str, report: Mapping[str, Any]) -> None:
    """Draw all of them, two side by side where there is room."""
    names, models = evaluation_words.names(report["forecasters"]), report["models"]
    shown = [*models, report["best_baseline"]]
    told, by = evaluation_words.chart_words(), report["calibration"]
    held = {
        name: {level: report["forecasters"][name]["figures"][f"coverage_{level}"]["value"] for level in LEVELS}
        for name in shown
    }
    points = {name: by[name]["reliability"] for name in models if by[name]["reliability"]}
    figures = {
        _("CRPS by step"): (
            charts.steps_chart(report["steps"], models, names, told),
            _("Less is better; baselines are grey."),
        ),
        _("What bands promise and hold"): (
            charts.coverage_chart(held, models, names, told),
            _("Below the line, bands are too narrow."),
        ),
        _("Where what came lay in the forecast (PIT)"): (
            charts.pit_chart({name: by[name]["pit"] for name in models}, models, names, told),
            _("A hump in the middle: bands too wide; high ends: too narrow; a slope: the forecast leans to a side."),
        ),
        _("Chance of a rise, stated and come true"): (
            charts.reliability_chart(points, models, names, told),
            _("Larger points are of more forecasts. On the line, a stated chance means what it says."),
        ),
    }
    with st.container(horizontal=True, gap="medium"):
        for title, (figure, about) in figures.items():
            with st.container(width=WIDTH):
                _figure(figure, title, about, evaluation_id)
    _over_time(evaluation_id, report, names)
    _markets(report, names)
    _recalibration(report)
    _worst(evaluation_id, report, names)


def _figure(figure: go.Figure, title: str, about: str, key: str) -> None:
    st.markdown(f"**{title}**")
    st.plotly_chart(figure, key=f"evaluate.{title}.{key}", config=CHART_CONFIG, alt=title)
    st.caption(about)


def _over_time(evaluation_id: str, report: Mapping[str, Any], names: Mapping[str, str]) -> None:
    level = st.segmented_control(
        _("Band"),
        list(LEVELS),
        format_func=lambda level: f"{level} %",
        default="90",
        required=True,
        key=state.EVALUATE_LEVEL,
        persist_state="session",
    )
    rows, told = report["coverage_over_time"], evaluation_words.chart_words()
    figure = charts.coverage_over_time_chart(rows, level or "90", report["models"], names, told)
    _figure(figure, _("Coverage over time"), _("Parts of as many cutoff times each."), evaluation_id)


def _markets(report: Mapping[str, Any], names: Mapping[str, str]) -> None:
    if not report["markets"]:
        return
    st.markdown("**" + _("By market") + "**")
    table = pd.DataFrame(report["markets"])
    table["forecaster"] = table["forecaster"].map(dict(names))
    st.dataframe(
        table[["part", "forecaster", "cutoffs", "skill", "low", "high", "crps", "coverage_90"]].round(3),
        hide_index=True,
        height="content",
        placeholder=formats.MISSING,
        column_config={
            "part": _("Market"),
            "forecaster": _("Forecaster"),
            "cutoffs": _("Cutoffs"),
            "skill": _("CRPS ratio"),
            "low": _("from"),
            "high": _("to"),
            "crps": _("CRPS"),
            "coverage_90": st.column_config.NumberColumn(_("Coverage {level} %").format(level=90), format="percent"),
        },
        alt=_("Scores by market"),
    )


def _recalibration(report: Mapping[str, Any]) -> None:
    """Draw what bands would have held had they been corrected by the forecasts before."""
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
    with st.expander(_("Bands corrected by earlier cutoffs"), icon=":material/build:"):
        if not rows:
            st.caption(_("A series needs at least 20 forecasts whose outcome was known before the one corrected."))
            return
        columns = ["model", "method", "wis", *(f"covered_{level}" for level in LEVELS), "width_90"]
        st.dataframe(
            pd.DataFrame(rows)[columns].round(3),
            hide_index=True,
            height="content",
            column_config={
                "model": _("Model"),
                "method": _("Correction"),
                "wis": st.column_config.NumberColumn(
                    _("Interval score"), help=_("Weighted interval score; less is better.")
                ),
                "width_90": st.column_config.NumberColumn(_("Width of the {level} % band").format(level=90)),
                **{
                    f"covered_{level}": st.column_config.NumberColumn(
                        _("Coverage {level} %").format(level=level), format="percent"
                    )
                    for level in LEVELS
                },
            },
            alt=_("Coverage before and after correction"),
        )
        st.caption(
            _(
                "Each forecast is corrected by those whose outcome was known at its cutoff, and by nothing else; all "
                "lines are of the same forecasts."
            )
        )


def _worst(evaluation_id: str, report: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """Draw the cutoffs at which a model lost most against the best baseline, one at a time."""
    st.markdown("**" + _("The worst cutoffs") + "**")
    first, second = st.columns(2)
    models = report["models"]
    key = f"{state.EVALUATE_WORST}.{evaluation_id}"
    model = first.selectbox(_("Model"), models, key=f"{key}.model") if len(models) > 1 else models[0]
    places = report["worst"][model]
    if not places:
        return
    with second if len(models) > 1 else first:
        number = st.selectbox(
            _("Cutoff"),
            range(len(places)),
            format_func=lambda i: (
                f"{places[i]['symbol']} · {formats.time(pd.Timestamp(places[i]['time']))} · "
                f"{places[i]['crps'] - places[i]['baseline']:+.3f}"
            ),
            key=f"{key}.{model}",
            help=_("The CRPS lost against the best baseline stands last."),
        )
    with errors.shown():
        past = desk().evaluations.past(evaluation_id, model, int(number))
        if past is None:
            return
        figure = charts.cutoff_chart(past.history, past.actual, past.bands, words.chart_words())
        st.plotly_chart(figure, key=f"{key}.chart", config=CHART_CONFIG, alt=_("Forecast and what came"))
        told = _("CRPS {crps}, that of {baseline} {other}.")
        place, baseline = places[number], names[report["best_baseline"]]
        values = {"crps": formats.number(place["crps"], 3), "other": formats.number(place["baseline"], 3)}
        st.caption(escape(told.format(baseline=baseline, **values)))
