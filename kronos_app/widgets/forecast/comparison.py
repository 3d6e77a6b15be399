"""Two forecasts side by side."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.charts.forecast import BANDS, overlay_chart
from kronos_app.runtime import desk
from kronos_app.services.forecast.service import ForecastView
from kronos_app.state import gettext as _
from kronos_app.store.records import ForecastFilter
from kronos_app.widgets.forecast.listing import label
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.words import chart_words, drift_name, window_names

PARAMETER = "compare"
# The newest so many that fit a search are on offer: a browser is slow with a list of all.
MOST_OFFERED = 100


def draw(total: int) -> None:
    """Render the choice of two of `total` forecasts and, once made, their overlay; the address keeps the choice."""
    linked = st.query_params.get_all(PARAMETER)
    with st.expander(_("Compare two forecasts"), icon=":material/compare_arrows:", expanded=bool(linked)):
        if total < 2:
            st.caption(_("There is only one forecast so far."))
            return
        search = _search(total)
        first, second = st.columns(2)
        with first:
            one = _choose(_("First forecast"), search, state.HISTORY_FIRST, linked[0] if linked else None)
        with second:
            other = _choose(_("Second forecast"), search, state.HISTORY_SECOND, linked[1] if len(linked) > 1 else None)
        if one is None or other is None:
            return
        if one == other:
            st.info(_("Choose two different forecasts."))
            return
        st.query_params[PARAMETER] = [one, other]
        _overlay(desk().forecasts.get(one), desk().forecasts.get(other))


def _search(total: int) -> str:
    if total <= MOST_OFFERED:
        return ""
    return st.text_input(
        _("Search"),
        key=state.HISTORY_COMPARE_TEXT,
        placeholder=_("data set, model or id"),
        help=_("The newest {count} forecasts that fit are on offer.").format(count=MOST_OFFERED),
    )


def _choose(name: str, search: str, key: str, linked: str | None) -> str | None:
    chosen = st.session_state.get(key) or linked
    offered = {info.id: info for info in desk().forecasts.list(ForecastFilter(text=search), limit=MOST_OFFERED)}
    if chosen is not None and chosen not in offered:  # chosen before, or by link: it stays on offer
        offered |= {info.id: info for info in desk().forecasts.list(ForecastFilter(id=chosen))}
    st.session_state[key] = chosen if chosen in offered else None
    labels = {id_: label(info) for id_, info in offered.items()}
    return st.selectbox(
        name, list(labels), None, format_func=labels.__getitem__, key=key, placeholder=_("Choose a forecast")
    )


def _overlay(one: ForecastView, other: ForecastView) -> None:
    views = (one, other)
    names = [
        f"{letter} · {view.stored.candles_name} · {view.stored.provenance['model']}"
        for letter, view in zip("AB", views, strict=True)
    ]
    quantiles = [view.quantiles([BANDS[80][0], 0.5, BANDS[80][1]]) for view in views]
    figure = overlay_chart(
        names, [levels[0.5] for levels in quantiles], quantiles, chart_words(), actual=_actual(views)
    )
    st.plotly_chart(figure, key="history.overlay", alt=_("Median and 80 % band of two forecasts"))
    st.table(pd.DataFrame({name: _facts(view) for name, view in zip(names, views, strict=True)}))


def _actual(views: Sequence[ForecastView]) -> pd.Series[float] | None:
    closes = [view.actual["close"] for view in views if view.actual is not None]
    if not closes:
        return None
    joined: pd.Series[float] = pd.concat(closes).sort_index()
    return joined.loc[~joined.index.duplicated()]


def _facts(view: ForecastView) -> dict[str, str]:
    request = view.stored.request
    score = view.comparison.scores[0] if view.comparison is not None else None
    return {
        _("Cutoff"): formats.time(view.stored.cutoff),
        _("Horizon"): str(len(view.stored.timestamps)),
        _("Lookback"): str(request["lookback"]),
        _("Window"): window_names()[request.get("window", "fit")],
        _("Temperature"): str(request["temperature"]),
        _("Top-p"): str(request["top_p"]),
        _("Top-k"): str(request["top_k"]),
        _("Samples"): str(request["samples"]),
        _("Drift"): drift_name(driftless=view.driftless),
        _("Seed"): str(view.stored.provenance["seed"]),
        _("MAE"): formats.price(score.mae if score else None),
        _("Coverage {level} %").format(level=80): formats.percent(score.coverage[0.8] if score else None, 0),
        _("CRPS"): formats.price(score.crps if score else None),
    }
