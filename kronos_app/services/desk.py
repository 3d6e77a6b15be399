"""One desk a process: the store, the jobs and the services that all pages and API calls share."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING

from kronos_app.data.sources import FAMILIES, SourceFamily
from kronos_app.jobs import JobRunner
from kronos_app.services import fetching, forecasting
from kronos_app.services.candles import CandleService
from kronos_app.services.fetched import FetchedDrafts
from kronos_app.services.fetching import FetchService, FetchWorker, Sources
from kronos_app.services.forecast_worker import ForecastWorker
from kronos_app.services.forecasting import ForecastService
from kronos_app.services.models import ModelService
from kronos_app.settings import Settings, get_settings
from kronos_app.store import Store

if TYPE_CHECKING:
    from engine.registry import ModelSpec

# A candle takes Python's lock some hundred times, and each time waits this long while a page computes in Python. With
# the default of 5 ms a forecast took thirty times as long beside a page that never rests; pages hardly notice.
SWITCH_SECONDS = 0.0005


class Desk:
    """Everything behind the pages.

    Parameters
    ----------
    settings
        Of this deployment.
    registry
        The models on offer; default those of the engine.
    sources
        The families of market sources on offer; default all there are.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Mapping[str, ModelSpec] | None = None,
        sources: Sequence[SourceFamily] | None = None,
    ) -> None:
        from engine.scheduler import Scheduler

        self.settings = settings
        self.store = Store.open(settings.store_url)
        self.models = ModelService(settings, registry)
        self.candles = CandleService(settings, self.store)
        self.scheduler = Scheduler()
        market = Sources(settings, FAMILIES if sources is None else sources)
        drafts = FetchedDrafts(settings.home / "fetched")
        handlers = {
            forecasting.KIND: ForecastWorker(self.store, self.candles, self.models, self.scheduler).run,
            fetching.KIND: FetchWorker(settings, market, drafts, self.candles).run,
        }
        self.jobs = JobRunner(self.store, handlers, settings.max_queued_jobs, settings.parallel_jobs)
        self.forecasts = ForecastService(self.store, self.jobs, self.candles, self.models)
        self.fetching = FetchService(market, drafts, self.jobs)

    def start(self) -> None:
        """Begin to work on jobs, those that an earlier process left first."""
        sys.setswitchinterval(SWITCH_SECONDS)
        self.jobs.start()

    def close(self) -> None:
        """Stop working and release the store."""
        self.jobs.stop()
        self.scheduler.close()
        self.store.close()


_lock = Lock()
_open: list[Desk] = []  # the one of this process, once there is one


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
