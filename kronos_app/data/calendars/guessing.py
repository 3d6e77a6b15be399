"""Infers the calendar of a series from its symbol or file name and its candles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from kronos_app.data.calendars import days, names, slots
from kronos_app.data.calendars.clock import (
    DAY,
    WEEK,
    Nanoseconds,
    ascending,
    convert,
    is_countable,
    midnight,
    overlap,
    weekday,
)
from kronos_app.data.calendars.clocks import best_clock
from kronos_app.data.calendars.registry import ALWAYS, CALENDARS, get
from kronos_app.data.calendars.sessions import common_step, nanoseconds
from kronos_app.data.calendars.timetable import Calendar
from kronos_app.data.draft import Draft, Finding
from kronos_app.i18n import text

RECENT = 1_100 * DAY  # three years of daily candles, which contain the holidays of every country
AGREES = 0.99  # share of candles on sessions; the others may be mistakes
WEEKENDS = 0.01  # share of candles on weekends of a market that never closes; fewer may be mistakes
LIKELY, POSSIBLE = 0.6, 0.01  # least agreement of one calendar out of several, and of the only suggested one
WEEKEND_SEEN = 9 * DAY
UNCLEAR = "calendar_unclear"
Agreements = dict[tuple[bytes, str | None, str, float], float]
"""Results of `agreement` by times, time zone, calendar and least share."""


def with_calendars(drafts: Sequence[Draft]) -> list[Draft]:
    """Return the drafts of one file as `with_calendar` does; equal times are compared with a calendar only once."""
    agreements: Agreements = {}
    return [with_calendar(draft, agreements=agreements) for draft in drafts]


def with_calendar(draft: Draft, stated: str | None = None, agreements: Agreements | None = None) -> Draft:
    """Return the draft with the stated calendar, else its own, else the inferred one.

    Names suggest calendars and the candles decide between them. Where they cannot, the draft has no calendar and a
    finding that lists the candidates.

    Parameters
    ----------
    stated
        Key of a calendar, or `learned` for none; raises `InvalidInput` if unknown.
    agreements
        Results for other drafts; those of this draft are added.
    """
    unclear: tuple[str, ...] = ()
    if stated is not None:
        calendar = get(stated)
        key = None if calendar is None else calendar.key
    elif draft.about.calendar is not None:
        key = draft.about.calendar
    else:
        key, unclear = _infer(draft, {} if agreements is None else agreements)
    findings = tuple(finding for finding in draft.findings if finding.code != UNCLEAR)
    if unclear:
        findings = (*findings, _unclear(draft.about.symbol or draft.name, unclear))
    if key == draft.about.calendar and findings == draft.findings:
        return draft
    return replace(draft, about=replace(draft.about, calendar=key), findings=findings)


def _infer(draft: Draft, agreements: Agreements) -> tuple[str | None, tuple[str, ...]]:
    """Return the calendar that name and candles agree on, or None and the candidates left."""
    symbol = draft.about.symbol
    keys = names.of_symbol(symbol) if symbol else names.of_filename(draft.name)
    keys = names.of_headers(_in_zone(keys, draft.timezone), draft.columns.values())
    if not keys or "timestamp" not in draft.frame:
        return (keys[0] if len(keys) == 1 else None), ()
    times = nanoseconds(pd.DatetimeIndex(draft.frame["timestamp"]))
    # A name with a suffix, such as 600519.SS, states its exchange: candles on holidays are then mistakes of the vendor.
    explicit = len(keys) == 1 and "." in names.stem(symbol or draft.name)
    least = days.FITS if explicit else AGREES
    scores = {}
    for key in keys:
        question = (times.tobytes(), draft.timezone, key, least)
        if question not in agreements:
            agreements[question] = agreement(times, draft.timezone, CALENDARS[key], least)
        scores[key] = agreements[question]
    best = max(scores.values())
    if best < (LIKELY if len(keys) > 1 else POSSIBLE):
        return None, ()
    left = tuple(key for key, score in scores.items() if score == best)
    return (left[0], ()) if len(left) == 1 else (None, left)


def _in_zone(keys: tuple[str, ...], timezone: str | None) -> tuple[str, ...]:
    """Return the calendars whose exchange has the clock of a series, all where the zone does not tell."""
    if timezone in {None, "UTC"} or len(keys) < 2:
        return keys
    moment = np.array([pd.Timestamp("2024-01-01").value], dtype=np.int64)  # none of these zones changes its clock
    utc = convert(moment, timezone, "UTC")
    return tuple(key for key in keys if (convert(moment, CALENDARS[key].zone, "UTC") == utc).all())


def _unclear(name: str, keys: tuple[str, ...]) -> Finding:
    message = text(
        "“{name}” may be traded on {calendars}: the candles fit each of these calendars. Holidays are unknown until you"
        " choose one.",
        name=name,
        calendars=", ".join(keys),
    )
    return Finding(UNCLEAR, "info", message)


def agreement(times: Nanoseconds, timezone: str | None, calendar: Calendar, least: float = AGREES) -> float:
    """Return the Jaccard index of candles and calendar, 0 where they contradict it.

    Candles on holidays contradict a calendar; sessions without a candle lower the index. Weekly or longer candles, too
    few candles, and candles of other centuries give no evidence, which is 1.

    Parameters
    ----------
    times
        Ascending, by the clock of `timezone`.
    least
        Least share of the candles that must be on sessions.
    """
    if len(times) < 2 or not is_countable(times):
        return 1.0
    step = common_step(times)
    if calendar.key == ALWAYS:
        return _agreement_round_the_clock(times)
    if step > DAY:
        return 1.0
    recent = times[times > times[-1] - (RECENT if step == DAY else slots.RECENT)]
    if step < DAY:
        local = ascending(best_clock(recent, step, timezone, calendar).to(recent, calendar.zone))
        return slots.likeness(local, step, calendar) if _share_on_sessions(local, calendar) >= least else 0.0
    labels = days.label(recent, timezone, calendar)
    if labels is None or labels.share < least:
        return 0.0
    seen = ascending(labels.days(recent, timezone))
    return overlap(seen, calendar.sessions(midnight(int(seen[0])), int(seen[-1])).days)


def _share_on_sessions(local: Nanoseconds, calendar: Calendar) -> float:
    """Return the share of candles, by the calendar's clock, on days of sessions or evenings that open one."""
    sessions = calendar.sessions(midnight(int(local[0])) - DAY, midnight(int(local[-1])) + DAY)
    dates = local - local % DAY
    evening = np.isin(dates + DAY, sessions.days[sessions.hours[:, 0] < 0])
    return float(np.mean(np.isin(dates, sessions.days) | evening))


def _agreement_round_the_clock(times: Nanoseconds) -> float:
    """Return 0 where weeks were seen with hardly a candle on a weekend, else 1."""
    if times[-1] - times[0] < WEEKEND_SEEN or common_step(times) >= WEEK:
        return 1.0
    return float(np.mean(weekday(times) >= 5) > WEEKENDS)
