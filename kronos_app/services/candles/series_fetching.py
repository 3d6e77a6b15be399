"""Fetches candles into the store: only what is missing, and stored candles beside it to detect revisions."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

from kronos_app.data import revision
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.data.coverage import Range, to_ns, to_time, union
from kronos_app.data.draft import Draft, Finding
from kronos_app.data.source import FetchRequest, OnPage
from kronos_app.data.source_messages import no_candles_in_range
from kronos_app.errors import AppError, InvalidInput, NotFound
from kronos_app.services.candles import fetch_notes as notes
from kronos_app.services.candles.candle_merging import replace_candles, to_candles, to_draft
from kronos_app.services.candles.range_planning import (
    covered_range,
    local_bound,
    plan_ranges,
    plan_requests,
    requested_range,
)
from kronos_app.store.records import now
from kronos_app.store.series import SeriesInfo, SeriesKey, SeriesState

if TYPE_CHECKING:
    from kronos_app.data.source import CandleSource
    from kronos_app.services.candles.sources import Sources
    from kronos_app.settings import Settings
    from kronos_app.store import Store

UNSETTLED = 2  # latest candles of a series that late trades may still change
MOST_REQUEST_KEYS = 20
MB = 10**6

NoCandles = (InvalidInput, NotFound)
"""Errors of a source that answers without candles: the stored candles are then all there are."""


@dataclass(frozen=True)
class SeriesFetcher:
    """Fetches candles from sources through the store; thread-safe. `clock` returns the present in UTC."""

    settings: Settings
    store: Store
    sources: Sources
    clock: Callable[[], datetime] = now
    writing: Lock = field(default_factory=Lock, init=False)

    def fetch(self, source: str, request: FetchRequest, on_page: OnPage | None = None) -> Draft:
        """Return the requested candles from the store, after fetching what is missing.

        `on_page` is called after each page with the number of candles so far; it may raise to cancel. Errors are those
        of the source, raised where the store has no candles of the range or the source does not answer.
        """
        return _Fetch(self, self.sources.get(source), request, on_page).run()

    def refresh(self, source: str, request: FetchRequest, on_page: OnPage | None = None) -> None:
        """Store what is missing of a range; parameters and errors are those of `fetch`."""
        _Fetch(self, self.sources.get(source), request, on_page).refresh()

    def known(self, source: str, request: FetchRequest, among: Sequence[SeriesInfo] | None = None) -> SeriesInfo | None:
        """Return the stored series of a request, None before its first fetch; `among` avoids reading the list."""
        key = request_key(request)
        infos = self.store.series.list() if among is None else among
        return next((info for info in infos if info.key.source == source and key in info.state.asked), None)


@dataclass(frozen=True)
class _Answer:
    """A request and the candles that the source returned."""

    request: FetchRequest
    draft: Draft
    candles: CandleFrame


class _Fetch:
    """One request in progress."""

    def __init__(
        self, fetcher: SeriesFetcher, source: CandleSource, request: FetchRequest, on_page: OnPage | None
    ) -> None:
        self._settings, self._series = fetcher.settings, fetcher.store.series
        self._source, self._request, self._on_page = source, request, on_page
        self._writing = fetcher.writing
        self._now = fetcher.clock()
        self._info = fetcher.known(source.key, request)
        self._findings: list[Finding] = []
        self._refusal: AppError | None = None
        self._fetched: int | None = None

    def run(self) -> Draft:
        """Return the requested candles."""
        stored_before = self._info is not None
        info = self.refresh()
        self._series.update(info.key, used=self._now)
        start, end = (local_bound(moment, info) for moment in (self._request.start, self._request.end))
        candles = self._series.read(info.key, start, end, last=self._settings.max_rows if start is None else None)
        if candles is None:
            raise self._refusal or no_candles_in_range(self._source.title, self._request)
        if stored_before:
            self._findings.append(notes.from_store(self._fetched))
        self._findings += notes.range_begins_later(self._findings, info, self._request.start)
        return to_draft(candles, self._findings)

    def refresh(self) -> SeriesInfo:
        """Store what is missing, and return the series."""
        for range_ in plan_ranges(self._info, self._request, self._now, self._edge):
            if self._fetch_range(range_):
                break  # everything was fetched again
        if self._info is None:
            raise self._refusal or no_candles_in_range(self._source.title, self._request)
        self._series.evict(self._settings.store_mb * MB, keep=[self._info.key])
        return self._info

    def _edge(self, moment: int, count: int) -> int | None:
        return None if self._info is None else self._series.edge(self._info.key, moment, count)

    def _fetch_range(self, range_: Range) -> bool:
        """Fetch and store a range; return whether the vendor had revised candles and all were fetched again."""
        attempts = [self._request] if self._info is None else plan_requests(self._request, range_, self._now)
        for request in attempts:
            try:
                answer = self._ask(request)
            except NoCandles as error:
                if self._info is None:
                    raise
                self._refusal = error
                continue
            return self._merge_candles(answer)
        assert self._refusal is not None
        self._use_stored(range_, self._refusal)
        return False

    def _ask(self, request: FetchRequest) -> _Answer:
        self._fetched = self._fetched or 0
        draft = self._source.fetch(request, self._on_page)
        self._fetched += len(draft)
        self._findings += [replace(finding, rows=()) for finding in draft.findings]
        return _Answer(request, draft, to_candles(draft, request))

    def _merge_candles(self, answer: _Answer) -> bool:
        key = series_key(self._source.key, answer.request, answer.candles)
        with self._writing:
            info = self._series.get(key)
            change = None if info is None else self._find_revision(info, answer.candles)
            if change is None:
                self._info = self._series.merge(key, answer.candles, state=self._state(info, [answer]))
                return False
        assert info is not None
        self._fetch_all_again(info, change, answer)
        return True

    def _find_revision(self, info: SeriesInfo, candles: CandleFrame) -> revision.Revision | None:
        first, last = (candles.utc[place].to_pydatetime(warn=False) for place in (0, -1))
        stored = self._series.read(info.key, first, last + timedelta(microseconds=1))
        settled = self._series.edge(info.key, to_ns(info.last) + 1, -UNSETTLED)
        return None if stored is None or settled is None else revision.find(stored, candles, settled)

    def _fetch_all_again(self, info: SeriesInfo, change: revision.Revision, first: _Answer) -> None:
        """Fetch every covered and requested range, and replace the stored candles."""
        answers = [first]
        requested = requested_range(self._request, self._now)
        ranges = union([*info.state.covered, requested, self._covered(first)])
        for start, end in ranges:
            latest = end >= ranges[-1][1]
            request = replace(self._request, start=to_time(start), end=None if latest else to_time(end))
            for attempt in (request, replace(request, start=None)):
                try:
                    answers.append(self._ask(attempt))
                except InvalidInput:  # The vendor does not reach back so far any more.
                    continue
                except NotFound:
                    pass
                break
        with self._writing:
            stored = self._series.read(info.key)
            assert stored is not None
            whole, old, factor = replace_candles(stored, [answer.candles for answer in answers])
            note = notes.revision_note(self._now, self._source.title, change, len(whole), old, factor)
            state = replace(self._state(info, answers), note=note)
            self._info = self._series.merge(info.key, whole, answers[-1].candles.about, state=state, replace=True)
        self._findings.append(Finding("revised", "warning", note))

    def _state(self, info: SeriesInfo | None, answers: Sequence[_Answer]) -> SeriesState:
        state = SeriesState(options=self._request.options) if info is None else info.state
        about = answers[-1].candles.about
        key = request_key(self._request)
        canonical = request_key(replace(self._request, symbol=str(about.symbol), interval=str(about.interval)))
        earlier = [asked for asked in state.asked if asked not in (key, canonical)]
        return replace(
            state,
            covered=tuple(union([*state.covered, *map(self._covered, answers)])),
            complete=state.complete or any(answer.request.start is None for answer in answers),
            asked=tuple([*dict.fromkeys((canonical, key)), *earlier][:MOST_REQUEST_KEYS]),
            error=None,
            checked=self._now,
        )

    def _covered(self, answer: _Answer) -> Range:
        return covered_range(answer.request, answer.draft, answer.candles, self._now)

    def _use_stored(self, range_: Range, error: AppError) -> None:
        """Fall back to the stored candles and add a finding; a range before the first candle counts as covered."""
        assert self._info is not None
        info = self._series.get(self._info.key)
        if info is None:
            raise error
        if range_[0] < to_ns(info.first):
            covered = union([*info.state.covered, (range_[0], min(range_[1], to_ns(info.first)))])
            complete = info.state.complete or self._request.start is None
            self._series.update(info.key, covered=tuple(covered), complete=complete)
            return
        self._findings.append(notes.stored_only(error.message))


def request_key(request: FetchRequest) -> str:
    """Return a request without its range as one string."""
    return json.dumps([request.symbol, request.interval, sorted(request.options.items())], ensure_ascii=False)


def series_key(source: str, request: FetchRequest, candles: CandleFrame) -> SeriesKey:
    """Return the key under which an answer is stored."""
    about = candles.about
    adjustment = about.adjustment or request.options.get("adjustment", "")
    return SeriesKey(source, about.symbol or request.symbol, about.interval or request.interval, adjustment)
