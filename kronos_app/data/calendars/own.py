"""The pattern that a series shows itself, learned by the clock that its market keeps (`clocks.rhythm_zone`)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kronos_app.data import sessions as learned
from kronos_app.data.calendars.clock import Nanoseconds, ascending, convert, index
from kronos_app.data.calendars.clocks import rhythm_zone

SPARE = 4  # candles beyond a horizon, for those that a change of clocks makes fall together


def future(times: Nanoseconds, horizon: int, timezone: str | None) -> Nanoseconds:
    """Return the `horizon` times that follow, by the clock of the series.

    Raises
    ------
    InvalidInput
        With fewer than two times, which show no step.
    """
    zone = rhythm_zone(times, timezone) if len(times) > 1 else None
    if zone is None:
        return learned.nanoseconds(learned.future_timestamps(index(times), horizon))
    own = timezone or "UTC"
    local = learned.future_timestamps(index(convert(times, own, zone)), horizon + SPARE)
    due = ascending(convert(learned.nanoseconds(local), zone, own))
    following: Nanoseconds = due[due > times[-1]][:horizon]
    return following


def gaps(times: Nanoseconds, timezone: str | None) -> pd.Series[int]:
    """Return the number of candles missing after each time that has a gap behind it, by the clock of the series."""
    zone = rhythm_zone(times, timezone) if len(times) > 2 else None
    if zone is None:
        return learned.gaps(index(times))
    local = convert(times, timezone or "UTC", zone)
    holes = learned.gaps(index(local))
    at = np.searchsorted(local, learned.nanoseconds(pd.DatetimeIndex(holes.index)))
    return pd.Series(holes.to_numpy(), index=index(times[at]))


def missing(times: Nanoseconds, holes: pd.Series[int], timezone: str | None) -> Nanoseconds:
    """Return the times that the pattern of a series has within its `holes`, as `gaps` counts them."""
    zone = rhythm_zone(times, timezone)
    own = timezone or "UTC"
    starts = learned.nanoseconds(pd.DatetimeIndex(holes.index))
    local, begins = (moments if zone is None else convert(moments, own, zone) for moments in (times, starts))
    pattern = learned.learn(index(local))
    parts = [pattern.after(int(begin), int(count)) for begin, count in zip(begins, holes, strict=True)]
    due = np.concatenate([times[:0], *parts])
    return due if zone is None else convert(due, zone, own)
