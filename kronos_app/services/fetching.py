"""Candles from market sources, for pages and API: what there is to ask for, and the job that fetches it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

from kronos_app.data import calendars
from kronos_app.data.fixes import check
from kronos_app.data.source import CandleSource, FetchRequest, Instrument, Interval, OnPage
from kronos_app.data.sources import FAMILIES, SourceFamily
from kronos_app.errors import InvalidInput, NotFound, TooLarge, Unavailable
from kronos_app.i18n import text
from kronos_app.services.fetched import FetchedDrafts
from kronos_app.services.folders import FolderService

if TYPE_CHECKING:
    from kronos_app.data.draft import Draft
    from kronos_app.jobs import JobRunner
    from kronos_app.services.candles import CandleService
    from kronos_app.services.series_fetching import SeriesFetcher
    from kronos_app.settings import Settings

KIND = "fetch"
LONGEST_SYMBOL = 100


class Sources:
    """The sources of this process, each made when it is first asked for and shared from then on."""

    def __init__(self, settings: Settings, families: Sequence[SourceFamily] = FAMILIES) -> None:
        self.families = tuple(families)
        self._settings = settings
        self._made: dict[str, CandleSource] = {}
        self._lock = Lock()

    def get(self, key: str) -> CandleSource:
        """Return a source.

        Raises
        ------
        NotFound
            There is no source of this key.
        """
        with self._lock:
            if key not in self._made:
                self._made[key] = self.family(key).make(self._settings, key)
            return self._made[key]

    def names(self, family: SourceFamily) -> Sequence[str]:
        """Return the keys of the sources of a family: one, or one for each exchange or folder."""
        return family.names(self._settings)

    def family(self, key: str) -> SourceFamily:
        """Return the family that a source belongs to.

        Raises
        ------
        NotFound
            There is no source of this key.
        """
        for family in self.families:
            if key in family.names(self._settings):
                return family
        raise NotFound(
            "unknown_source",
            text("There is no source “{key}”.", key=key[:LONGEST_SYMBOL]),
            text("Use yahoo, the name of a crypto exchange, such as binance, or qlib: and the name of a folder."),
        )


class FetchService:
    """Fetching: what can be asked for, the job that does it, and what it brought."""

    def __init__(self, sources: Sources, drafts: FetchedDrafts, jobs: JobRunner) -> None:
        self._sources = sources
        self._drafts = drafts
        self._jobs = jobs
        self.folders = FolderService(sources)

    def sources(self) -> tuple[SourceFamily, ...]:
        """Return the families of sources; `names` has the keys of one."""
        return self._sources.families

    def names(self, family: SourceFamily) -> Sequence[str]:
        """Return the keys of the sources of a family."""
        return self._sources.names(family)

    def family(self, key: str) -> SourceFamily:
        """Return the family that a source belongs to; NotFound where there is no such source."""
        return self._sources.family(key)

    def intervals(self, key: str) -> Sequence[Interval]:
        """Return the candle lengths that a source has, the shortest first.

        Raises
        ------
        NotFound
            There is no such source.
        Unavailable
            It has to be asked and does not answer.
        """
        return self._sources.get(key).intervals()

    def search(self, key: str, query: str) -> list[Instrument]:
        """Return the instruments of a source that match what a user typed, the likeliest first.

        Raises
        ------
        NotFound
            There is no such source.
        Unavailable
            It does not answer.
        """
        query = query.strip()[:LONGEST_SYMBOL]
        return self._sources.get(key).search(query) if query else []

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
            What to do with faulty candles; None refuses them.
        review
            Faulty candles are kept as they came. The result is then an id for `fetched`, and the same id is that of a
            candle set only where there was nothing to choose.
        calendar
            Key of the calendar, or `learned`; None for the one that the source tells.
        fixes, resample
            What to fix and the coarser interval to bring the candles to, see `CandleService.preview`.

        Raises
        ------
        InvalidInput
            No symbol, a range that ends before it starts, or a calendar there is not.
        NotFound
            There is no such source.
        Conflict
            Too many jobs wait already.
        """
        self._sources.family(key)
        calendars.get(calendar)
        check(fixes)
        symbol = request.symbol.strip()
        if not symbol or len(symbol) > LONGEST_SYMBOL:
            raise InvalidInput(
                "no_symbol",
                text("A symbol is needed to fetch candles by."),
                text("State one as the source writes it, such as AAPL or BTC/USDT."),
            )
        start, end = _aware(request.start), _aware(request.end)
        if start is not None and start >= (end or datetime.now(UTC)):
            raise InvalidInput(
                "empty_range",
                text("The range ends before it starts."),
                text("Choose an earlier start or a later end."),
            )
        job = {
            "source": key,
            "symbol": symbol,
            "interval": request.interval,
            "start": start and start.isoformat(),
            "end": end and end.isoformat(),
            "options": dict(request.options),
            "repair": repair,
            "review": review,
            "calendar": calendar,
            "fixes": list(fixes),
            "resample": resample,
        }
        return self._jobs.submit(KIND, job).id

    def fetched(self, result_id: str) -> Draft:
        """Return what a job with `review` brought, with its faults.

        Raises
        ------
        NotFound
            It is not kept any more.
        """
        return self._drafts.get(result_id)


class FetchWorker:
    """Fetches what `FetchService` queued; several threads may run it."""

    def __init__(
        self, settings: Settings, series: SeriesFetcher, drafts: FetchedDrafts, candles: CandleService
    ) -> None:
        self._limits = FetchLimits(settings)
        self._series = series
        self._drafts = drafts
        self._candles = candles

    def run(self, job: Mapping[str, Any], on_step: Callable[[int, int], None]) -> str:
        """Fetch what `job` asks for, keep it and return its id; `on_step` may raise to cancel."""
        on_step(0, 0)
        on_page = self._limits.on_page(lambda count: on_step(count, 0))
        draft = self._series.fetch(job["source"], _request(job), on_page)
        draft = calendars.with_calendar(draft, job.get("calendar"))
        self._limits.check_rows(len(draft))
        on_step(len(draft), 0)  # The last moment to cancel: from here on something is kept.
        if job["review"] and not self._candles.inspect(draft).clean:
            return self._drafts.put(draft)
        saved = self._candles.keep(draft, job["repair"], job.get("fixes", ()), job.get("resample"))
        return self._drafts.put(draft, saved.id) if job["review"] else saved.id


class FetchLimits:
    """How many candles a fetch may bring, and how long it may take."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def on_page(self, report: Callable[[int], None]) -> OnPage:
        """Return what is to be called after each page: it reports the count, and raises beyond a limit."""
        end = time.monotonic() + 60 * self._settings.fetch_minutes

        def on_page(count: int) -> None:
            report(count)
            self.check_rows(count)
            if time.monotonic() > end:
                raise Unavailable(
                    "fetch_too_slow",
                    text(
                        "The fetch took longer than {minutes} minutes and was stopped after {count} candles.",
                        minutes=self._settings.fetch_minutes,
                        count=count,
                    ),
                    text("Ask for a shorter range or a longer interval; KRONOS_FETCH_MINUTES sets the limit."),
                )

        return on_page

    def check_rows(self, count: int) -> None:
        """Raise `TooLarge` for more candles than allowed."""
        if count > self._settings.max_rows:
            raise TooLarge(
                "too_many_candles",
                text("The range has more than {limit} candles.", limit=self._settings.max_rows),
                text("Ask for a shorter range or a longer interval; KRONOS_MAX_ROWS sets the limit."),
            )


def _request(job: Mapping[str, Any]) -> FetchRequest:
    start, end = (job[name] and datetime.fromisoformat(job[name]) for name in ("start", "end"))
    return FetchRequest(job["symbol"], job["interval"], start, end, job["options"])


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
