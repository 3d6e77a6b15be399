"""The newest candles of a followed series."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from kronos_app.data.source import FetchRequest, Interval
from kronos_app.store.ledger import Follow
from kronos_app.store.records import now

if TYPE_CHECKING:
    from kronos_app.data.draft import Draft
    from kronos_app.services.candles.series_fetching import SeriesFetcher
    from kronos_app.services.candles.sources import Sources

DAY = timedelta(days=1)
# So much longer than its candles together a stretch of the calendar is at a market with nights and weekends.
SESSIONS, WEEKENDS, ROUND_THE_CLOCK = 7.0, 1.6, 1.02


class NewestCandles:
    """Brings a series up to date and returns as many of its newest candles as are wanted."""

    def __init__(self, fetcher: SeriesFetcher, sources: Sources, clock: Callable[[], datetime] = now) -> None:
        self._fetcher = fetcher
        self._sources = sources
        self._clock = clock

    def __call__(self, follow: Follow, rows: int, on_page: Callable[[int], None]) -> Draft:
        """Return the newest candles that have ended, about `rows` of them; `on_page` may raise to cancel.

        Raises
        ------
        InvalidInput, NotFound, Unavailable
            As the source does.
        """
        intervals = self._sources.get(follow.source).intervals()
        interval = next((one for one in intervals if one.key == follow.interval), None)
        start = None if interval is None else self._start(follow.source, interval, rows)
        request = FetchRequest(follow.symbol, follow.interval, start, None, follow.options)
        return self._fetcher.fetch(follow.source, request, on_page)

    def _start(self, source: str, interval: Interval, rows: int) -> datetime:
        always = self._sources.family(source).key == "exchange"
        factor = ROUND_THE_CLOCK if always else SESSIONS if interval.length < DAY else WEEKENDS
        reach = rows * interval.length * factor
        if interval.reach is not None:
            reach = min(reach, interval.reach - DAY)
        return self._clock() - reach
