"""Stored series and watchlists: list, refresh, export, delete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING, Literal

from pydantic import TypeAdapter

from kronos_app.data.export import safe_csv
from kronos_app.data.source import LONGEST_SYMBOL, FetchRequest, OnPage
from kronos_app.errors import InvalidInput, NotFound, require
from kronos_app.i18n import text
from kronos_app.services.candles.candle_merging import to_draft
from kronos_app.services.candles.series_fetching import MB
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
ENTRIES = TypeAdapter(list[Watched])
"""Converts entries of a job to JSON-ready lists and back."""
ExportFormat = Literal["parquet", "csv"]
FORMATS: tuple[ExportFormat, ...] = ("parquet", "csv")
Infos = list[SeriesInfo]
Lists = list[Watchlist]

LONGEST_NAME, MOST_LISTS, MOST_ENTRIES = 60, 100, 500


@dataclass(frozen=True)
class StoreSize:
    """Size of all stored series before the database compresses them, and its limit, in bytes."""

    bytes: int
    limit: int


@dataclass(frozen=True)
class SeriesService:
    """Stored series and watchlists; thread-safe. Methods with a key raise `NotFound` where no series has it."""

    settings: Settings
    store: Store
    fetcher: SeriesFetcher
    sources: Sources
    jobs: JobRunner

    def fetch(self, source: str, request: FetchRequest, on_page: OnPage | None = None) -> Draft:
        """Return the requested candles from the store, after fetching what is missing; see `SeriesFetcher.fetch`."""
        return self.fetcher.fetch(source, request, on_page)

    def list(self) -> Infos:
        """Return all series, by key."""
        return self.store.series.list()

    def get(self, key: SeriesKey) -> SeriesInfo:
        """Return the description of a series."""
        info = self.store.series.get(key)
        if info is None:
            raise _not_found(key)
        return info

    def read(
        self, key: SeriesKey, start: datetime | None = None, end: datetime | None = None, *, last: int | None = None
    ) -> CandleFrame:
        """Return stored candles; parameters as of `Series.read`. Raises `NotFound` also for an empty range."""
        candles = self.store.series.read(key, start, end, last=last)
        if candles is None:
            raise _not_found(key)
        self.store.series.update(key, used=now())
        return candles

    def draft(self, key: SeriesKey, *, last: int | None = None) -> Draft:
        """Return candles of a series as a draft, to be inspected, repaired and saved as a data set."""
        most = self.settings.max_rows
        return to_draft(self.read(key, last=most if last is None else min(last, most)))

    def delete(self, key: SeriesKey) -> None:
        """Delete a series, not the data sets made from it; an unknown key is no error."""
        self.store.series.delete(key)

    def size(self) -> StoreSize:
        """Return the size of all series."""
        return StoreSize(self.store.series.size_bytes(), self.settings.store_mb * MB)

    def file_name(self, key: SeriesKey, form: ExportFormat) -> str:
        """Return a file name for the candles of a series."""
        name = "_".join(filter(None, (key.symbol, key.interval, key.adjustment)))
        return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name) + f".{form}"

    def export(self, key: SeriesKey, form: ExportFormat) -> tuple[str, bytes]:
        """Return the name and the content of a file with all candles of a series, times in UTC."""
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
        """Queue a refresh of series, by default all stored ones, and return the id of the job.

        Raises `InvalidInput` where there are none, `Conflict` where too many jobs are queued.
        """
        chosen = [info.key for info in self.list()] if entries is None else list(entries)
        if not chosen:
            raise InvalidInput(
                "nothing_to_refresh",
                text("There is no series to refresh."),
                text("Fetch candles first, or add a series to a watchlist."),
            )
        watched = [as_entry(self.get(entry)) if isinstance(entry, SeriesKey) else entry for entry in chosen]
        for entry in watched:
            self.sources.family(entry.source)
        return self.jobs.submit(KIND, {"entries": ENTRIES.dump_python(watched, mode="json")}).id

    def watchlists(self) -> Lists:
        """Return all watchlists, by name."""
        return self.store.watchlists.list()

    def watchlist(self, name: str) -> Watchlist:
        """Return a watchlist; raise `NotFound` for an unknown name."""
        return require(
            self.store.watchlists.get(name),
            "watchlist_not_found",
            text("There is no watchlist “{name}”.", name=name[:LONGEST_NAME]),
            text("It may have been deleted; create it again."),
        )

    def save_watchlist(self, name: str, entries: Sequence[Watched]) -> Watchlist:
        """Save a watchlist, replacing one of the same name; duplicate entries are removed.

        Raises `InvalidInput` for a missing or too long name, too many lists or entries, or an entry without symbol or
        interval, and `NotFound` for an unknown source.
        """
        name = " ".join(name.split())
        present = {watchlist.name: watchlist for watchlist in self.watchlists()}
        if not name or len(name) > LONGEST_NAME:
            raise InvalidInput(
                "watchlist_name",
                text("A watchlist needs a name of at most {limit} characters.", limit=LONGEST_NAME),
                text("Choose another name."),
            )
        if len(entries) > MOST_ENTRIES or len({*present, name}) > MOST_LISTS:
            raise InvalidInput(
                "watchlist_too_long",
                text("The limit is {lists} watchlists with {entries} series each.",
                     lists=MOST_LISTS, entries=MOST_ENTRIES),
                text("Delete what you no longer watch."),
            )  # fmt: skip
        unique: list[Watched] = []
        for entry in map(self._checked, entries):
            if entry not in unique:
                unique.append(entry)
        watchlist = Watchlist(name, tuple(unique), present[name].created if name in present else now())
        self.store.watchlists.put(watchlist)
        return watchlist

    def _checked(self, entry: Watched) -> Watched:
        symbol, interval = entry.symbol.strip(), entry.interval.strip()
        if not symbol or not interval or len(symbol) > LONGEST_SYMBOL:
            raise InvalidInput(
                "no_symbol",
                text("An entry of a watchlist needs a symbol and an interval."),
                text("Enter both as the source writes them, such as AAPL and 1d."),
            )
        self.sources.family(entry.source)
        return replace(entry, symbol=symbol, interval=interval)

    def delete_watchlist(self, name: str) -> None:
        """Delete a watchlist, not its series; an unknown name is no error."""
        self.store.watchlists.delete(name)

    def stored(self, entry: Watched, among: Sequence[SeriesInfo] | None = None) -> SeriesInfo | None:
        """Return the stored series of a watchlist entry, None if there is none; `among` saves reading the list."""
        return self.fetcher.known(entry.source, request_of(entry), among)


def as_entry(info: SeriesInfo) -> Watched:
    """Return a stored series as an entry of a watchlist."""
    return Watched(info.key.source, info.key.symbol, info.key.interval, info.state.options)


def request_of(entry: Watched) -> FetchRequest:
    """Return the request, without a range, of a watchlist entry."""
    return FetchRequest(entry.symbol, entry.interval, options=entry.options)


def _not_found(key: SeriesKey) -> NotFound:
    return NotFound(
        "series_not_found",
        text("No candles of {symbol} ({source}, {interval}) are stored.",
             symbol=key.symbol[:LONGEST_SYMBOL], source=key.source[:50], interval=key.interval[:20]),
        text("Fetch them first, or choose a stored series."),
    )  # fmt: skip
