"""The ledger: every forecast, with its grade once its actual candles are known.

A sweep enters new forecasts, looks for candles after the cutoff of those that wait for some, and grades them: by the
series in the candle store, by the data set of the forecast if that continues, or by another of the same instrument.
Entries stay when forecast and candles are deleted, so that no failure can be removed from the record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd

from kronos_app.data.about import About
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.errors import Unavailable, require
from kronos_app.i18n import text
from kronos_app.services.ledger import grading, record
from kronos_app.services.ledger.candidates import (
    Candidate,
    Where,
    differs,
    find_candidates,
    index_places,
    without_unfinished,
)
from kronos_app.services.ledger.record import to_utc
from kronos_app.services.ledger.views import Summary
from kronos_app.store.ledger import ANY_ENTRY, OPEN, LedgerEntry, LedgerFilter
from kronos_app.store.records import CandleSet, StoredForecast, now
from kronos_app.store.series import SeriesKey

if TYPE_CHECKING:
    from kronos_app.store import Store

Stored = TypeVar("Stored", StoredForecast, CandleSet)
Entries = list[LedgerEntry]
Candidates = list[Candidate]
Ready = list[tuple[LedgerEntry, Candidates]]

ENTERED_AT_ONCE, GRADED_AT_ONCE = 200, 25  # in one sweep, so that it does not hold up pages and forecasts
SPARSE = 7  # calendar time of a stretch of candles over their total length, in markets with nights and weekends
WEEK = pd.Timedelta(days=7)


class LedgerService:
    """Enters and grades forecasts; every thread may use it.

    Parameters
    ----------
    has_source
        Returns whether a source of candles can continue a series; default: every one can.
    """

    def __init__(
        self, store: Store, clock: Callable[[], datetime] = now, has_source: Callable[[str], bool] = bool
    ) -> None:
        self._store = store
        self._clock = clock
        self._has_source = has_source
        self._lock = Lock()
        self._tried: dict[str, dict[Where, pd.Timestamp]] = {}  # by entry: see `find_candidates`

    def sweep(self) -> bool:
        """Enter new forecasts and grade what can be graded; return whether more work is left."""
        with self._lock:
            missing = self._store.ledger.unnoted(ENTERED_AT_ONCE)
            for forecast_id in missing:
                self.enter(forecast_id)
            ready = self._find_ready()
            for entry, candidates in ready[:GRADED_AT_ONCE]:
                self._grade(entry, candidates)
            return len(missing) == ENTERED_AT_ONCE or len(ready) > GRADED_AT_ONCE

    def enter(self, forecast_id: str, follow_id: str | None = None) -> None:
        """Enter a forecast unless it was deleted or is in the ledger already."""
        if self._store.ledger.get(forecast_id) is not None:
            return
        stored = _undamaged(self._store.forecasts.get, forecast_id)
        if stored is not None:
            candle_set = _undamaged(self._store.candles.get, stored.candles_id)
            self._store.ledger.put(_new_entry(stored, None if candle_set is None else candle_set.candles, follow_id))

    def grade(self, forecast_ids: Sequence[str]) -> None:
        """Grade these now, as far as their actual candles are known."""
        with self._lock:
            for entry, candidates in self._find_ready(set(forecast_ids)):
                self._grade(entry, candidates)

    def get(self, forecast_id: str) -> LedgerEntry:
        """Return the entry of a forecast; raise `NotFound` if the ledger has none."""
        return require(
            self._store.ledger.get(forecast_id),
            "ledger_entry_not_found",
            text("The ledger has no forecast {id}.", id=forecast_id),
            text("New forecasts are entered within a minute."),
        )

    def list(self, where: LedgerFilter = ANY_ENTRY, *, limit: int | None = None, offset: int = 0) -> Entries:
        """Return the entries that match, newest first."""
        return self._store.ledger.list(where, limit=limit, offset=offset)

    def count(self, where: LedgerFilter = ANY_ENTRY) -> int:
        """Return the number of entries that match."""
        return self._store.ledger.count(where)

    def summary(self, entries: Sequence[LedgerEntry]) -> Summary:
        """Return the record of these entries."""
        static = sum(map(self.is_static, entries))
        waiting = sum(entry.state in OPEN for entry in entries) - static
        table = record.tabulate(entries)
        if table.empty:
            return Summary(waiting=waiting, static=static)
        return Summary(
            waiting=waiting,
            static=static,
            total=record.build_record(table),
            groups=tuple(record.build_records(table)),
            running=record.running_figures(table),
        )

    def is_static(self, entry: LedgerEntry) -> bool:
        """Return whether an entry without a complete grade is of a series that no source continues."""
        return entry.state in OPEN and not self._has_source(entry.source)

    def _find_ready(self, only: set[str] | None = None) -> Ready:
        """Return the entries for which new candles may exist, each with where to look, the longest first."""
        waiting = self._store.ledger.list(LedgerFilter(states=OPEN))
        waiting = [entry for entry in waiting if only is None or entry.id in only]
        if only is None:
            self._tried = {entry.id: self._tried[entry.id] for entry in waiting if entry.id in self._tried}
        if not waiting:
            return []
        places = index_places(self._store.candles.list(), self._store.series.list())
        ready = [(entry, find_candidates(entry, places, self._tried.get(entry.id, {}))) for entry in reversed(waiting)]
        return [(entry, candidates) for entry, candidates in ready if candidates]

    def _grade(self, entry: LedgerEntry, candidates: Candidates) -> None:
        """Grade by the first candidate that is of the same instrument."""
        stored = _undamaged(self._store.forecasts.get, entry.id)
        own = None if stored is None else _undamaged(self._store.candles.get, entry.candles_id)
        if stored is None:
            self._store.ledger.put(replace(entry, state="lost"))
            return
        known = None if own is None else _known_closes(entry, own.candles)
        for candidate in candidates:
            self._tried.setdefault(entry.id, {})[candidate.where] = candidate.last
            candles = self._read(candidate, stored, entry)
            if candles is None or differs(entry, candles.about):
                continue
            outcome = grading.find_outcome(
                candles,
                entry.cutoff,
                entry.last_close,
                timezone=entry.timezone,
                known=known,
                exact=entry.symbol is None and candidate.where != entry.candles_id,
            )
            if outcome:
                self._store.ledger.put(_graded(entry, stored, outcome, known, self._clock()))
                return

    def _read(self, candidate: Candidate, stored: StoredForecast, entry: LedgerEntry) -> CandleFrame | None:
        """Return the part of a series around the forecast, or a data set without a last candle that had not ended."""
        if isinstance(candidate.where, SeriesKey):
            before = int(stored.provenance["history_rows"]) * entry.step * SPARSE + WEEK
            start = to_utc(entry.cutoff, entry.timezone) - before
            return self._store.series.read(candidate.where, start.to_pydatetime())
        saved = _undamaged(self._store.candles.get, candidate.where)
        return None if saved is None else without_unfinished(saved)


def _undamaged(get: Callable[[str], Stored | None], record_id: str) -> Stored | None:
    """Return a record, None if there is none or if it is damaged; lists mark a damaged record as such."""
    try:
        return get(record_id)
    except Unavailable as error:
        if error.code != "record_damaged":
            raise
        return None


def _known_closes(entry: LedgerEntry, candles: CandleFrame) -> pd.Series[float] | None:
    """Return the closes up to the cutoff, None if the candles have none at the cutoff."""
    closes = grading.read_closes(candles, entry.timezone)[: entry.cutoff]
    return closes if len(closes) and closes.index[-1] == entry.cutoff else None


def _new_entry(stored: StoredForecast, candles: CandleFrame | None, follow_id: str | None) -> LedgerEntry:
    about = About() if candles is None else candles.about
    timezone = None if candles is None else candles.timezone
    steps = stored.timestamps.insert(0, stored.cutoff)
    step = pd.Timedelta(np.median(np.diff(steps))) if candles is None else candles.interval
    first = pd.Timestamp(stored.timestamps[0])
    ends = to_utc(first, timezone) + step
    return LedgerEntry(
        id=stored.id,
        created=stored.created,
        follow_id=follow_id,
        candles_id=stored.candles_id,
        name=stored.candles_name if candles is None else candles.name,
        source="" if candles is None else candles.source,
        symbol=about.symbol,
        interval=about.interval,
        adjustment=about.adjustment,
        timezone=timezone,
        step=step,
        model=str(stored.provenance["model"]),
        weights=str(stored.provenance["digest"]),
        horizon=len(stored.timestamps),
        samples=len(stored.paths),
        cutoff=stored.cutoff,
        first=first,
        last=pd.Timestamp(stored.timestamps[-1]),
        last_close=stored.last_close,
        ahead=not stored.request.get("cutoff") and pd.Timestamp(stored.created) < ends,
    )


def _graded(
    entry: LedgerEntry,
    stored: StoredForecast,
    outcome: grading.Outcome,
    known: pd.Series[float] | None,
    moment: datetime,
) -> LedgerEntry:
    rows = int(stored.provenance["history_rows"])
    history = None if known is None else np.asarray(known.to_numpy()[-rows:], np.float64)
    grade = grading.grade(stored, outcome, history)
    matched = 0 if grade is None else grade.matched
    complete = outcome.until >= entry.last or matched == entry.horizon
    return replace(
        entry,
        state="graded" if complete else "partial" if matched else "pending",
        until=outcome.until,
        graded=moment,
        matched=matched,
        grade=None if grade is None else grade.to_dict(),
        crps_ratio=None if grade is None else grade.crps_ratio,
        coverage=None if grade is None else grade.coverage,
    )
