"""Candles from market sources, for pages and API: what there is to ask for, and the job that is queued for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kronos_app.data import calendars
from kronos_app.data.checks.fixes import check
from kronos_app.data.source import LONGEST_SYMBOL, FetchRequest, Instrument, Interval
from kronos_app.data.sources import SourceFamily
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text
from kronos_app.services.candles.fetched import FetchedDrafts
from kronos_app.services.candles.folders import FolderService

if TYPE_CHECKING:
    from kronos_app.data.draft import Draft
    from kronos_app.jobs import JobRunner
    from kronos_app.services.candles.sources import Sources

KIND = "fetch"


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


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
