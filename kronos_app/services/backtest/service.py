"""Backtests: what trading by a model's forecasts would have earned. Pages and API call this service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from kronos_app.data.export import safe_csv
from kronos_app.errors import InvalidInput, TooLarge
from kronos_app.i18n import Text, text
from kronos_app.services.backtest.behind import KIND as BEHIND
from kronos_app.services.backtest.behind import Behind, BehindWorker, read_behind, signal_day
from kronos_app.services.backtest.compare import FEWEST_COMPARED, MOST_COMPARED, BacktestComparison, compare
from kronos_app.services.backtest.report import periods
from kronos_app.services.backtest.request import BacktestRequest
from kronos_app.services.backtest.run import Backtest, BacktestFolders
from kronos_app.services.backtest.universe import Universes, read_universe
from kronos_app.services.backtest.worker import KIND, BacktestWorker, first_day, last_time
from kronos_app.services.core.training_errors import training_errors
from kronos_app.services.core.view import View
from kronos_app.services.runs.pace import Pace, Seconds, estimate_seconds, forecast_paces
from kronos_app.services.runs.service import JobRunService
from kronos_app.services.selection.context import check_window
from kronos_app.services.selection.setup import fill_in

if TYPE_CHECKING:
    from kronos_app.jobs import Job, JobRunner
    from kronos_app.services.backtest.universe import Names
    from kronos_app.services.models.service import ModelService
    from kronos_app.services.selection.request import CandleSelection
    from kronos_app.services.selection.series import Parts
    from kronos_app.settings import Settings
    from kronos_app.store import Store
    from training.portfolio.records import Backtest as Result

__all__ = [
    "BEHIND",
    "FEWEST_COMPARED",
    "KIND",
    "MOST_COMPARED",
    "Backtest",
    "BacktestComparison",
    "BacktestFolders",
    "BacktestPlan",
    "BacktestRequest",
    "BacktestService",
    "BacktestWorker",
    "Behind",
    "BehindWorker",
    "Table",
    "Universes",
]

BYTES_A_CANDLE = 200  # of the files and of the Qlib folder, at most
Table = Literal["daily", "positions", "trades"]


class BacktestPlan(View):
    """The size of a backtest before it starts.

    Attributes
    ----------
    request
        With the name of an exact model version and what it recommends.
    """

    request: SkipJsonSchema[BacktestRequest] = Field(exclude=True)
    instruments: int
    forecasts: int = Field(description="At most.")
    seconds: tuple[float, float] | None = Field(
        description="Shortest and longest time, from forecasts of the model on this machine; null where there is none."
    )
    notes: tuple[Text, ...]


class BacktestService(JobRunService[Backtest]):
    """Plans, starts and reads backtests; every thread may use it."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        universes: Universes,
        models: ModelService,
        jobs: JobRunner,
        folders: BacktestFolders,
    ) -> None:
        super().__init__(settings, jobs, folders, settings.max_backtests)
        self._store = store
        self._universes = universes
        self._models = models

    def plan(self, request: BacktestRequest) -> BacktestPlan:
        """Return the size of a backtest; reads no candles.

        Raises InvalidInput, NotFound or TooLarge (the model, the candles or the rule: what is wrong, and what to do).
        """
        return self._plan(request)[0]

    def names(self, selection: CandleSelection) -> Names:
        """Return the instruments that can be the benchmark.

        Raises InvalidInput or NotFound (part of the selection does not exist).
        """
        return self._universes.names(selection)

    def start(self, request: BacktestRequest) -> Backtest:
        """Create a backtest and queue its job.

        Raises InvalidInput, NotFound or TooLarge (as `plan`; or the candles themselves do not fit the rule or the
        period), Conflict (too many backtests are saved, or too many jobs wait) or Unavailable (the disk is full or
        cannot be written to).
        """
        with self._starting:
            plan, parts = self._plan(request)
            self._check_room(sum(part.rows for part in parts) * BYTES_A_CANDLE)

            def copy(folder: Path) -> tuple[list[str], dict[str, Any]]:
                members = self._universes.copy(parts, plan.request, folder)
                traded = [member for member in members if member.name != request.benchmark]
                names = [member.name for member in traded]
                self._check_candles(plan.request, folder, names)
                return names, {"members": [asdict(member) for member in traded]}

            return self._start(plan.request, plan.notes, copy)

    def result(self, backtest_id: str) -> Result:
        """Return days, holdings and trades of a finished backtest.

        Raises NotFound or InvalidInput (there is no backtest of this id, or it has no result yet).
        """
        return self._folders.get(backtest_id).read_result()

    def csv(self, backtest_id: str, table: Table) -> str:
        """Return a table as CSV.

        Raises NotFound or InvalidInput (as `result`).
        """
        frame: pd.DataFrame = getattr(self.result(backtest_id), table)
        return safe_csv(frame.reset_index() if table == "daily" else frame)

    def tearsheet(self, backtest_id: str) -> str:
        """Return the report of quantstats as HTML; takes some seconds.

        Raises NotFound or InvalidInput (as `result`; or there are too few days).
        """
        from training.portfolio.tearsheet import tearsheet

        backtest = self._folders.get(backtest_id)
        result = backtest.read_result()
        title = f"{backtest.request.model}, {backtest.request.signal}: {backtest.origin}"
        with training_errors():
            return tearsheet(result, title, periods(pd.DatetimeIndex(result.daily.index)))

    def compare(self, backtest_ids: Sequence[str]) -> BacktestComparison:
        """Return backtests side by side.

        Raises NotFound (there is no backtest of one of the ids) or InvalidInput (there are too few or too many, or one
        has not finished).
        """
        backtests = self._get_compared(backtest_ids, FEWEST_COMPARED, MOST_COMPARED)
        unfinished = next((backtest for backtest in backtests if backtest.report is None), None)
        if unfinished is not None:
            raise InvalidInput(
                "backtests_to_compare",
                text("The backtest {id} has not finished.", id=unfinished.id),
                text("Wait until it has, or choose others."),
            )
        return compare(backtests)

    def behind(self, backtest_id: str, instrument: str, day: datetime) -> Behind | None:
        """Return the forecast that caused the position of an instrument on a day, None until it is drawn again.

        Raises NotFound (there is no such backtest or instrument, or no signal of it before the day).
        """
        backtest = self._folders.get(backtest_id)
        return read_behind(backtest, instrument, signal_day(backtest, instrument, pd.Timestamp(day)))

    def draw_behind(self, backtest_id: str, instrument: str, day: datetime) -> Job:
        """Queue the job that draws the forecast again.

        Raises NotFound (as `behind`) or Conflict (too many jobs wait).
        """
        backtest = self._folders.get(backtest_id)
        signal = signal_day(backtest, instrument, pd.Timestamp(day))
        return self._jobs.submit(BEHIND, {"backtest": backtest.id, "instrument": instrument, "day": str(signal)})

    def _plan(self, request: BacktestRequest) -> tuple[BacktestPlan, Parts]:
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
                text("Choose an end after the start."),
            )
        request = fill_in(request.model_copy(update={"model": spec.name}), spec)
        parts, notes = self._universes.find(request)
        if request.driftless:
            note = text(
                "Zero-drift forecasts have no direction: their median is the last close, so the signal trades the "
                "skew of the paths. Choose forecasts with drift to trade what the model expects."
            )
            notes = [*notes, note]
        traded = [part for part in parts if part.name != request.benchmark]
        forecasts = sum(_count_signals(request, part.rows) for part in traded)
        plan = BacktestPlan(
            request=request,
            instruments=len(traded),
            forecasts=forecasts,
            seconds=self._estimate_seconds(request, forecasts),
            notes=tuple(notes),
        )
        return plan, parts

    def _estimate_seconds(self, request: BacktestRequest, forecasts: int) -> Seconds | None:
        runs = [
            Pace(run.report["pace"], run.request.lookback, (run.request.samples or 1) * run.request.horizon)
            for run in self._folders.list()
            if run.report and run.report.get("pace") and run.request.model == request.model
        ]
        return estimate_seconds([*runs, *forecast_paces(self._store, request.model)], request, forecasts)

    def _check_candles(self, request: BacktestRequest, folder: Path, names: Sequence[str]) -> None:
        """Refuse too few candles for a signal and a day to trade it, and too many forecasts."""
        universe = read_universe(folder, names)
        first, last = first_day(request, universe), last_time(request) or pd.Timestamp.max
        counts = [int(candles["timestamp"].between(first, last).sum()) for candles in universe.values()]
        if max(counts, default=0) < 2:
            raise InvalidInput(
                "too_few_candles",
                text(
                    "No instrument has {lookback} candles of history and two days to trade in this period.",
                    lookback=request.lookback,
                ),
                text("Shorten lookback, or choose a longer period or longer series."),
            )
        forecasts, most = sum(-(-count // request.every) for count in counts), self._settings.max_backtest_forecasts
        if forecasts > most:
            raise TooLarge(
                "too_many_forecasts",
                text("{forecasts} forecasts are more than the {most} of one backtest here.",
                     forecasts=forecasts, most=most),
                text("Choose fewer instruments, a shorter period or a signal every few days."),
            )  # fmt: skip


def _count_signals(request: BacktestRequest, rows: int) -> int:
    """Return on how many days an instrument of `rows` candles has a signal, at most."""
    days = max(0, rows - request.lookback + 1)
    if request.rule == "topk" and request.start and request.end:
        days = min(days, (request.end - request.start).days + 1)
    return -(-days // request.every)
