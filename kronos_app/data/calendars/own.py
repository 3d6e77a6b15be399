"""The pattern that a series shows itself, learned by the clock of its market (`clocks.rhythm_zone`)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kronos_app.data.calendars import sessions as learned
from kronos_app.data.calendars.clock import Nanoseconds, ascending, convert, index
from kronos_app.data.calendars.clocks import rhythm_zone

SPARE = 4  # candles beyond the horizon, because a clock change may merge some


def future(times: Nanoseconds, horizon: int, timezone: str | None) -> Nanoseconds:
    """Return the next `horizon` times by the clock of the series; raise `InvalidInput` with fewer than two times."""
    zone = rhythm_zone(times, timezone) if len(times) > 1 else None
    if zone is None:
        return learned.nanoseconds(learned.future_timestamps(index(times), horizon))
    own = timezone or "UTC"
    local = learned.future_timestamps(index(convert(times, own, zone)), horizon + SPARE)
    due = ascending(convert(learned.nanoseconds(local), zone, own))
    return np.asarray(due[due > times[-1]][:horizon])


def gaps(times: Nanoseconds, timezone: str | None) -> pd.Series[int]:
    """Return the number of candles missing after each time that a gap follows, by the clock of the series."""
    zone = rhythm_zone(times, timezone) if len(times) > 2 else None
    if zone is None:
        return learned.gaps(index(times))
    local = convert(times, timezone or "UTC", zone)
    holes = learned.gaps(index(local))
    at = np.searchsorted(local, learned.nanoseconds(pd.DatetimeIndex(holes.index)))
    return pd.Series(holes.to_numpy(), index=index(times[at]))


def missing(times: Nanoseconds, holes: pd.Series[int], timezone: str | None) -> Nanoseconds:
    """Return the due times within `holes`, as `gaps` counts them, by the pattern of the series."""
    zone = rhythm_zone(times, timezone)
    own = timezone or "UTC"
    starts = learned.nanoseconds(pd.DatetimeIndex(holes.index))
    local, begins = (moments if zone is None else convert(moments, own, zone) for moments in (times, starts))
    pattern = learned.learn(index(local))
    parts = [pattern.after(int(begin), int(count)) for begin, count in zip(begins, holes, strict=True)]
    due = np.concatenate([times[:0], *parts])
    return due if zone is None else convert(due, zone, own)
