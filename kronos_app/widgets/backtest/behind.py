"""The forecast behind a trade or a holding of a day: its score and rank, history, bands and what came."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.charts.evaluation import cutoff_chart
from kronos_app.runtime import desk
from kronos_app.services.backtest.service import BacktestView, Behind
from kronos_app.state import gettext as _
from kronos_app.widgets.backtest import words as backtest_words
from kronos_app.widgets.candles.last_candles import CHART_CONFIG
from kronos_app.widgets.kit import errors, formats, job, words
from kronos_app.widgets.kit.errors import escape


def draw(seen: BacktestView, day: pd.Timestamp, names: Sequence[str]) -> None:
    """Draw the choice among the instruments of a day, and the forecast behind the one that is chosen."""
    if not names:
        return
    key = f"{state.BACKTEST_BEHIND}.{seen.id}.{day}"
    name = st.selectbox(
        _("The forecast behind"),
        names,
        index=None,
        placeholder=_("Choose an instrument"),
        key=key,
        width=260,
        help=_("The newest forecast before the day: its signal is what the rule traded by."),
    )
    if name is None:
        return
    with errors.shown():
        found = desk().backtests.behind(seen.id, name, day) or _drawn(seen.id, name, day, f"{key}.{name}")
        if found is not None:
            _show(seen, found)


def _drawn(backtest_id: str, name: str, day: pd.Timestamp, key: str) -> Behind | None:
    """Return the forecast once its job has drawn it, and draw the job until then; what failed is not begun again."""
    if key not in st.session_state:
        st.session_state[key] = desk().backtests.draw_behind(backtest_id, name, day).id
    done = job.follow(st.session_state[key])
    return None if done is None else desk().backtests.behind(backtest_id, name, day)


def _show(seen: BacktestView, found: Behind) -> None:
    signal = seen.request.signal
    said, drawn = (backtest_words.score(signal, value) for value in (found.score, found.drawn))
    told = _(
        "{signal} on {day}: {score}, rank {rank} of {among}. Drawn again from the same candles, seed and weights it is "
        "{drawn}."
    )
    values = {"day": formats.time(found.day), "score": said, "among": formats.number(found.among, 0), "drawn": drawn}
    rank = formats.number(found.rank, 0)
    st.markdown(escape(told.format(signal=backtest_words.signals()[signal], rank=rank, **values)))
    figure = cutoff_chart(found.history, found.actual, found.bands, words.chart_words())
    label = _("Forecast and what came")
    st.plotly_chart(figure, key=f"backtest.behind.chart.{seen.id}", config=CHART_CONFIG, alt=label)
