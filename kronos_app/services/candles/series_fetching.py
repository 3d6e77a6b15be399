"""Fetching into the store: only what is missing, and a stretch beside it again to notice what the vendor changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kronos_app.data import revision
from kronos_app.data.candle_frame import FEATURES, CandleFrame
from kronos_app.data.coverage import EARLIEST, Range, missing, to_ns, to_time, union
from kronos_app.data.draft import Draft, Finding
from kronos_app.data.source import FetchRequest, OnPage
from kronos_app.errors import AppError, InvalidInput, NotFound
from kronos_app.i18n import Text, text
from kronos_app.store.records import now
from kronos_app.store.series import SeriesInfo, SeriesKey, SeriesState

if TYPE_CHECKING:
    from kronos_app.data.source import CandleSource
    from kronos_app.services.candles.sources import Sources
    from kronos_app.settings import Settings
    from kronos_app.store import Store

# So many candles beside what is missing are read again.
REREAD = 10
# The last candles of a series were new when they were stored: trades reported late belong to them.
UNSETTLED = 2
# What was asked for counts as known, candles or not, once it is so long ago, and so many candles.
SETTLED, SETTLED_CANDLES = timedelta(days=3), 3
MOST_ASKED = 20
MB = 10**6

Refused = (InvalidInput, NotFound)
"""The source answers, but not with candles: what is stored is then all there is."""


class SeriesFetcher:
    """Fetches candles from sources by way of the store; every thread may use it.

    Parameters
    ----------
    clock
        The present, in UTC.
    """

    def __init__(self, settings: Settings, store: Store, sources: Sources, clock: Callable[[], datetime] = now) -> None:
        self._settings = settings
        self._store = store
        self._sources = sources
        self._clock = clock
        self._writing = Lock()

    def fetch(self, source: str, request: FetchRequest, on_page: OnPage | None = None) -> Draft:
        """Return the candles asked for, out of the store, after what it lacked of them was fetched.

        Parameters
        ----------
        on_page
            Called after each page with the number of candles so far; may raise to cancel. What was stored before stays.

        Raises
        ------
        InvalidInput, NotFound, Unavailable
            As the source, where the store has nothing of the range or the source does not answer.
        """
        work = _Fetch(self, self._sources.get(source), request, on_page)
        return work.run()

    def refresh(self, source: str, request: FetchRequest, on_page: OnPage | None = None) -> None:
        """Store what is missing of a range, without giving it out; the parameters are those of `fetch`.

        Raises
        ------
        InvalidInput, NotFound, Unavailable
            As the source, where the store has nothing of the series or the source does not answer.
        """
        _Fetch(self, self._sources.get(source), request, on_page).bring()

    def known(self, source: str, request: FetchRequest, among: Sequence[SeriesInfo] | None = None) -> SeriesInfo | None:
        """Return the series that a request leads to, None before it was fetched once; `among` saves reading all."""
        wanted = asked_as(request)
        return next(
            (
                info
                for info in (self._store.series.list() if among is None else among)
                if info.key.source == source and wanted in info.state.asked
            ),
            None,
        )


class _Fetch:
    """One request on its way."""

    def __init__(
        self, fetcher: SeriesFetcher, source: CandleSource, request: FetchRequest, on_page: OnPage | None
    ) -> None:
        self._settings, self._series = fetcher._settings, fetcher._store.series
        self._source, self._request, self._on_page = source, request, on_page
        self._writing = fetcher._writing
        self._now = fetcher._clock()
        self._info = fetcher.known(source.key, request)
        self._findings: list[Finding] = []
        self._refusal: AppError | None = None
        self._fetched = 0
        self._requests = 0
        end = to_ns(self._now) if request.end is None else min(to_ns(request.end), to_ns(self._now))
        self._wanted = (EARLIEST if request.start is None else to_ns(request.start), end)

    def run(self) -> Draft:
        before = self._info
        info = self.bring()
        self._series.update(info.key, used=self._now)
        return self._draft(info, known_before=before is not None)

    def bring(self) -> SeriesInfo:
        """Store what is missing, and return what there is then."""
        for piece in self._pieces():
            if self._piece(piece):
                break  # all was fetched anew
        if self._info is None:
            raise self._refusal or self._nothing()
        self._series.evict(self._settings.store_mb * MB, keep=[self._info.key])
        return self._info

    def _pieces(self) -> list[Range]:
        """Return the stretches to ask the source for."""
        start, end = self._wanted
        if self._info is None:
            return [(start, max(end, start + 1))]
        covered = self._info.state.covered
        if self._request.start is None and self._info.state.complete:
            start = min(covered[0][0], end)
        pieces = missing(covered, (start, end))
        return [wide for piece in pieces for wide in self._with_neighbours(piece, covered)]

    def _with_neighbours(self, piece: Range, covered: Sequence[Range]) -> list[Range]:
        """Return a stretch with some candles beside it that are known, or another of known candles where none are."""
        assert self._info is not None
        key, (start, end) = self._info.key, piece
        if any(stop == start for _, stop in covered) and (edge := self._series.edge(key, start, -REREAD)) is not None:
            start = edge
        if any(begin == end for begin, _ in covered):
            edge = self._series.edge(key, end, REREAD + 1)
            end = end if edge is None else max(end, edge)
        if (start, end) != piece:
            return [(start, end)]
        earlier = [stop for _, stop in covered if stop <= start]
        if earlier and (edge := self._series.edge(key, earlier[-1], -REREAD)) is not None:
            return [(edge, earlier[-1]), piece]
        later = [begin for begin, _ in covered if begin >= end]
        if later and (edge := self._series.edge(key, later[0], REREAD)) is not None:
            return [(later[0], edge + 1), piece]
        return [piece]

    def _piece(self, piece: Range) -> bool:
        """Fetch and keep a stretch; return whether everything was fetched anew on the way."""
        for request in self._attempts(piece):
            try:
                draft = self._ask(request)
            except Refused as error:
                if self._info is None:
                    raise
                self._refusal = error
                continue
            return self._keep(draft, request)
        assert self._refusal is not None
        self._give_up(piece, self._refusal)
        return False

    def _attempts(self, piece: Range) -> list[FetchRequest]:
        """Return what to ask for, in turn: with known candles, and without where they are out of the source's reach."""
        asked = self._request
        if self._info is None:
            return [asked]
        start, end = piece
        latest = asked.end is None and end >= to_ns(self._now)
        first = replace(asked, start=to_time(start), end=None if latest else to_time(end))
        return [first, replace(first, start=asked.start)] if latest and asked.start != first.start else [first]

    def _ask(self, request: FetchRequest) -> Draft:
        self._requests += 1
        draft = self._source.fetch(request, self._on_page)
        self._fetched += len(draft)
        self._findings += [replace(finding, rows=()) for finding in draft.findings]
        return draft

    def _keep(self, draft: Draft, request: FetchRequest) -> bool:
        candles = to_candles(draft, request)
        key = key_of(self._source.key, request, candles)
        with self._writing:
            info = self._series.get(key)
            change = None if info is None else self._revision(info, candles)
            if change is None:
                self._info = self._series.merge(key, candles, state=self._state(info, [(request, draft, candles)]))
                return False
        assert info is not None
        self._replace(info, change, (request, draft, candles))
        return True

    def _revision(self, info: SeriesInfo, candles: CandleFrame) -> revision.Revision | None:
        first, last = (candles.utc[place].to_pydatetime(warn=False) for place in (0, -1))
        stored = self._series.read(info.key, first, last + timedelta(microseconds=1))
        settled = self._series.edge(info.key, to_ns(info.last) + 1, -UNSETTLED)
        return None if stored is None or settled is None else revision.find(stored, candles, settled)

    def _replace(
        self, info: SeriesInfo, change: revision.Revision, first: tuple[FetchRequest, Draft, CandleFrame]
    ) -> None:
        """Fetch all that was ever asked for anew, and what is asked for now, in the place of what is stored."""
        answers = [first]
        spans = union([*info.state.covered, self._wanted, _reach(*first, self._now)])
        for start, end in spans:
            latest = end >= spans[-1][1]
            request = replace(self._request, start=to_time(start), end=None if latest else to_time(end))
            for attempt in (request, replace(request, start=None)):
                try:
                    draft = self._ask(attempt)
                except InvalidInput:  # The vendor does not reach back so far any more.
                    continue
                except NotFound:
                    break
                answers.append((attempt, draft, to_candles(draft, attempt)))
                break
        with self._writing:
            stored = self._series.read(info.key)
            assert stored is not None
            whole, older = _joined(stored, [candles for *_, candles in answers])
            note = self._note(change, len(whole), older)
            state = replace(self._state(info, answers), note=note)
            self._info = self._series.merge(info.key, whole, answers[-1][2].about, state=state, replace=True)
        self._findings.append(Finding("revised", "warning", note))

    def _note(self, change: revision.Revision, rows: int, older: tuple[int, float | None]) -> Text:
        day = f"{self._now:%Y-%m-%d}"
        note = text(
            "{day}: {source} had changed {changed} of {compared} candles that were read again, so all {rows} were"
            " replaced.",
            day=day, source=self._source.title, changed=change.changed, compared=change.compared, rows=rows - older[0],
        )  # fmt: skip
        count, factor = older
        if not count:
            return note
        if factor is None:
            left = text("{count} others, which it no longer has, were left as they were and may not fit.", count=count)
        elif abs(factor - 1) <= revision.SAME:
            left = text("{count} older ones, which it no longer has, fit and stay as they were.", count=count)
        else:
            left = text(
                "{count} older ones, which it no longer has, were multiplied by {factor} to fit.",
                count=count, factor=f"{factor:.6g}",
            )  # fmt: skip
        return text("{one} {other}", one=note, other=left)

    def _state(
        self, info: SeriesInfo | None, answers: Sequence[tuple[FetchRequest, Draft, CandleFrame]]
    ) -> SeriesState:
        state = SeriesState(options=self._request.options) if info is None else info.state
        canonical = answers[-1][2].about
        asked = asked_as(self._request)
        plain = asked_as(replace(self._request, symbol=str(canonical.symbol), interval=str(canonical.interval)))
        known = [one for one in state.asked if one not in (asked, plain)]
        return replace(
            state,
            covered=tuple(union([*state.covered, *(_reach(*answer, self._now) for answer in answers)])),
            complete=state.complete or any(request.start is None for request, *_ in answers),
            asked=tuple([*dict.fromkeys((plain, asked)), *known][:MOST_ASKED]),
            error=None,
            checked=self._now,
        )

    def _give_up(self, piece: Range, error: AppError) -> None:
        """Do with what is stored, and say so; a stretch before the first candle is not asked for again."""
        assert self._info is not None
        info = self._series.get(self._info.key)
        if info is None:
            raise error
        if piece[0] < to_ns(info.first):
            covered = union([*info.state.covered, (piece[0], min(piece[1], to_ns(info.first)))])
            complete = info.state.complete or self._request.start is None
            self._series.update(info.key, covered=tuple(covered), complete=complete)
            return
        said = text("{reason} What was stored is used.", reason=error.message)
        self._findings.append(Finding("stored_only", "warning", said))

    def _draft(self, info: SeriesInfo, *, known_before: bool) -> Draft:
        start, end = (_in_zone(moment, info) for moment in (self._request.start, self._request.end))
        most = self._settings.max_rows if start is None else None
        candles = self._series.read(info.key, start, end, last=most)
        if candles is None:
            raise self._refusal or self._nothing()
        if known_before:
            said = text("{count} candles were fetched, the others were stored already.", count=self._fetched)
            none = text("All candles were stored already; the source was not asked.")
            self._findings.append(Finding("from_store", "info", said if self._requests else none))
        told = any(finding.code == "range_cut" for finding in self._findings)
        wanted = self._request.start
        if not told and wanted is not None and info.first - pd.Timestamp(wanted) > pd.Timedelta(days=7):
            begins = text("There are candles from {start} on.", start=f"{info.first:%Y-%m-%d %H:%M} UTC")
            self._findings.append(Finding("range_cut", "info", begins))
        return to_draft(candles, self._findings)

    def _nothing(self) -> NotFound:
        return NotFound(
            "no_candles",
            text("{source} has no candle of {symbol} in this range.",
                 source=self._source.title, symbol=self._request.symbol),
            text("Choose a longer range."),
        )  # fmt: skip


def asked_as(request: FetchRequest) -> str:
    """Return a request without its range as one string."""
    return json.dumps([request.symbol, request.interval, sorted(request.options.items())], ensure_ascii=False)


def key_of(source: str, request: FetchRequest, candles: CandleFrame) -> SeriesKey:
    """Return the key under which an answer is kept."""
    about = candles.about
    adjustment = about.adjustment or request.options.get("adjustment", "")
    return SeriesKey(source, about.symbol or request.symbol, about.interval or request.interval, adjustment)


def to_candles(draft: Draft, request: FetchRequest) -> CandleFrame:
    """Return a source's answer in the order of time, each time once; faulty values stay, as far as they are finite."""
    about = draft.about
    about = replace(about, symbol=about.symbol or request.symbol, interval=about.interval or request.interval)
    present = [name for name in FEATURES if name in draft.frame]
    frame = draft.frame.dropna(subset=["timestamp"])[["timestamp", *present]].reset_index(drop=True)
    times = CandleFrame(frame, draft.name, draft.source, draft.timezone).utc
    frame = frame.set_axis(times, axis=0).loc[lambda table: ~table.index.duplicated(keep="last")].sort_index()
    frame = frame.reset_index(drop=True).replace([np.inf, -np.inf], np.nan)
    return CandleFrame(frame, draft.name, draft.source, draft.timezone, about)


def to_draft(candles: CandleFrame, findings: Sequence[Finding] = ()) -> Draft:
    """Return stored candles as a draft, each finding once."""
    frame = candles.frame.set_axis(pd.RangeIndex(1, len(candles) + 1, name="row"), axis=0)
    once = {(finding.code, finding.message.render()): finding for finding in findings}
    columns = {str(name): str(name) for name in frame}
    return Draft(
        frame, candles.name, candles.source, candles.timezone, columns, findings=tuple(once.values()),
        about=candles.about,
    )  # fmt: skip


def _reach(request: FetchRequest, draft: Draft, candles: CandleFrame, present: datetime) -> Range:
    """Return the stretch that an answer tells all about."""
    first, last = (int(candles.utc.as_unit("ns").asi8[place]) for place in (0, -1))
    cut = any(finding.code == "range_cut" for finding in draft.findings)
    start = first if request.start is None and cut else EARLIEST if request.start is None else to_ns(request.start)
    settled = to_ns(present - max(SETTLED, SETTLED_CANDLES * candles.interval.to_pytimedelta()))
    asked = settled if request.end is None else min(to_ns(request.end), settled)
    return min(start, first), max(last + 1, asked)


def _joined(stored: CandleFrame, fresh: Sequence[CandleFrame]) -> tuple[CandleFrame, tuple[int, float | None]]:
    """Return new candles with those stored outside of them, how many these are, and by what they were multiplied."""
    latest = fresh[-1]
    whole = _stacked([_by_time(candles) for candles in reversed(fresh)])
    outside = np.ones(len(stored), dtype=bool)
    for candles in fresh:
        outside &= (stored.utc < candles.utc[0]) | (stored.utc > candles.utc[-1])
    rest = replace(stored, frame=stored.frame[outside].reset_index(drop=True))
    factor: float | None = None
    if len(rest) and rest.utc[-1] < whole.index[0]:
        anew = replace(latest, frame=_timed(whole, "UTC"), timezone="UTC")
        rest, factor = revision.rescaled(rest, stored, anew) or (rest, None)
    if len(rest):
        whole = _stacked([_by_time(rest), whole])
    return replace(latest, frame=_timed(whole, latest.timezone)), (len(rest), factor)


def _by_time(candles: CandleFrame) -> pd.DataFrame:
    return candles.frame[candles.features].set_axis(candles.utc.as_unit("ns"), axis=0)


def _stacked(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return tables as one, in the order of time; the first that has a time counts, a column that one lacks is zero."""
    present = [name for name in FEATURES if any(name in table for table in tables)]
    filled = [table.assign(**{name: 0.0 for name in present if name not in table})[present] for table in tables]
    whole = pd.concat(filled)
    return whole[~whole.index.duplicated()].sort_index()


def _timed(table: pd.DataFrame, timezone: str | None) -> pd.DataFrame:
    """Return a table whose index is in UTC as a candle frame's, in local time."""
    times = pd.DatetimeIndex(table.index).tz_convert(timezone or "UTC").tz_localize(None).as_unit("ns")
    frame = table.reset_index(drop=True)
    frame.insert(0, "timestamp", times)
    return frame


def _in_zone(moment: datetime | None, info: SeriesInfo) -> datetime | None:
    """Return the bound of a range: days and longer candles go by the date of their exchange, others by the time."""
    if moment is None or info.timezone is None or info.rows < 2:
        return moment
    if (info.last - info.first) / (info.rows - 1) < pd.Timedelta(hours=20):
        return moment
    local = pd.Timestamp(moment).tz_convert("UTC").tz_localize(None)
    dated = local.tz_localize(info.timezone, ambiguous=True, nonexistent="shift_forward").to_pydatetime(warn=False)
    # East of Greenwich a day begins before its date does in UTC; west of it a candle's own time is to be a bound, too.
    return min(dated, moment)
