"""The job that fetches candles from a market source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kronos_app.data import calendars
from kronos_app.data.source import FetchRequest
from kronos_app.services.candles.fetch_limits import FetchLimits

if TYPE_CHECKING:
    from kronos_app.services.candles.fetched import FetchedDrafts
    from kronos_app.services.candles.series_fetching import SeriesFetcher
    from kronos_app.services.candles.service import CandleService
    from kronos_app.settings import Settings


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


def _request(job: Mapping[str, Any]) -> FetchRequest:
    start, end = (job[name] and datetime.fromisoformat(job[name]) for name in ("start", "end"))
    return FetchRequest(job["symbol"], job["interval"], start, end, job["options"])
