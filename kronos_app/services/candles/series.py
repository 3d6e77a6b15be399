"""Stored series and watchlists, for pages and API: what there is, keeping it up to date, taking it elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

from kronos_app.data.export import safe_csv
from kronos_app.data.source import LONGEST_SYMBOL, FetchRequest, OnPage
from kronos_app.errors import AppError, InvalidInput, NotFound, Unavailable
from kronos_app.i18n import text
from kronos_app.services.candles.fetch_limits import FetchLimits
from kronos_app.services.candles.series_fetching import MB, to_draft
from kronos_app.store.records import now
from kronos_app.store.series import SeriesInfo, SeriesKey
from kronos_app.store.watchlists import Watched, Watchlist

if TYPE_CHECKING:
    from kronos_app.data.candle_frame import CandleFrame
    from kronos_app.data.draft import Draft
    from kronos_app.jobs import JobRunner
    from kronos_app.services.candles.series_fetching import SeriesFetcher
    from kronos_app.services.candles.sources import Sources
    from kronos_app.settings import Settings
    from kronos_app.store import Store

KIND = "refresh"
OnStep = Callable[[int, int], None]
ExportFormat = Literal["parquet", "csv"]
FORMATS: tuple[ExportFormat, ...] = ("parquet", "csv")
Infos = list[SeriesInfo]
Lists = list[Watchlist]

# What a series that is watched and not stored yet begins with.
FIRST_CANDLES, FIRST_DAYS = 2_000, 30
# Of a source that does not answer, no more is asked.
MOST_SILENCES = 2
LONGEST_NAME, MOST_LISTS, MOST_ENTRIES = 60, 100, 500
SHOWN_FAILURES = 3


@dataclass(frozen=True)
class StoreSize:
    """What stored series take before the database compresses them, and what they may take."""

    bytes: int
    limit: int


class SeriesService:
    """Stored series; every thread may use it."""

    def __init__(
        self, settings: Settings, store: Store, fetcher: SeriesFetcher, sources: Sources, jobs: JobRunner
    ) -> None:
        self._settings = settings
        self._store = store
        self._fetcher = fetcher
        self._sources = sources
        self._jobs = jobs

    def fetch(self, source: str, request: FetchRequest, on_page: OnPage | None = None) -> Draft:
        """Return the candles asked for, out of the store, after what it lacked of them was fetched.

        Raises
        ------
        InvalidInput, NotFound, Unavailable
            As the source, where the store has nothing of the range or the source does not answer.
        """
        return self._fetcher.fetch(source, request, on_page)

    def list(self) -> Infos:
        """Return all series, by key."""
        return self._store.series.list()

    def get(self, key: SeriesKey) -> SeriesInfo:
        """Return what is known of a series.

        Raises
        ------
        NotFound
            There is none of this key.
        """
        info = self._store.series.get(key)
        if info is None:
            raise _not_found(key)
        return info

    def read(
        self, key: SeriesKey, start: datetime | None = None, end: datetime | None = None, *, last: int | None = None
    ) -> CandleFrame:
        """Return candles of a series as they are stored; the parameters are those of `Series.read`.

        Raises
        ------
        NotFound
            There is none of this key, or no candle in the range.
        """
        candles = self._store.series.read(key, start, end, last=last)
        if candles is None:
            raise _not_found(key)
        self._store.series.update(key, used=now())
        return candles

    def draft(self, key: SeriesKey, *, last: int | None = None) -> Draft:
        """Return candles of a series to be looked at, repaired and kept as a data set.

        Raises
        ------
        NotFound
            There is none of this key.
        """
        most = self._settings.max_rows
        return to_draft(self.read(key, last=most if last is None else min(last, most)))

    def delete(self, key: SeriesKey) -> None:
        """Forget a series; data sets made from it stay. An unknown key is no error."""
        self._store.series.delete(key)

    def size(self) -> StoreSize:
        """Return what all series take."""
        return StoreSize(self._store.series.size_bytes(), self._settings.store_mb * MB)

    def file_name(self, key: SeriesKey, form: ExportFormat) -> str:
        """Return the name of a file with the candles of a series."""
        name = "_".join(filter(None, (key.symbol, key.interval, key.adjustment)))
        return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name) + f".{form}"

    def export(self, key: SeriesKey, form: ExportFormat) -> tuple[str, bytes]:
        """Return a name and the bytes of a file with all candles of a series, times in UTC.

        Raises
        ------
        NotFound
            There is none of this key.
        """
        candles = self.read(key)
        frame = candles.frame.assign(timestamp=candles.utc)
        name = self.file_name(key, form)
        if form == "csv":
            times = candles.utc.strftime("%Y-%m-%dT%H:%M:%SZ")
            return name, safe_csv(frame.assign(timestamp=times)).encode()
        buffer = BytesIO()
        frame.to_parquet(buffer, index=False)
        return name, buffer.getvalue()

    def refresh(self, entries: Sequence[Watched | SeriesKey] | None = None) -> str:
        """Queue bringing series up to date, all stored ones by default; return the id of the job.

        Raises
        ------
        InvalidInput
            There is nothing to do.
        NotFound
            A series is not stored, or a source is none.
        Conflict
            Too many jobs wait already.
        """
        chosen = [info.key for info in self.list()] if entries is None else list(entries)
        if not chosen:
            raise InvalidInput(
                "nothing_to_refresh",
                text("There is no series to bring up to date."),
                text("Fetch candles first, or put a series on a watchlist."),
            )
        watched = [self._watched(entry) if isinstance(entry, SeriesKey) else entry for entry in chosen]
        for one in watched:
            self._sources.family(one.source)
        return self._jobs.submit(KIND, {"entries": [_entry(one) for one in watched]}).id

    def watchlists(self) -> Lists:
        """Return all watchlists, by name."""
        return self._store.watchlists.list()

    def watchlist(self, name: str) -> Watchlist:
        """Return a watchlist.

        Raises
        ------
        NotFound
            There is none of this name.
        """
        found = self._store.watchlists.get(name)
        if found is None:
            raise NotFound(
                "watchlist_not_found",
                text("There is no watchlist “{name}”.", name=name[:LONGEST_NAME]),
                text("It may have been deleted; make it again."),
            )
        return found

    def save_watchlist(self, name: str, entries: Sequence[Watched]) -> Watchlist:
        """Keep a watchlist, in place of one of the same name; what is on it twice is once.

        Raises
        ------
        InvalidInput
            No name or one that is too long, too many lists or entries, an entry without a symbol.
        NotFound
            An entry's source is none.
        """
        name = " ".join(name.split())
        present = {one.name: one for one in self.watchlists()}
        if not name or len(name) > LONGEST_NAME:
            raise InvalidInput(
                "watchlist_name",
                text("A watchlist needs a name of at most {limit} characters.", limit=LONGEST_NAME),
                text("Choose another name."),
            )
        if len(entries) > MOST_ENTRIES or len({*present, name}) > MOST_LISTS:
            raise InvalidInput(
                "watchlist_too_long",
                text("There may be {lists} watchlists with {entries} series each.",
                     lists=MOST_LISTS, entries=MOST_ENTRIES),
                text("Delete what is no longer watched."),
            )  # fmt: skip
        unique: list[Watched] = []
        for entry in entries:
            symbol, interval = entry.symbol.strip(), entry.interval.strip()
            if not symbol or not interval or len(symbol) > LONGEST_SYMBOL:
                raise InvalidInput(
                    "no_symbol",
                    text("An entry of a watchlist needs a symbol and an interval."),
                    text("State both as the source writes them, such as AAPL and 1d."),
                )
            self._sources.family(entry.source)
            one = replace(entry, symbol=symbol, interval=interval)
            if one not in unique:
                unique.append(one)
        kept = Watchlist(name, tuple(unique), present[name].created if name in present else now())
        self._store.watchlists.put(kept)
        return kept

    def delete_watchlist(self, name: str) -> None:
        """Forget a watchlist, not what is on it; an unknown name is no error."""
        self._store.watchlists.delete(name)

    def stored(self, entry: Watched, among: Sequence[SeriesInfo] | None = None) -> SeriesInfo | None:
        """Return the series that an entry of a watchlist leads to, None while it is not stored.

        Parameters
        ----------
        among
            What `list` returned, where several entries are asked for.
        """
        request = FetchRequest(entry.symbol, entry.interval, options=entry.options)
        return self._fetcher.known(entry.source, request, among)

    def _watched(self, key: SeriesKey) -> Watched:
        return watched(self.get(key))


class RefreshWorker:
    """Brings the series up to date that `SeriesService.refresh` queued, one after the other."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        fetcher: SeriesFetcher,
        sources: Sources,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._limits = FetchLimits(settings)
        self._store = store
        self._fetcher = fetcher
        self._sources = sources
        self._clock = clock

    def run(self, job: Mapping[str, Any], on_step: OnStep) -> str:
        """Do it, and return how many are up to date; `on_step` may raise to cancel.

        Raises
        ------
        AppError
            `refresh_incomplete`, when all others are done: some could not be brought up to date.
        """
        entries = [Watched(**entry) for entry in job["entries"]]
        failures: list[tuple[Watched, AppError]] = []
        silences: dict[str, int] = {}
        for done, entry in enumerate(entries):
            on_step(done, len(entries))
            if silences.get(entry.source, 0) >= MOST_SILENCES:
                failures.append((entry, next(error for other, error in failures[::-1] if other.source == entry.source)))
                continue
            try:
                self._refresh(entry, self._limits.on_page(_counting(done, len(entries), on_step)))
                silences[entry.source] = 0
            except AppError as error:
                failures.append((entry, error))
                silences[entry.source] = silences.get(entry.source, 0) + isinstance(error, Unavailable)
                self._note(entry, error)
        on_step(len(entries), len(entries))
        if failures:
            raise _incomplete(failures, len(entries))
        return str(len(entries))

    def _refresh(self, entry: Watched, on_page: OnPage) -> None:
        request = FetchRequest(entry.symbol, entry.interval, options=entry.options)
        info = self._fetcher.known(entry.source, request)
        start = self._first(entry) if info is None else info.last.to_pydatetime(warn=False)
        self._fetcher.refresh(entry.source, replace(request, start=start), on_page)

    def _first(self, entry: Watched) -> datetime | None:
        intervals = {one.key: one for one in self._sources.get(entry.source).intervals()}
        interval = intervals.get(entry.interval)
        if interval is None:
            return None
        reach = max(FIRST_CANDLES * interval.length, timedelta(days=FIRST_DAYS))
        if interval.reach is not None:
            reach = min(reach, interval.reach - timedelta(days=1))
        return self._clock() - reach

    def _note(self, entry: Watched, error: AppError) -> None:
        request = FetchRequest(entry.symbol, entry.interval, options=entry.options)
        info = self._fetcher.known(entry.source, request)
        if info is not None:
            self._store.series.update(info.key, error=error.to_dict())


def _counting(done: int, total: int, on_step: OnStep) -> Callable[[int], None]:
    """Return what a page is reported to: series are counted, and each page is a moment to cancel."""
    return lambda _count: on_step(done, total)


def watched(info: SeriesInfo) -> Watched:
    """Return a stored series as an entry of a watchlist."""
    return Watched(info.key.source, info.key.symbol, info.key.interval, info.state.options)


def _entry(one: Watched) -> dict[str, Any]:
    return asdict(one) | {"options": dict(one.options)}


def _not_found(key: SeriesKey) -> NotFound:
    return NotFound(
        "series_not_found",
        text("No candles of {symbol} ({source}, {interval}) are stored.",
             symbol=key.symbol[:LONGEST_SYMBOL], source=key.source[:50], interval=key.interval[:20]),
        text("Fetch them first; the list of stored series shows what there is."),
    )  # fmt: skip


def _incomplete(failures: Sequence[tuple[Watched, AppError]], total: int) -> AppError:
    if total == 1:
        return failures[0][1]
    reasons = text("")
    for entry, error in failures[:SHOWN_FAILURES]:
        reason = text("{symbol}: {reason}", symbol=entry.symbol, reason=error.message)
        reasons = reason if not reasons.msgid else text("{one} {other}", one=reasons, other=reason)
    return Unavailable(
        "refresh_incomplete",
        text("{failed} of {total} series could not be brought up to date. {reasons}",
             failed=len(failures), total=total, reasons=reasons),
        failures[0][1].hint,
    )  # fmt: skip
