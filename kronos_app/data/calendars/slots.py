"""Candles within a day: at which times of a session they fall due, by the timetable and by what the series shows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal

import numpy as np

from kronos_app.data.calendars.clock import DAY, HOUR, Nanoseconds, ascending, found_in
from kronos_app.data.calendars.timetable import Calendar, Sessions

Anchor = Literal["segment", "session", "clock", "utc"]
Label = Literal["start", "end"]
ANCHORS: tuple[Anchor, ...] = ("segment", "session", "clock", "utc")
LABELS: tuple[Label, ...] = ("start", "end")

RECENT = 84 * DAY  # what is learned from; older weeks no longer say how a series is cut
FEWEST_SESSIONS = 3  # whole ones, before a series may overrule the timetable
OFTEN, RARELY = 0.5, 0.25  # of whole sessions
FITS = 0.8  # of the candles
ALIKE = 0.9  # enough to look no further
LENGTHS = tuple(hours * HOUR for hours in (4, 2, 3, 6, 8, 12))

Pattern = tuple[int, ...]  # opens, breaks, goes on, closes, ahead of UTC


@dataclass(frozen=True)
class Grid:
    """Candles of one length laid over sessions.

    Attributes
    ----------
    step
        Length of a candle.
    anchor
        What candles are counted from: each part of a session, its opening (through the break), midnight by the
        exchange's clock, or midnight UTC.
    label
        Whether a candle has the time it starts or the time it ends at.
    """

    step: int
    anchor: Anchor
    label: Label

    def slots(self, pattern: Pattern) -> Nanoseconds:
        """Return the times of a session's candles, from midnight of its day."""
        opens, breaks, resumes, closes, shift = pattern
        parts = [(opens, breaks), (resumes, closes)] if breaks < resumes else [(opens, closes)]
        if self.anchor == "segment":
            starts = np.concatenate([np.arange(start, end, self.step, dtype=np.int64) for start, end in parts])
        else:
            zero = {"session": opens, "clock": 0, "utc": shift}[self.anchor]
            first = zero + (opens - zero) // self.step * self.step
            starts = np.arange(first, closes, self.step, dtype=np.int64)
        part = np.minimum(starts >= breaks, len(parts) - 1).astype(np.int64)
        begins, ends = (np.array([one[side] for one in parts], dtype=np.int64)[part] for side in (0, 1))
        trades = starts + self.step > begins  # all of a candle within the break is none
        if self.label == "end":
            starts = np.minimum(starts + self.step, ends if self.anchor == "segment" else np.int64(closes))
        return np.unique(starts[trades])


@dataclass(frozen=True)
class Slots:
    """A grid, put right by what the whole sessions of a series show.

    Attributes
    ----------
    grid, usual
        The grid, and the hours of the session that `extra` was seen in most.
    extra, never
        Times that most whole sessions have and the grid does not, and the other way round.
    share
        Part of the recent candles that are at these times.
    likeness
        What is common to the recent candles and those due, as a share of both together.
    plain
        The same of the grid alone.
    """

    grid: Grid
    usual: Pattern
    extra: Nanoseconds = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    never: Nanoseconds = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    share: float = 1.0
    likeness: float = 1.0
    plain: float = 1.0

    def times(self, sessions: Sessions) -> Nanoseconds:
        """Return the times of the candles due in these sessions, ascending, by the calendar's clock."""
        found = [
            (days[:, None] + self._of(pattern)[None, :]).ravel()
            for pattern, days in sessions.patterns
        ]  # fmt: skip
        return ascending(np.concatenate(found)) if found else sessions.days[:0]

    def _of(self, pattern: Pattern) -> Nanoseconds:
        opens, _, _, closes, shift = pattern
        turn = shift - self.usual[-1] if self.grid.anchor == "utc" else 0
        grid = self.grid.slots(pattern)
        extra = self.extra + turn
        usual_opens, usual_closes = self.usual[0], self.usual[3]
        # What happens before an opening or after a close says nothing of a day on which that one is moved.
        before, after = extra < usual_opens, extra >= usual_closes
        kept = np.where(before, opens == usual_opens, np.where(after, closes == usual_closes, True))
        within = before | after | ((extra >= opens) & (extra <= closes))
        return np.union1d(grid[~np.isin(grid, self.never + turn)], extra[kept & within])


def fit(times: Nanoseconds, step: int, calendar: Calendar, recent: int = RECENT) -> Slots | None:
    """Return when candles of a session fall due, None where the series does not follow the calendar.

    Parameters
    ----------
    times
        Ascending, by the calendar's clock.
    step
        Length of a candle, less than a day.
    recent
        Nanoseconds before the last candle that count.
    """
    times, sessions, best, plain = _best_grid(times, step, calendar, recent)
    if best is None:
        return None
    learned = _put_right(best, times, sessions)
    due = learned.times(sessions)
    share = float(np.mean(found_in(times, due)))
    return replace(learned, share=share, likeness=_likeness(times, due), plain=plain) if share >= FITS else None


def likeness(times: Nanoseconds, step: int, calendar: Calendar) -> float:
    """Return what is common to candles and the plain hours of a calendar, as a share of both; parameters as of `fit`.

    Nothing is learned from the candles, so a calendar with other hours is less alike.
    """
    return max(_best_grid(times, step, calendar, RECENT)[3], 0.0)


def _best_grid(
    times: Nanoseconds, step: int, calendar: Calendar, recent: int
) -> tuple[Nanoseconds, Sessions, Slots | None, float]:
    """Return the recent candles, their sessions, the grid that fits best, and how well it does."""
    times = times[times > times[-1] - recent]
    sessions = calendar.sessions(int(times[0]) - 2 * DAY, int(times[-1]) + 2 * DAY)
    if not len(sessions) or 2 * DAY // step > 200_000:  # finer than a second: no market's candles
        return times, sessions, None, -1.0
    usual = _most_usual(sessions)
    alike, best = -1.0, Slots(Grid(step, ANCHORS[0], LABELS[0]), usual)
    # The step that most candles have is no candle's length where there are two or three of them in a session.
    for length in (step, *LENGTHS):
        for anchor, label in product(ANCHORS, LABELS):
            slots = Slots(Grid(length, anchor, label), usual)
            this = _likeness(times, slots.times(sessions))
            if this > alike:
                alike, best = this, slots
        if alike > ALIKE:
            break
    return times, sessions, best, alike


def _likeness(times: Nanoseconds, due: Nanoseconds) -> float:
    """Return what is common to the candles there are and those due, as a share of both together."""
    due = due[(due >= times[0]) & (due <= times[-1])]
    common = int(np.count_nonzero(found_in(times, due)))
    return common / (len(times) + len(due) - common)


def _most_usual(sessions: Sessions) -> Pattern:
    hours, count = np.unique(sessions.hours, axis=0, return_counts=True)
    usual = hours[np.argmax(count)]
    shift = sessions.shift[(sessions.hours == usual).all(axis=1)][-1]
    return (*(int(hour) for hour in usual), int(shift))


def _put_right(slots: Slots, times: Nanoseconds, sessions: Sessions) -> Slots:
    """Add what most whole sessions have and take away what hardly any has."""
    start = _turn_of_day(times, slots.usual)
    which = np.searchsorted(sessions.days + start, times, side="right") - 1
    known = which >= 0
    offset = np.where(known, times - sessions.days[which], -1)
    known &= offset < start + DAY
    whole = (sessions.days + start >= times[0]) & (sessions.days + start + DAY <= times[-1] + slots.grid.step)
    whole &= (sessions.hours == np.array(slots.usual[:4])).all(axis=1)
    whole &= np.isin(np.arange(len(sessions)), which[known])
    count = np.count_nonzero(whole)
    if count < FEWEST_SESSIONS:
        return slots
    if slots.grid.anchor == "utc":
        offset = offset - sessions.shift[which] + slots.usual[-1]
    seen, often = np.unique(offset[known & whole[which]], return_counts=True)
    rate = often / count
    grid = slots.grid.slots(slots.usual)
    at = np.searchsorted(seen, grid)
    mine = np.where(np.append(seen, -1)[at] == grid, np.append(rate, 0.0)[at], 0.0)
    extra = seen[(rate >= OFTEN) & ~np.isin(seen, grid)]
    inside = (grid >= start) & (grid < start + DAY)  # what lies outside belongs to the session before or after
    return Slots(slots.grid, slots.usual, extra, grid[inside & (mine < RARELY * max(rate, default=0.0))])


def _turn_of_day(times: Nanoseconds, usual: Pattern) -> int:
    """Return where one session's day ends and the next begins: amid the longest time without candles between them."""
    opens, closes = usual[0], usual[3]
    shut = DAY - (closes - opens)
    if shut <= 0:
        return opens
    clock = np.unique((times - closes) % DAY)  # since the close
    clock = np.r_[0, clock[clock < shut], shut]
    widest = int(np.argmax(np.diff(clock)))
    return int(closes - DAY + (clock[widest] + clock[widest + 1]) // 2)
