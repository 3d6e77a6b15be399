"""Jobs that fetch candles from market sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from kronos_app.data import calendars
from kronos_app.data.checks.fixes import check
from kronos_app.data.source import LONGEST_SYMBOL, FetchRequest
from kronos_app.data.source_messages import reversed_range
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text
from kronos_app.services.candles.fetch_limits import FetchLimits
from kronos_app.services.candles.fetched import FetchedDrafts

if TYPE_CHECKING:
    from kronos_app.jobs import JobRunner
    from kronos_app.services.candles.series_fetching import SeriesFetcher
    from kronos_app.services.candles.service import CandleService
    from kronos_app.services.candles.sources import Sources
    from kronos_app.settings import Settings

KIND = "fetch"
REQUEST = TypeAdapter(FetchRequest)
"""Converts requests to JSON-ready dicts and back; other keys are ignored."""


@dataclass(frozen=True)
class FetchService:
    """Queues fetches."""

    sources: Sources
    jobs: JobRunner

    def submit(
        self,
        key: str,
        request: FetchRequest,
        *,
        repair: str | None = None,
        review: bool = False,
        calendar: str | None = None,
        fixes: Sequence[str] = (),
        resample: str | None = None,
    ) -> str:
        """Queue a fetch and return the id of its job, whose result is the id of the candle set.

        Parameters
        ----------
        repair
            How to repair faulty candles; None refuses them.
        review
            Store faulty candles unchanged: the result is then the id of a draft, see `FetchedDrafts.save`.
        calendar
            Key of the calendar, or `learned`; None for the one that the source states.
        fixes, resample
            Fixes to apply and coarser interval, see `CandleService.preview`.

        Raises
        ------
        InvalidInput
            No symbol, an empty range, an unknown fix or calendar.
        NotFound
            Unknown source.
        Conflict
            Too many jobs are queued.
        """
        self.sources.family(key)
        calendars.get(calendar)
        check(fixes)
        job = REQUEST.dump_python(_checked(request), mode="json") | {
            "source": key,
            "repair": repair,
            "review": review,
            "calendar": calendar,
            "fixes": list(fixes),
            "resample": resample,
        }
        return self.jobs.submit(KIND, job).id


@dataclass(frozen=True)
class FetchWorker:
    """Runs the jobs that `FetchService` queued; thread-safe."""

    settings: Settings
    series: SeriesFetcher
    drafts: FetchedDrafts
    candles: CandleService

    def run(self, job: Mapping[str, Any], on_step: Callable[[int, int], None]) -> str:
        """Fetch and save candles, and return the id of the result; `on_step` may raise to cancel."""
        on_step(0, 0)
        limits = FetchLimits(self.settings)
        on_page = limits.on_page(lambda count: on_step(count, 0))
        draft = self.series.fetch(job["source"], REQUEST.validate_python(job), on_page)
        draft = calendars.with_calendar(draft, job.get("calendar"))
        limits.check_rows(len(draft))
        on_step(len(draft), 0)  # the last chance to cancel before something is saved
        return self.drafts.save(draft, job, self.candles)


def _checked(request: FetchRequest) -> FetchRequest:
    symbol = request.symbol.strip()
    if not symbol or len(symbol) > LONGEST_SYMBOL:
        raise InvalidInput(
            "no_symbol",
            text("A symbol is required."),
            text("Enter one as the source writes it, such as AAPL or BTC/USDT."),
        )
    start, end = _aware(request.start), _aware(request.end)
    if start is not None and start >= (end or datetime.now(UTC)):
        raise reversed_range()
    return replace(request, symbol=symbol, start=start, end=end)


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
