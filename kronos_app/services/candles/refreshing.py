"""Jobs that refresh stored and watched series."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from kronos_app.data.source import OnPage
from kronos_app.errors import AppError, Unavailable
from kronos_app.i18n import text
from kronos_app.services.candles.fetch_limits import FetchLimits
from kronos_app.services.candles.series import ENTRIES, request_of
from kronos_app.store.records import now
from kronos_app.store.watchlists import Watched

if TYPE_CHECKING:
    from kronos_app.services.candles.series_fetching import SeriesFetcher
    from kronos_app.services.candles.sources import Sources
    from kronos_app.settings import Settings
    from kronos_app.store import Store

FIRST_CANDLES, FIRST_DAYS = 2_000, 30  # fetched of a watched series that is not stored yet
MOST_FAILURES = 2  # consecutive ones, after which a source is not contacted again in the same job
SHOWN_FAILURES = 3


@dataclass(frozen=True)
class RefreshWorker:
    """Runs the jobs that `SeriesService.refresh` queued."""

    settings: Settings
    store: Store
    fetcher: SeriesFetcher
    sources: Sources
    clock: Callable[[], datetime] = now

    def run(self, job: Mapping[str, Any], on_step: Callable[[int, int], None]) -> str:
        """Refresh the series one after the other, and return how many; `on_step` may raise to cancel.

        Raises `AppError` with the code `refresh_incomplete`, after all others are done, where some could not be
        refreshed.
        """
        limits = FetchLimits(self.settings)
        entries = ENTRIES.validate_python(job["entries"])
        failures: list[tuple[Watched, AppError]] = []
        unavailable: dict[str, int] = {}
        for done, entry in enumerate(entries):

            def report(_count: int, done: int = done) -> None:
                on_step(done, len(entries))

            report(0)
            if unavailable.get(entry.source, 0) >= MOST_FAILURES:
                failures.append((entry, next(error for other, error in failures[::-1] if other.source == entry.source)))
                continue
            try:
                self._refresh(entry, limits.on_page(report))
                unavailable[entry.source] = 0
            except AppError as error:
                failures.append((entry, error))
                unavailable[entry.source] = unavailable.get(entry.source, 0) + isinstance(error, Unavailable)
                info = self.fetcher.known(entry.source, request_of(entry))
                if info is not None:
                    self.store.series.update(info.key, error=error.to_dict())
        on_step(len(entries), len(entries))
        if failures:
            raise _incomplete(failures, len(entries))
        return str(len(entries))

    def _refresh(self, entry: Watched, on_page: OnPage) -> None:
        request = request_of(entry)
        info = self.fetcher.known(entry.source, request)
        start = self._first_start(entry) if info is None else info.last.to_pydatetime(warn=False)
        self.fetcher.refresh(entry.source, replace(request, start=start), on_page)

    def _first_start(self, entry: Watched) -> datetime | None:
        """Return the start of the first fetch of a series; None, the earliest, for an unknown interval."""
        intervals = {interval.key: interval for interval in self.sources.get(entry.source).intervals()}
        interval = intervals.get(entry.interval)
        if interval is None:
            return None
        reach = max(FIRST_CANDLES * interval.length, timedelta(days=FIRST_DAYS))
        if interval.reach is not None:
            reach = min(reach, interval.reach - timedelta(days=1))
        return self.clock() - reach


def _incomplete(failures: Sequence[tuple[Watched, AppError]], total: int) -> AppError:
    if total == 1:
        return failures[0][1]
    reasons = text("")
    for entry, error in failures[:SHOWN_FAILURES]:
        reasons += text("{symbol}: {reason}", symbol=entry.symbol, reason=error.message)
    return Unavailable(
        "refresh_incomplete",
        text("{failed} of {total} series could not be refreshed. {reasons}",
             failed=len(failures), total=total, reasons=reasons),
        failures[0][1].hint,
    )  # fmt: skip
