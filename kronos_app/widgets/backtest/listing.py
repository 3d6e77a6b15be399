"""Backtests as they are listed and headed."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from kronos_app import nav, state
from kronos_app.i18n import Text
from kronos_app.runtime import desk
from kronos_app.services.backtest.service import BacktestService, BacktestView
from kronos_app.state import gettext as _
from kronos_app.widgets.backtest import form as backtest_form
from kronos_app.widgets.backtest import words as backtest_words
from kronos_app.widgets.kit import formats
from kronos_app.widgets.runs import words as work_words
from kronos_app.widgets.runs.listing import WorkList


class BacktestList(WorkList[BacktestView]):
    """See `WorkList`."""

    page = "backtest"
    parameter = backtest_form.BACKTEST
    icon = ":material/finance:"
    page_key = state.BACKTEST_PAGE

    @property
    def service(self) -> BacktestService:
        """Return the backtests of this process."""
        return desk().backtests

    def title(self, seen: BacktestView) -> str:
        """Return the model and the candles of a backtest."""
        return _("{models} on {candles}").format(models=seen.request.model, candles=seen.origin)

    def details(self, seen: BacktestView) -> str:
        """Return what a backtest is made of, in one line."""
        request = seen.request
        rule = (
            _("the best {topk}, {n_drop} replaced a day").format(topk=request.topk, n_drop=request.n_drop)
            if request.rule == "topk"
            else _("long or short")
            if request.short
            else _("long or flat")
        )
        return " · ".join(
            [
                backtest_words.signals()[request.signal],
                rule,
                _("{lookback} candles → {horizon}").format(lookback=request.lookback, horizon=request.horizon),
                _("{samples} paths each").format(samples=request.samples),
                _("started {moment}").format(moment=formats.moment(seen.created)),
            ]
        )

    def sentence(self, seen: BacktestView) -> str:
        """Return how far it is and how long it will take, as far as that is known."""
        return work_words.sentence(
            seen,
            loading=_("Loading the model"),
            counted=_("Signals of {done} of {total} days"),
            ending=_("Trading by the signals, and by random ones"),
        )

    def verdicts(self, seen: BacktestView) -> Sequence[Text]:
        """Return what trading was worth."""
        return () if seen.verdict is None else (seen.verdict,)

    def words(self) -> dict[str, str]:
        """Return the words that are a backtest's own."""
        return {
            "none": _("Nothing was traded yet. Begin with New backtest."),
            "all": _("All backtests"),
            "kept": _("Signals are kept: Resume goes on from there."),
            "delete": _("Delete the backtest {name}?"),
            "gone": _("Its signals and results are gone; models and candles stay."),
        }

    def more_actions(self, seen: BacktestView) -> None:
        """Offer the form filled in as this one was."""
        key = f"backtest.again.{seen.id}"
        if st.button(_("Change and run again"), key=key, icon=":material/edit:", type="tertiary"):
            backtest_form.adopt(seen.request)
            st.session_state[state.BACKTEST_VIEW] = "new"
            nav.go("backtest")


BACKTESTS = BacktestList()
