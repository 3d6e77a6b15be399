"""The desk of a process: the store, the jobs and the services of all pages and API calls."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from kronos_app.data.sources import FAMILIES, SourceFamily
from kronos_app.data.sql.process import QueryProcesses
from kronos_app.i18n import Text
from kronos_app.jobs import Handler, JobRunner
from kronos_app.services.backtest import service as backtest
from kronos_app.services.backtest.service import Backtest, BacktestService, BacktestWorker, BehindWorker, Universes
from kronos_app.services.candles import fetching, series, uploads
from kronos_app.services.candles import sql as sql_query
from kronos_app.services.candles.column_mappings import ColumnMappings
from kronos_app.services.candles.fetched import FetchedDrafts
from kronos_app.services.candles.fetching import FetchService, FetchWorker
from kronos_app.services.candles.refreshing import RefreshWorker
from kronos_app.services.candles.series import SeriesService
from kronos_app.services.candles.series_fetching import SeriesFetcher
from kronos_app.services.candles.service import CandleService
from kronos_app.services.candles.sources import Sources
from kronos_app.services.candles.sql import Connections, SqlService, SqlWorker
from kronos_app.services.candles.uploads import UploadService, UploadWorker
from kronos_app.services.core.home_lock import HomeLock, unwritable
from kronos_app.services.evaluation import service as evaluation
from kronos_app.services.evaluation.service import Evaluation, EvaluationService, EvaluationWorker
from kronos_app.services.finetune import trial as tuning_trial
from kronos_app.services.finetune.result import trained_model
from kronos_app.services.finetune.service import TuningService
from kronos_app.services.forecast import service as forecasting
from kronos_app.services.forecast.calibration import Calibrations
from kronos_app.services.forecast.calibration_run import CalibrationRuns
from kronos_app.services.forecast.record import ForecastRecords
from kronos_app.services.forecast.service import ForecastService
from kronos_app.services.forecast.worker import ForecastWorker
from kronos_app.services.ledger.service import LedgerService
from kronos_app.services.live import service as following
from kronos_app.services.live.keeper import Keeper
from kronos_app.services.live.service import FollowService
from kronos_app.services.live.worker import FollowWorker
from kronos_app.services.models.registry import RegistryService
from kronos_app.services.models.service import ModelService
from kronos_app.services.runs.run import RunFolders
from kronos_app.settings import Settings, get_settings
from kronos_app.store import Store
from kronos_app.store.records import now

if TYPE_CHECKING:
    from engine.loading.registry import ModelSpec

# A candle of a forecast takes Python's lock some hundred times and waits this long for it while a page computes. With
# the default of 5 ms a forecast takes thirty times as long beside a busy page.
SWITCH_SECONDS = 0.0005


class Desk:
    """All services.

    Parameters
    ----------
    settings
        Settings of this deployment.
    registry
        The available models; default: those of the engine.
    sources
        The available families of data sources; default: all.
    clock
        Returns the present time in UTC.

    Raises
    ------
    Conflict
        Another process works in the same home folder.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Mapping[str, ModelSpec] | None = None,
        sources: Sequence[SourceFamily] | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        from engine.scheduler import Scheduler

        self.settings = settings
        self._clock = clock
        self._home_lock = HomeLock(settings.home)
        self._home_lock.acquire()
        self.store = Store.open(settings.store_url)
        self.scheduler = Scheduler()
        self._handlers: dict[str, Handler] = {}
        limits = {
            sql_query.KIND: min(settings.parallel_jobs, settings.parallel_queries),
            # Each uses all cores.
            evaluation.KIND: 1,
            backtest.KIND: 1,
        }
        most, of_caller = settings.max_queued_jobs, settings.max_queued_jobs_per_caller
        self.jobs = JobRunner(self.store, self._handlers, most, settings.parallel_jobs, of_caller, limits=limits)
        self.models = ModelService(settings, registry, self.store.registered.list)
        self.candles = CandleService(settings, self.store)
        self.sources = Sources(settings, FAMILIES if sources is None else sources)
        fetcher = SeriesFetcher(settings, self.store, self.sources, clock)
        self._add_candles(fetcher)
        self._add_forecasts(fetcher)
        self._add_finetune()
        self._add_evaluations()
        self._add_backtests()
        self.keeper = Keeper(self.following.tick, self.ledger.sweep, self.tuning.tick)

    def _add_candles(self, fetcher: SeriesFetcher) -> None:
        settings = self.settings
        connections, processes = Connections(), QueryProcesses(settings.parallel_queries)
        upload_folder = settings.home / "uploads"
        self.fetched = FetchedDrafts(settings.home / "fetched")
        self.column_mappings = ColumnMappings(settings, self.store)
        self.uploads = UploadService(upload_folder, self.candles, self.jobs)
        self.sql = SqlService(settings, connections, processes, self.jobs)
        self.fetching = FetchService(self.sources, self.jobs)
        self.series = SeriesService(settings, self.store, fetcher, self.sources, self.jobs)
        self._handlers |= {
            uploads.KIND: UploadWorker(upload_folder, self.candles).run,
            sql_query.KIND: SqlWorker(settings, connections, processes, self.fetched, self.candles).run,
            fetching.KIND: FetchWorker(settings, fetcher, self.fetched, self.candles).run,
            series.KIND: RefreshWorker(settings, self.store, fetcher, self.sources, self._clock).run,
        }

    def _add_forecasts(self, fetcher: SeriesFetcher) -> None:
        self.ledger = LedgerService(self.store, self._clock, self.sources.has)
        self.forecasts = ForecastService(self.store, self.jobs, self.candles, self.models)
        self.records = ForecastRecords(self.store, self.models, self.ledger)
        self.following = FollowService(self.settings, self.store, self.jobs, self.sources, self.models, self._clock)
        forecaster = ForecastWorker(self.store, self.candles, self.models, self.scheduler)
        follower = FollowWorker(
            self.store, self.candles, self.models, forecaster, self.ledger, fetcher, self.sources, self._clock
        )
        self._handlers |= {forecasting.KIND: forecaster.run, following.KIND: follower.run}

    def _add_finetune(self) -> None:
        self.tuning = TuningService(self.settings, self.store, self.candles, self.series, self.models, self.jobs)
        self.registry = RegistryService(
            self.store, self.models, lambda run_id: trained_model(self.settings, self.tuning.get(run_id))
        )
        self._handlers[tuning_trial.KIND] = tuning_trial.TrialWorker(self.tuning.planner).run

    def _add_evaluations(self) -> None:
        folders = RunFolders(self.settings.home, Evaluation)
        self.evaluations = EvaluationService(self.settings, self.candles, self.series, self.models, self.jobs, folders)
        self.calibrations = Calibrations(self.store, self.models, self.evaluations)
        self.calibration_runs = CalibrationRuns(self.calibrations, self.candles, self.evaluations)
        self._handlers[evaluation.KIND] = EvaluationWorker(folders, self.models).run

    def _add_backtests(self) -> None:
        folders = RunFolders(self.settings.home, Backtest)
        universes = Universes(self.settings, self.candles, self.series)
        self.backtests = BacktestService(self.settings, self.store, universes, self.models, self.jobs, folders)
        self._handlers |= {
            backtest.KIND: BacktestWorker(self.settings, folders, self.models, universes).run,
            backtest.BEHIND: BehindWorker(folders, self.models, self.scheduler).run,
        }

    def start(self) -> None:
        """Begin to run jobs, those of an earlier process first."""
        sys.setswitchinterval(SWITCH_SECONDS)
        self.jobs.start()
        self.keeper.start()

    def unwritable(self) -> Text | None:
        """Return why nothing can be saved in the home folder, None if it can."""
        return unwritable(self.settings.home)

    def close(self) -> None:
        """Stop the jobs and close the store."""
        self.tuning.close()
        self.keeper.stop()
        self.jobs.stop()
        self.scheduler.close()
        self.store.close()
        self._home_lock.release()


_lock = Lock()
_open: list[Desk] = []  # the desk of this process, if it is open


def get_desk() -> Desk:
    """Return the desk of this process, opened and started on first use."""
    with _lock:
        if not _open:
            desk = Desk(get_settings())
            desk.start()
            _open.append(desk)
        return _open[0]


def close_desk() -> None:
    """Close the desk of this process, if there is one; the next `get_desk` opens another."""
    with _lock:
        while _open:
            _open.pop().close()
