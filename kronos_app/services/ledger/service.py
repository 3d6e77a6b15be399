"""The ledger: every forecast made anywhere, and what it was worth once its candles have come.

Nobody has to ask for it. A sweep notes the forecasts that are new, looks for candles after the cutoff of those that
wait for some, and grades them: by the series in the candle store, by the data set the forecast was made from where that
goes on, or by another of the same instrument. What was graded stays when forecast and candles are deleted: a record
from which one can strike out the failures is worth nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kronos_app.data.about import About
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.errors import NotFound, Unavailable
from kronos_app.i18n import text
from kronos_app.services.ledger import grading as ledger_grading
from kronos_app.services.ledger import record as ledger_record
from kronos_app.services.ledger.comparison import COVERAGE_LEVELS
from kronos_app.services.ledger.record import Record
from kronos_app.store.ledger import ANY_ENTRY, OPEN, LedgerEntry, LedgerFilter
from kronos_app.store.records import CandleSet, CandleSetInfo, StoredForecast, now
from kronos_app.store.series import SeriesInfo, SeriesKey

if TYPE_CHECKING:
    from kronos_app.store import Store

log = logging.getLogger(__name__)

Entries = list[LedgerEntry]
Candidates = list["_Candidate"]
Ready = list[tuple[LedgerEntry, Candidates]]

# What one sweep takes on, so that pages and forecasts get their turn in between.
NOTED_AT_ONCE, GRADED_AT_ONCE = 200, 25
CANDIDATES = 8
# What a stretch of the calendar is longer than its candles together, where a market has nights and weekends.
SPARSE = 7
WEEK = pd.Timedelta(days=7)


@dataclass(frozen=True)
class Summary:
    """The record of all forecasts that fit, of each model and symbol, and how they stood over time.

    Attributes
    ----------
    waiting
        How many have no grade yet, or half of one.
    total
        None while nothing is graded, as is `running`; see `ledger_record.running`.
    """

    waiting: int
    total: Record | None
    groups: Sequence[Record]
    running: pd.DataFrame | None


class LedgerService:
    """Forecasts and their grades; every thread may use it."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = now) -> None:
        self._store = store
        self._clock = clock
        self._lock = Lock()
        self._tried: dict[str, dict[str | SeriesKey, pd.Timestamp]] = {}  # by entry: how far each candidate reached

    def sweep(self) -> bool:
        """Note new forecasts and grade what can be graded; return whether more is left to do at once.

        Raises
        ------
        Unavailable
            The store fails.
        """
        with self._lock:
            unnoted = self._store.ledger.unnoted(NOTED_AT_ONCE)
            for forecast_id in unnoted:
                self.note(forecast_id)
            ready = self._ready()
            for entry, candidates in ready[:GRADED_AT_ONCE]:
                self._grade(entry, candidates)
            return len(unnoted) == NOTED_AT_ONCE or len(ready) > GRADED_AT_ONCE

    def note(self, forecast_id: str, follow_id: str | None = None) -> LedgerEntry | None:
        """Enter a forecast, unless it is gone; one that is in the ledger stays as it is."""
        known = self._store.ledger.get(forecast_id)
        if known is not None:
            return known
        try:
            stored = self._store.forecasts.get(forecast_id)
            candle_set = None if stored is None else self._store.candles.get(stored.candles_id)
        except Unavailable as error:
            if error.code != "record_damaged":
                raise
            return None
        if stored is None:
            return None
        entry = _entry(stored, None if candle_set is None else candle_set.candles, follow_id)
        self._store.ledger.put(entry)
        return entry

    def grade(self, forecast_ids: Sequence[str]) -> None:
        """Grade these now, as far as their candles have come."""
        with self._lock:
            for entry, candidates in self._ready(set(forecast_ids)):
                self._grade(entry, candidates)

    def get(self, forecast_id: str) -> LedgerEntry:
        """Return the entry of a forecast.

        Raises
        ------
        NotFound
            The ledger has none.
        """
        entry = self._store.ledger.get(forecast_id)
        if entry is None:
            raise NotFound(
                "ledger_entry_not_found",
                text("The ledger has no forecast {id}.", id=forecast_id),
                text("New forecasts are entered within a minute."),
            )
        return entry

    def list(self, wanted: LedgerFilter = ANY_ENTRY, *, limit: int | None = None, offset: int = 0) -> Entries:
        """Return the entries that fit, newest first."""
        return self._store.ledger.list(wanted, limit=limit, offset=offset)

    def count(self, wanted: LedgerFilter = ANY_ENTRY) -> int:
        """Return how many entries fit."""
        return self._store.ledger.count(wanted)

    def summary(self, entries: Sequence[LedgerEntry]) -> Summary:
        """Return what these entries say together."""
        waiting = sum(entry.state in OPEN for entry in entries)
        table = ledger_record.observations(entries)
        if table.empty:
            return Summary(waiting, None, (), None)
        return Summary(waiting, ledger_record.record(table), ledger_record.records(table), ledger_record.running(table))

    def _ready(self, only: set[str] | None = None) -> Ready:
        """Return the entries of which more may have come, each with where to look, the furthest first."""
        waiting = self._store.ledger.list(LedgerFilter(states=OPEN))
        waiting = [entry for entry in waiting if only is None or entry.id in only]
        if only is None:
            self._tried = {entry.id: self._tried[entry.id] for entry in waiting if entry.id in self._tried}
        if not waiting:
            return []
        places = _places(self._store.candles.list(), self._store.series.list())
        found = [(entry, self._candidates(entry, places)) for entry in reversed(waiting)]
        return [(entry, candidates) for entry, candidates in found if candidates]

    def _candidates(self, entry: LedgerEntry, places: Mapping[Any, Sequence[_Candidate]]) -> Candidates:
        """Return where more of an entry's candles may be, the furthest first."""
        names = {name for name in (entry.name, entry.symbol) if name is not None}
        keys = [entry.candles_id, *((entry.source, entry.step, name) for name in names), _series_key(entry)]
        found = {one.where: one for key in keys for one in places.get(key, ())}
        known = ledger_record.utc(entry.cutoff if entry.until is None else entry.until, entry.timezone)
        tried = self._tried.get(entry.id, {})
        fresh = [
            (reached, one)
            for one in found.values()
            if (reached := _reach(one, entry)) > known and (one.where not in tried or one.last > tried[one.where])
        ]
        fresh.sort(key=lambda pair: (pair[0], pair[1].where == entry.candles_id), reverse=True)
        return [one for _, one in fresh[:CANDIDATES]]

    def _grade(self, entry: LedgerEntry, candidates: Sequence[_Candidate]) -> None:
        """Grade by the first candidate that tells of this instrument."""
        try:
            stored = self._store.forecasts.get(entry.id)
            own = self._closes(entry)
        except Unavailable as error:
            if error.code != "record_damaged":
                raise
            stored, own = None, None
        if stored is None:
            self._store.ledger.put(replace(entry, state="lost"))
            return
        for candidate in candidates:
            self._tried.setdefault(entry.id, {})[candidate.where] = candidate.last
            candles = self._read(candidate, stored, entry)
            if candles is None or _differs(entry, candles.about):
                continue
            came = ledger_grading.outcome(
                candles,
                entry.cutoff,
                entry.last_close,
                timezone=entry.timezone,
                known=own,
                exact=entry.symbol is None and candidate.where != entry.candles_id,
            )
            if came:
                self._store.ledger.put(_graded(entry, stored, came, own, self._clock()))
                return

    def _closes(self, entry: LedgerEntry) -> pd.Series[float] | None:
        """Return the closes up to the cutoff as the forecast had them, None once its data set is deleted."""
        own = self._store.candles.get(entry.candles_id)
        if own is None:
            return None
        closes = ledger_grading.closes_in(own.candles, entry.timezone)[: entry.cutoff]
        return closes if len(closes) and closes.index[-1] == entry.cutoff else None

    def _read(self, candidate: _Candidate, stored: StoredForecast, entry: LedgerEntry) -> CandleFrame | None:
        """Return a data set without a candle that had not ended when somebody uploaded it, or a part of a series."""
        if isinstance(candidate.where, SeriesKey):
            before = int(stored.provenance["history_rows"]) * entry.step * SPARSE + WEEK
            start = ledger_record.utc(entry.cutoff, entry.timezone) - before
            return self._store.series.read(candidate.where, start.to_pydatetime())
        try:
            saved = self._store.candles.get(candidate.where)
        except Unavailable as error:
            if error.code != "record_damaged":
                raise
            return None
        return None if saved is None else _without_unfinished(saved)


@dataclass(frozen=True)
class _Candidate:
    """Where candles may be found, and when the last of them begins: in UTC, or in the zone of a data set."""

    where: str | SeriesKey
    last: pd.Timestamp


def _places(sets: Sequence[CandleSetInfo], series: Sequence[SeriesInfo]) -> dict[Any, Candidates]:
    """Return candidates by what an entry knows of them: a data set's id or source, step and name, a series' key."""
    places: dict[Any, Candidates] = {}
    for info in sets:
        for key in (info.id, (info.source, info.interval, info.name)):
            places.setdefault(key, []).append(_Candidate(info.id, info.last))
    for one in series:
        places.setdefault(one.key, []).append(_Candidate(one.key, one.last))
    return places


def _series_key(entry: LedgerEntry) -> SeriesKey | None:
    if entry.symbol is None or entry.interval is None:
        return None
    return SeriesKey(entry.source, entry.symbol, entry.interval, entry.adjustment or "")


def _reach(candidate: _Candidate, entry: LedgerEntry) -> pd.Timestamp:
    return candidate.last if candidate.last.tzinfo else ledger_record.utc(candidate.last, entry.timezone)


def _entry(stored: StoredForecast, candles: CandleFrame | None, follow_id: str | None) -> LedgerEntry:
    about = About() if candles is None else candles.about
    timezone = None if candles is None else candles.timezone
    steps = stored.timestamps.insert(0, stored.cutoff)
    step = pd.Timedelta(np.median(np.diff(steps))) if candles is None else candles.interval
    first = pd.Timestamp(stored.timestamps[0])
    ends = ledger_record.utc(first, timezone) + step
    return LedgerEntry(
        id=stored.id,
        created=stored.created,
        follow_id=follow_id,
        candles_id=stored.candles_id,
        name=stored.candles_name,
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
    came: ledger_grading.Outcome,
    own: pd.Series[float] | None,
    moment: datetime,
) -> LedgerEntry:
    rows = int(stored.provenance["history_rows"])
    seen = None if own is None else np.asarray(own.to_numpy()[-rows:], np.float64)
    grade = ledger_grading.grade(stored, came, seen)
    matched = 0 if grade is None else grade.matched
    complete = came.until >= entry.last or matched == entry.horizon
    return replace(
        entry,
        state="graded" if complete else "partial" if matched else "pending",
        until=came.until,
        graded=moment,
        matched=matched,
        grade=None if grade is None else grade.to_dict(),
    )


def _differs(entry: LedgerEntry, about: About) -> bool:
    """Return whether candles say that they are of something else."""
    known = {"symbol": entry.symbol, "interval": entry.interval, "adjustment": entry.adjustment}
    return any(None not in {one, getattr(about, name)} and one != getattr(about, name) for name, one in known.items())


def _without_unfinished(saved: CandleSet) -> CandleFrame:
    """Leave out a last candle that was still to end when its set was kept; sources have done so already."""
    candles = saved.candles
    if candles.about.symbol is not None or len(candles) < 2:
        return candles
    ends = ledger_record.utc(pd.Timestamp(candles.timestamps[-1]), candles.timezone) + candles.interval
    return candles if ends <= pd.Timestamp(saved.created) else replace(candles, frame=candles.frame.iloc[:-1])


def entry_json(entry: LedgerEntry) -> dict[str, Any]:
    """Return an entry as the API tells it; numbers that are not finite are to be made null by the caller."""
    shown = vars(entry) | {
        "step": entry.step.total_seconds(),
        "created": entry.created.isoformat(),
        "graded": entry.graded and entry.graded.isoformat(),
        **{name: getattr(entry, name).isoformat() for name in ("cutoff", "first", "last")},
        "until": entry.until and entry.until.isoformat(),
    }
    shown["forecast_id"], shown["step_seconds"] = shown.pop("id"), shown.pop("step")
    return shown


def summary_json(summary: Summary, language: str = "en") -> dict[str, Any]:
    """Return a summary as the API tells it; numbers that are not finite are to be made null by the caller."""
    return {
        "waiting": summary.waiting,
        "total": summary.total and summary.total.to_dict(language),
        "groups": [record.to_dict(language) for record in summary.groups],
        "running": [] if summary.running is None else [_point(row) for row in summary.running.to_dict("records")],
    }


def _point(row: dict[Any, Any]) -> dict[str, Any]:
    bands = {
        f"{level:g}": {name: row[f"{name}_{level:g}"] for name in ("share", "low", "high")} for level in COVERAGE_LEVELS
    }
    return {"end": row["end"].isoformat(), "apart": row["apart"], "ratio": row["ratio"], "coverage": bands}
