"""The forecast behind a position of a day: its score and rank, history, bands and actual candles."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from kronos_app.charts.evaluation import cutoff_chart
from kronos_app.runtime import desk
from kronos_app.services.backtest.service import Backtest, Behind
from kronos_app.state import gettext as _
from kronos_app.widgets.backtest import keys
from kronos_app.widgets.backtest.words import format_score, signal_names
from kronos_app.widgets.kit import errors, formats, job
from kronos_app.widgets.kit.chart_style import chart_style
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.runs.parts import render_chart


def render(backtest: Backtest, day: pd.Timestamp, names: Sequence[str]) -> None:
    """Render the choice among the instruments of a day, and the forecast behind the chosen one."""
    if not names:
        return
    key = f"{keys.BEHIND}.{backtest.id}.{day}"
    name = st.selectbox(
        _("The forecast behind"),
        names,
        index=None,
        placeholder=_("Choose an instrument"),
        key=key,
        width=260,
        help=_("The newest forecast before the day: the rule traded by its signal."),
    )
    if name is None:
        return
    with errors.render_errors():
        behind = desk().backtests.behind(backtest.id, name, day) or _draw(backtest.id, name, day, f"{key}.{name}")
        if behind is not None:
            _render_forecast(backtest, behind)


def _draw(backtest_id: str, name: str, day: pd.Timestamp, key: str) -> Behind | None:
    """Return the forecast once its job has drawn it, and render the job until then; a failed job is not repeated."""
    if key not in st.session_state:
        st.session_state[key] = desk().backtests.draw_behind(backtest_id, name, day).id
    done = job.await_result(st.session_state[key])
    return None if done is None else desk().backtests.behind(backtest_id, name, day)


def _render_forecast(backtest: Backtest, behind: Behind) -> None:
    signal = backtest.request.signal
    sentence = _(
        "{signal} on {day}: {score}, rank {rank} of {among}. Drawn again from the same candles, seed and weights it is "
        "{drawn}."
    ).format(
        signal=signal_names()[signal],
        day=formats.time(behind.day),
        score=format_score(signal, behind.score),
        rank=formats.number(behind.rank, 0),
        among=formats.number(behind.among, 0),
        drawn=format_score(signal, behind.drawn),
    )
    st.markdown(escape(sentence))
    figure = cutoff_chart(behind.history, behind.actual, behind.bands, chart_style())
    render_chart(figure, f"backtest.behind.chart.{backtest.id}", _("Forecast and actual candles"))
