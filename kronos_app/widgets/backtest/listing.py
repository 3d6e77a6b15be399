"""Backtests in a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import streamlit as st

from kronos_app import nav, state
from kronos_app.i18n import Text, text
from kronos_app.runtime import desk
from kronos_app.services.backtest.service import Backtest, BacktestService
from kronos_app.state import gettext as _
from kronos_app.widgets.backtest import form
from kronos_app.widgets.backtest.run import render_backtest
from kronos_app.widgets.backtest.words import signal_names
from kronos_app.widgets.runs.listing import JobRunList


class BacktestList(JobRunList[Backtest]):
    """How backtests are listed."""

    page: ClassVar[str] = "backtest"
    parameter: ClassVar[str] = "backtest"
    icon: ClassVar[str] = ":material/finance:"
    none: ClassVar[Text] = text("There is no backtest yet. Start with New backtest.")
    all: ClassVar[Text] = text("All backtests")
    kept: ClassVar[Text] = text("The signals are saved: Resume continues from there.")
    delete: ClassVar[Text] = text("Delete the backtest {name}?")
    deleted: ClassVar[Text] = text("Its signals and results are deleted; models and candles stay.")
    loading: ClassVar[Text] = text("Loading the model")
    counted: ClassVar[Text] = text("Signals of {done} of {total} days")
    ending: ClassVar[Text] = text("Trading by the signals and by random signals")

    @property
    def service(self) -> BacktestService:
        """Return the backtests of this process."""
        return desk().backtests

    def title(self, run: Backtest) -> str:
        """Return the model and the candles of a backtest."""
        return _("{models} on {candles}").format(models=run.request.model, candles=run.origin)

    def settings(self, run: Backtest) -> Sequence[str]:
        """Return signal, rule, candles and samples."""
        request = run.request
        if request.rule == "topk":
            rule = _("top {topk}, {n_drop} replaced a day").format(topk=request.topk, n_drop=request.n_drop)
        else:
            rule = _("long or short") if request.short else _("long or flat")
        return [
            signal_names()[request.signal],
            rule,
            _("{lookback} candles → {horizon}").format(lookback=request.lookback, horizon=request.horizon),
            _("{samples} paths each").format(samples=request.samples),
            *([_("zero-drift forecasts")] if request.driftless else []),
        ]

    def results(self, run: Backtest) -> Sequence[str]:
        """Return the verdict."""
        return [] if run.verdict is None else [state.say(run.verdict)]

    def render_finished(self, run: Backtest) -> None:
        """Render verdict, curves, figures, holdings, trades and costs."""
        render_backtest(run)

    def render_actions(self, run: Backtest) -> None:
        """Render the buttons of the job, and the one that fills the form with the settings of a backtest."""
        super().render_actions(run)
        key = f"backtest.again.{run.id}"
        if st.button(_("Copy with changes"), key=key, icon=":material/edit:", type="tertiary"):
            form.adopt(run.request)
            st.session_state["backtest.view"] = "new"
            nav.go("backtest")


BACKTESTS = BacktestList()
