"""Backtests for pages and API: what trading by a model's forecasts would have earned.

A backtest is a folder and, while it is made, a job: it goes on when the tab closes, and after a restart where it was.
What was cancelled or failed can be resumed; no signal is made twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from kronos_app.data.export import safe_csv
from kronos_app.errors import Conflict, InvalidInput, TooLarge
from kronos_app.i18n import Text, text
from kronos_app.services.backtest.behind import KIND as BEHIND
from kronos_app.services.backtest.behind import Behind, BehindWorker, read_behind, signal_day
from kronos_app.services.backtest.compare import FEWEST_COMPARED, MOST_COMPARED, BacktestComparison, compared
from kronos_app.services.backtest.folders import BacktestFolders, KeptBacktest
from kronos_app.services.backtest.report import periods
from kronos_app.services.backtest.request import BacktestData, BacktestRequest
from kronos_app.services.backtest.universe import Universes, read
from kronos_app.services.backtest.views import BacktestView, view
from kronos_app.services.backtest.worker import KIND, BacktestWorker, first_day, last_time
from kronos_app.services.core.training_errors import training_errors
from kronos_app.services.runs.service import WorkService
from kronos_app.services.selection.context import check_window

if TYPE_CHECKING:
    from kronos_app.jobs import Job, JobRunner
    from kronos_app.services.backtest.universe import Member
    from kronos_app.services.models.service import ModelService
    from kronos_app.services.selection.training_files import Part
    from kronos_app.settings import Settings
    from training.portfolio.records import Backtest

__all__ = [
    "BEHIND",
    "FEWEST_COMPARED",
    "KIND",
    "MOST_COMPARED",
    "BacktestComparison",
    "BacktestData",
    "BacktestFolders",
    "BacktestPlan",
    "BacktestRequest",
    "BacktestService",
    "BacktestView",
    "BacktestWorker",
    "Behind",
    "BehindWorker",
    "Table",
    "Universes",
]

BYTES_A_CANDLE = 200  # as files and as a Qlib folder, at most
Table = Literal["daily", "positions", "trades"]
Parts = list["Part"]
Names = list[str]


@dataclass(frozen=True)
class BacktestPlan:
    """What a request comes to before anything is forecast.

    Attributes
    ----------
    request
        Its model is the name of exactly one version.
    instruments
        That are traded.
    forecasts
        At most: days on which an instrument has no candle need none.
    notes
        What to know about the candles.
    """

    request: BacktestRequest
    instruments: int
    forecasts: int
    notes: tuple[Text, ...]


class BacktestService(WorkService[KeptBacktest, BacktestView]):
    """Backtests: planned, started, followed, deleted; every thread may use it."""

    _folders: BacktestFolders

    def __init__(
        self,
        settings: Settings,
        universes: Universes,
        models: ModelService,
        jobs: JobRunner,
        folders: BacktestFolders,
    ) -> None:
        super().__init__(KIND, settings, jobs, folders)
        self._universes = universes
        self._models = models

    def plan(self, request: BacktestRequest) -> BacktestPlan:
        """Return what a request comes to; reads no candles.

        Raises
        ------
        InvalidInput, NotFound, TooLarge
            The model, the candles or the rule: what is wrong, and what to do.
        """
        return self._planned(request)[0]

    def names(self, data: BacktestData) -> Names:
        """Return the instruments that could be the benchmark.

        Raises
        ------
        InvalidInput, NotFound
            Something of the data is not there.
        """
        return self._universes.names(data)

    def start(self, request: BacktestRequest) -> BacktestView:
        """Make a backtest and queue its job.

        Raises
        ------
        InvalidInput, NotFound, TooLarge
            As `plan`, and what only the candles themselves tell.
        Conflict
            Too many backtests are kept, or too many jobs wait.
        Unavailable
            The disk is full or cannot be written to.
        """
        with self._starting:
            plan, parts = self._planned(request)
            self._check_room(self._settings.max_backtests, sum(part.rows for part in parts) * BYTES_A_CANDLE)

            def copy(folder: Path) -> Sequence[Member]:
                members = self._universes.copy(parts, plan.request, folder)
                traded = [one for one in members if one.name != request.benchmark]
                self._check_candles(plan.request, folder, [one.name for one in traded])
                return traded

            made = self._folders.make(plan.request, copy, plan.notes)
            self._submit_new(made)
        return self.get(made.id)

    def result(self, backtest_id: str) -> Backtest:
        """Return days, holdings and trades of one that has finished.

        Raises
        ------
        NotFound, InvalidInput
            There is none of this id, or it has no result yet.
        """
        return self._folders.get(backtest_id).result()

    def csv(self, backtest_id: str, table: Table) -> str:
        """Return one of the tables as CSV.

        Raises
        ------
        NotFound, InvalidInput
            As `result`.
        """
        found: pd.DataFrame = getattr(self.result(backtest_id), table)
        return safe_csv(found.reset_index() if table == "daily" else found)

    def tearsheet(self, backtest_id: str) -> str:
        """Return quantstats' page of a backtest; takes some seconds.

        Raises
        ------
        NotFound, InvalidInput
            As `result`; or there are too few days to draw.
        """
        from training.portfolio.tearsheet import tearsheet

        kept = self._folders.get(backtest_id)
        result = kept.result()
        title = f"{kept.request.model}, {kept.request.signal}: {kept.origin}"
        with training_errors():
            return tearsheet(result, title, periods(pd.DatetimeIndex(result.daily.index)))

    def compare(self, backtest_ids: Sequence[str]) -> BacktestComparison:
        """Return backtests side by side.

        Raises
        ------
        NotFound
            One of them is not there.
        InvalidInput
            Fewer or more than can be shown, or one that has not finished.
        """
        ids = list(dict.fromkeys(backtest_ids))
        if not FEWEST_COMPARED <= len(ids) <= MOST_COMPARED:
            raise InvalidInput(
                "backtests_to_compare",
                text("From {fewest} to {most} backtests can be compared.", fewest=FEWEST_COMPARED, most=MOST_COMPARED),
                text("Choose others."),
            )
        found = [view(self._folders.get(one), None) for one in ids]
        unfinished = next((one for one in found if one.report is None), None)
        if unfinished is not None:
            raise InvalidInput(
                "backtests_to_compare",
                text("The backtest {id} has not finished.", id=unfinished.id),
                text("Wait until it has, or choose others."),
            )
        return compared(found)

    def behind(self, backtest_id: str, instrument: str, day: datetime) -> Behind | None:
        """Return the forecast by which an instrument was traded or held on a day, None where it is to be drawn first.

        Raises
        ------
        NotFound
            There is no such backtest or instrument, or no signal of it before the day.
        """
        kept = self._folders.get(backtest_id)
        return read_behind(kept, instrument, signal_day(kept, instrument, pd.Timestamp(day)))

    def draw_behind(self, backtest_id: str, instrument: str, day: datetime) -> Job:
        """Queue the job that draws it again.

        Raises
        ------
        NotFound
            As `behind`.
        Conflict
            Too many jobs wait.
        """
        kept = self._folders.get(backtest_id)
        asked = {
            "backtest": kept.id,
            "instrument": instrument,
            "day": str(signal_day(kept, instrument, pd.Timestamp(day))),
        }
        return self._jobs.submit(BEHIND, asked)

    def _view(self, work: KeptBacktest, job: Job | None) -> BacktestView:
        return view(work, job)

    def _finished(self, work_id: str) -> Conflict:
        return Conflict(
            "backtest_finished",
            text("The backtest {id} is finished.", id=work_id),
            text("Start another one to trade anew."),
        )

    def _too_many(self, kept: int) -> Conflict:
        return Conflict(
            "too_many_backtests",
            text("{kept} backtests are kept already.", kept=kept),
            text("Delete some that are not needed; KRONOS_MAX_BACKTESTS sets the limit."),
        )

    def _planned(self, request: BacktestRequest) -> tuple[BacktestPlan, Parts]:
        spec = self._models.spec(request.model)
        check_window(request.lookback, request.horizon, spec)
        if request.rule == "topk" and request.n_drop > request.topk:
            raise InvalidInput(
                "rule",
                text(
                    "n_drop={n_drop} must not exceed topk={topk}: more cannot be replaced than are held.",
                    n_drop=request.n_drop,
                    topk=request.topk,
                ),
                text("Change this setting and try again."),
            )
        if request.start and request.end and request.start >= request.end:
            raise InvalidInput(
                "empty_period",
                text("The period from {start} to {end} has no day.", start=str(request.start), end=str(request.end)),
                text("Choose an end that lies after the start."),
            )
        request = request.model_copy(update={"model": spec.name})
        parts, notes = self._universes.parts(request)
        traded = [part for part in parts if part.name != request.benchmark]
        days = [_days(request, part.rows) for part in traded]
        return BacktestPlan(request, len(traded), sum(days), tuple(notes)), parts

    def _check_candles(self, request: BacktestRequest, folder: Path, names: Sequence[str]) -> None:
        """Refuse what has too few candles for a signal and a day to trade it, or too many forecasts."""
        universe = read(folder, names)
        first, last = first_day(request, universe), last_time(request) or pd.Timestamp.max
        counts = [int(one["timestamp"].between(first, last).sum()) for one in universe.values()]
        if max(counts, default=0) < 2:
            raise InvalidInput(
                "too_few_candles",
                text(
                    "No instrument has {lookback} candles of history and two days to trade in this period.",
                    lookback=request.lookback,
                ),
                text("Shorten lookback, or choose a longer period or longer series."),
            )
        forecasts = sum(-(-count // request.every) for count in counts)
        if forecasts > self._settings.max_backtest_forecasts:
            raise TooLarge(
                "too_many_forecasts",
                text(
                    "{forecasts} forecasts are more than the {most} of one backtest here.",
                    forecasts=forecasts,
                    most=self._settings.max_backtest_forecasts,
                ),
                text("Choose fewer instruments, a shorter period or a signal every few days."),
            )


def _days(request: BacktestRequest, rows: int) -> int:
    """Return on how many days an instrument of `rows` candles has a signal, at most."""
    days = max(0, rows - request.lookback + 1)
    if request.rule == "topk" and request.start and request.end:
        days = min(days, (request.end - request.start).days + 1)
    return -(-days // request.every)
