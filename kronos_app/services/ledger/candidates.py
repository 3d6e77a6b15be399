"""Where the actual candles of a forecast may be: a stored series or a data set of the same instrument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from kronos_app.data.about import About
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.services.ledger.record import to_utc
from kronos_app.store.ledger import LedgerEntry
from kronos_app.store.records import CandleSet, CandleSetInfo
from kronos_app.store.series import SeriesInfo, SeriesKey

Where = str | SeriesKey  # id of a data set, or key of a series
MOST_CANDIDATES = 8


@dataclass(frozen=True)
class Candidate:
    """A place of candles, and the time of the last one: in UTC, or in the zone of a data set."""

    where: Where
    last: pd.Timestamp


Places = dict[Any, list[Candidate]]


def index_places(sets: Sequence[CandleSetInfo], series: Sequence[SeriesInfo]) -> Places:
    """Return candidates by what an entry knows of them: id of a data set; source, step and name; key of a series."""
    places: Places = {}
    for info in sets:
        for key in (info.id, (info.source, info.interval, info.name)):
            places.setdefault(key, []).append(Candidate(info.id, info.last))
    for line in series:
        places.setdefault(line.key, []).append(Candidate(line.key, line.last))
    return places


def find_candidates(entry: LedgerEntry, places: Places, tried: Mapping[Where, pd.Timestamp]) -> list[Candidate]:
    """Return where more of an entry's candles may be, the longest first.

    Parameters
    ----------
    tried
        Last candle of the places that did not help before: they are left out until they have more.
    """
    names = {name for name in (entry.name, entry.symbol) if name is not None}
    keys: list[Any] = [entry.candles_id, *((entry.source, entry.step, name) for name in names)]
    if entry.symbol is not None and entry.interval is not None:
        keys.append(SeriesKey(entry.source, entry.symbol, entry.interval, entry.adjustment or ""))
    known = to_utc(entry.cutoff if entry.until is None else entry.until, entry.timezone)
    ends = {
        place: place.last if place.last.tzinfo else to_utc(place.last, entry.timezone)
        for key in keys
        for place in places.get(key, ())
        if place.where not in tried or place.last > tried[place.where]
    }
    longer = [place for place, end in ends.items() if end > known]
    longer.sort(key=lambda place: (ends[place], place.where == entry.candles_id), reverse=True)
    return longer[:MOST_CANDIDATES]


def differs(entry: LedgerEntry, about: About) -> bool:
    """Return whether candles are stated to be of another symbol, interval or adjustment."""
    known = {"symbol": entry.symbol, "interval": entry.interval, "adjustment": entry.adjustment}
    return any(
        None not in {value, getattr(about, name)} and value != getattr(about, name) for name, value in known.items()
    )


def without_unfinished(saved: CandleSet) -> CandleFrame:
    """Leave out a last candle that had not ended when its set was saved; sources have left it out already."""
    candles = saved.candles
    if candles.about.symbol is not None or len(candles) < 2:
        return candles
    ends = to_utc(pd.Timestamp(candles.timestamps[-1]), candles.timezone) + candles.interval
    return candles if ends <= pd.Timestamp(saved.created) else replace(candles, frame=candles.frame.iloc[:-1])
