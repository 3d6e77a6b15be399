"""Intraday candles: the times of a session at which they are due, by the timetable and by the series itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal

import numpy as np

from kronos_app.data.calendars.clock import DAY, HOUR, Nanoseconds, ascending, contained, overlap
from kronos_app.data.calendars.timetable import Calendar, Sessions

Anchor = Literal["segment", "session", "clock", "utc"]
Label = Literal["start", "end"]
ANCHORS: tuple[Anchor, ...] = ("segment", "session", "clock", "utc")
LABELS: tuple[Label, ...] = ("start", "end")

RECENT = 84 * DAY  # history to learn from; the candles of older weeks may have been divided differently
FEWEST_SESSIONS = 3  # complete sessions before a series may overrule the timetable
OFTEN, RARELY = 0.5, 0.25  # share of complete sessions
FITS = 0.8  # least share of the candles
ALIKE = 0.9  # a fit that is good enough to stop the search
LENGTHS = tuple(hours * HOUR for hours in (4, 2, 3, 6, 8, 12))

Pattern = tuple[int, ...]  # open, start of the break, end of the break, close, shift from UTC


@dataclass(frozen=True)
class Grid:
    """Candles of one length in a session.

    Attributes
    ----------
    step
        Length of a candle.
    anchor
        Origin of the grid: each part of a session, its open (through the break), midnight by the exchange's clock, or
        midnight UTC.
    label
        Whether the time of a candle is its start or its end.
    """

    step: int
    anchor: Anchor
    label: Label

    def slots(self, pattern: Pattern) -> Nanoseconds:
        """Return the times of a session's candles, counted from midnight of its day."""
        opens, breaks, resumes, closes, shift = pattern
        parts = [(opens, breaks), (resumes, closes)] if breaks < resumes else [(opens, closes)]
        if self.anchor == "segment":
            starts = np.concatenate([np.arange(start, end, self.step, dtype=np.int64) for start, end in parts])
        else:
            zero = {"session": opens, "clock": 0, "utc": shift}[self.anchor]
            first = zero + (opens - zero) // self.step * self.step
            starts = np.arange(first, closes, self.step, dtype=np.int64)
        part = np.minimum(starts >= breaks, len(parts) - 1).astype(np.int64)
        begins, ends = (np.array([part_hours[side] for part_hours in parts], dtype=np.int64)[part] for side in (0, 1))
        trades = starts + self.step > begins  # a candle entirely within the break does not exist
        if self.label == "end":
            starts = np.minimum(starts + self.step, ends if self.anchor == "segment" else np.int64(closes))
        return np.unique(starts[trades])


@dataclass(frozen=True)
class Slots:
    """A grid, corrected by the complete sessions of a series.

    Attributes
    ----------
    grid, usual
        The grid, and the most frequent hours of a session, which `extra` refers to.
    extra, never
        Times that most complete sessions have and the grid lacks, and the reverse.
    share
        Share of the recent candles that are at these times.
    likeness, plain
        Jaccard index of the recent candles and the due times; the same for the uncorrected grid.
    """

    grid: Grid
    usual: Pattern
    extra: Nanoseconds = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    never: Nanoseconds = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    share: float = 1.0
    likeness: float = 1.0
    plain: float = 1.0

    def times(self, sessions: Sessions) -> Nanoseconds:
        """Return the times of the candles due in sessions, ascending, by the calendar's clock."""
        due = [(days[:, None] + self._times_of(pattern)[None, :]).ravel() for pattern, days in sessions.patterns]
        return ascending(np.concatenate(due)) if due else sessions.days[:0]

    def _times_of(self, pattern: Pattern) -> Nanoseconds:
        opens, _, _, closes, shift = pattern
        turn = shift - self.usual[-1] if self.grid.anchor == "utc" else 0
        grid = self.grid.slots(pattern)
        extra = self.extra + turn
        usual_opens, usual_closes = self.usual[0], self.usual[3]
        # Times before the open or after the close apply only to days with the usual open or close.
        before, after = extra < usual_opens, extra >= usual_closes
        applies = np.where(before, opens == usual_opens, np.where(after, closes == usual_closes, True))
        within = before | after | ((extra >= opens) & (extra <= closes))
        return np.union1d(grid[~np.isin(grid, self.never + turn)], extra[applies & within])


def fit(times: Nanoseconds, step: int, calendar: Calendar, recent: int = RECENT) -> Slots | None:
    """Return the times of a session at which candles are due, None where the series does not follow the calendar.

    `times` are ascending by the calendar's clock, `step` is less than a day, `recent` the length of the history to use.
    """
    times, sessions, best, plain = _best_grid(times, step, calendar, recent)
    if best is None:
        return None
    learned = _corrected(best, times, sessions)
    due = learned.times(sessions)
    share = float(np.mean(contained(times, due)))
    return replace(learned, share=share, likeness=overlap(times, due), plain=plain) if share >= FITS else None


def likeness(times: Nanoseconds, step: int, calendar: Calendar) -> float:
    """Return the Jaccard index of candles and the published hours of a calendar; parameters as of `fit`."""
    return max(_best_grid(times, step, calendar, RECENT)[3], 0.0)


def _best_grid(
    times: Nanoseconds, step: int, calendar: Calendar, recent: int
) -> tuple[Nanoseconds, Sessions, Slots | None, float]:
    """Return the recent candles, their sessions, the grid that fits best, and its Jaccard index."""
    times = times[times > times[-1] - recent]
    sessions = calendar.sessions(int(times[0]) - 2 * DAY, int(times[-1]) + 2 * DAY)
    if not len(sessions) or 2 * DAY // step > 200_000:  # finer than a second: not candles
        return times, sessions, None, -1.0
    usual = _most_frequent_hours(sessions)
    alike, best = -1.0, Slots(Grid(step, ANCHORS[0], LABELS[0]), usual)
    # With two or three candles in a session, the most frequent step is not the length of a candle.
    for length in (step, *LENGTHS):
        for anchor, label in product(ANCHORS, LABELS):
            slots = Slots(Grid(length, anchor, label), usual)
            this = overlap(times, slots.times(sessions))
            if this > alike:
                alike, best = this, slots
        if alike > ALIKE:
            break
    return times, sessions, best, alike


def _most_frequent_hours(sessions: Sessions) -> Pattern:
    hours, count = np.unique(sessions.hours, axis=0, return_counts=True)
    usual = hours[np.argmax(count)]
    shift = sessions.shift[(sessions.hours == usual).all(axis=1)][-1]
    return (*(int(hour) for hour in usual), int(shift))


def _corrected(slots: Slots, times: Nanoseconds, sessions: Sessions) -> Slots:
    """Return slots with the times that most complete sessions have, without those that hardly any has."""
    start = _start_of_day(times, slots.usual)
    which = np.searchsorted(sessions.days + start, times, side="right") - 1
    inside_day = which >= 0
    offset = np.where(inside_day, times - sessions.days[which], -1)
    inside_day &= offset < start + DAY
    whole = (sessions.days + start >= times[0]) & (sessions.days + start + DAY <= times[-1] + slots.grid.step)
    whole &= (sessions.hours == np.array(slots.usual[:4])).all(axis=1)
    whole &= np.isin(np.arange(len(sessions)), which[inside_day])
    count = np.count_nonzero(whole)
    if count < FEWEST_SESSIONS:
        return slots
    if slots.grid.anchor == "utc":
        offset = offset - sessions.shift[which] + slots.usual[-1]
    seen, often = np.unique(offset[inside_day & whole[which]], return_counts=True)
    rate = often / count
    grid = slots.grid.slots(slots.usual)
    at = np.searchsorted(seen, grid)
    mine = np.where(np.append(seen, -1)[at] == grid, np.append(rate, 0.0)[at], 0.0)
    extra = seen[(rate >= OFTEN) & ~np.isin(seen, grid)]
    inside = (grid >= start) & (grid < start + DAY)  # times outside belong to the session before or after
    return Slots(slots.grid, slots.usual, extra, grid[inside & (mine < RARELY * max(rate, default=0.0))])


def _start_of_day(times: Nanoseconds, usual: Pattern) -> int:
    """Return where one session's day ends and the next begins: the middle of the longest time without candles."""
    opens, closes = usual[0], usual[3]
    closed = DAY - (closes - opens)
    if closed <= 0:
        return opens
    clock = np.unique((times - closes) % DAY)  # since the close
    clock = np.r_[0, clock[clock < closed], closed]
    widest = int(np.argmax(np.diff(clock)))
    return int(closes - DAY + (clock[widest] + clock[widest + 1]) // 2)
