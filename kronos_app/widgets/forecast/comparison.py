"""Two to six forecasts on one chart and in one table."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from kronos_app.charts.forecast import BANDS
from kronos_app.charts.overlay import BAND, MOST_FORECASTS, overlay_chart
from kronos_app.charts.style import translucent
from kronos_app.runtime import desk
from kronos_app.services.forecast.view import ForecastView
from kronos_app.state import gettext as _
from kronos_app.widgets.forecast.listing import settings_facts
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.chart_style import chart_style
from kronos_app.widgets.kit.errors import escape, render_errors
from kronos_app.widgets.kit.figure import render_figure

PARAMETER = "compare"  # of the address, once for each forecast
MOST_NAMED = 3  # forecasts; a phone has no room for a legend of more names than letters
DIFFERENT = f"background-color: {translucent('#6f7df2', 0.18)}; font-weight: 600"

Facts = dict[str, str]


def render_linked_comparison() -> None:
    """Render the comparison that the address names, if it names one."""
    ids = list(dict.fromkeys(st.query_params.get_all(PARAMETER)))
    if not ids:
        return
    with st.container(border=True):
        title, close = st.columns([5, 1], vertical_alignment="center")
        title.subheader(_("Comparison"))
        close.button(_("Close"), icon=":material/close:", key="history.compare.close", on_click=_close, type="tertiary")
        with render_errors():
            if not 2 <= len(ids) <= MOST_FORECASTS:
                st.info(_("Choose two to {most} different forecasts.").format(most=MOST_FORECASTS))
                return
            render_comparison([desk().forecasts.get(id_) for id_ in ids])


def _close() -> None:
    st.query_params.pop(PARAMETER, None)  # a second click comes while the first one closes


def render_comparison(views: Sequence[ForecastView], letters: Sequence[str] = string.ascii_uppercase) -> None:
    """Render the forecasts on one chart, and a table of settings and scores in which the differences are marked.

    Parameters
    ----------
    letters
        Names of the forecasts, where some of a run are left out.
    """
    letters = letters[: len(views)]
    inputs = [_describe_inputs(view) for view in views]
    _render_chart(views, _name_forecasts(inputs, letters))
    facts = [{**given, **_describe_scores(view)} for given, view in zip(inputs, views, strict=True)]
    table = pd.DataFrame(facts, index=list(letters)).T
    st.table(table.map(escape).style.apply(_mark_differences, axis=1))
    st.caption(_("Rows in which the forecasts differ are marked."))


def _name_forecasts(inputs: Sequence[Facts], letters: Sequence[str]) -> list[str]:
    """Return a letter per forecast; of few forecasts, with the first setting in which they differ."""
    differing = [label for label in inputs[0] if len({facts[label] for facts in inputs}) > 1]
    if not differing or len(inputs) > MOST_NAMED:
        return list(letters)
    return [f"{letter} · {differing[0]} {facts[differing[0]]}" for letter, facts in zip(letters, inputs, strict=True)]


def _render_chart(views: Sequence[ForecastView], names: Sequence[str]) -> None:
    """Render the overlay: in prices where all forecasts are of one data set, else as changes since the last close."""
    low, high = BANDS[BAND]
    quantiles = [view.quantiles([low, 0.5, high]) for view in views]
    style, actual = chart_style(), None
    if len({view.stored.candles_id for view in views}) == 1:  # names change, and deleted ones are given again
        actual = _join_actuals(views)
    else:
        style = replace(style, price=_("Change since the last close, %"))
        quantiles = [
            {level: (frame / view.stored.last_close - 1) * 100 for level, frame in levels.items()}
            for view, levels in zip(views, quantiles, strict=True)
        ]
    figure = overlay_chart(names, [levels[0.5] for levels in quantiles], quantiles, style, actual=actual)
    alt = _("Median and {level} % band of the compared forecasts").format(level=BAND)
    render_figure(figure, "forecast.comparison", alt, "forecasts")


def _join_actuals(views: Sequence[ForecastView]) -> pd.Series[float] | None:
    closes = [view.actual["close"] for view in views if view.actual is not None]
    if not closes:
        return None
    joined: pd.Series[float] = pd.concat(closes).sort_index()
    return joined.loc[~joined.index.duplicated()]


def _describe_inputs(view: ForecastView) -> Facts:
    return {
        _("Data set"): view.stored.candles_name,
        _("Model"): view.model,
        _("Cutoff"): formats.time(view.stored.cutoff),
        _("Horizon"): str(len(view.stored.timestamps)),
        _("Lookback"): str(view.stored.request["lookback"]),
        **settings_facts(view.stored),
    }


def _describe_scores(view: ForecastView) -> Facts:
    """Return the scores by label; dashes while no actual candle is known."""
    comparison = view.comparison
    model = comparison.scores[0] if comparison else None
    return {
        _("MAE"): formats.price(model.mae if model else None),
        _("CRPS"): formats.price(model.crps if model else None),
        _("CRPS ratio"): formats.number(comparison.crps_ratio if comparison else None),
        _("Coverage {level} %").format(level=80): formats.percent(comparison.coverage if comparison else None, 0),
    }


def _mark_differences(row: pd.Series[str]) -> list[str]:
    return [DIFFERENT if row.nunique() > 1 else ""] * len(row)
