"""What is wrong with a draft, counted and said in words before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from kronos_app.data.candle_arrays import UNKNOWN, CandleArrays
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.data.checks.faults import find_faults, usable
from kronos_app.data.checks.faults import findings as fault_findings
from kronos_app.data.checks.score import Deduction, deductions, score
from kronos_app.data.checks.suspects import Suspects, suspect_arrays
from kronos_app.data.checks.telling import Mark, marks
from kronos_app.data.checks.telling import findings as suspicions
from kronos_app.data.draft import Draft, Finding
from kronos_app.data.time_axis import TimeAxes, TimeAxis
from kronos_app.i18n import text


@dataclass(frozen=True)
class QualityReport:
    """Counts and findings of one draft.

    Attributes
    ----------
    rows
        Candles in the file.
    first, last
        Range of the readable times; None where there are none.
    interval
        Most frequent step between candles; zero where unknown.
    gaps, missing_candles
        Places where candles are missing by the calendar, or else by the series' own pattern, and how many in all.
    duplicates, conflicts
        Rows that repeat the time of an earlier row; those of them with other values.
    missing, unreadable
        Empty cells; cells that are no number or time, infinities included.
    non_positive, impossible, zero_volume
        Rows with a price of zero or less; with a high that is not the highest, a low that is not the lowest or a
        negative volume; without volume traded.
    outliers, jumps, splits, stale, silent, mixed, unfinished
        What can be read and yet is suspicious (`kronos_app.data.checks`): candles that stand out, that open another
        level, that begin after a split; candles in stale runs, in runs without volume, of another interval; whether
        the last candle had not ended.
    deductions
        What the score lost its points for.
    marks
        Where the suspicions and the gaps are, at most a hundred of a kind.
    """

    rows: int
    first: pd.Timestamp | None
    last: pd.Timestamp | None
    interval: pd.Timedelta
    gaps: int
    missing_candles: int
    duplicates: int
    conflicts: int
    unsorted: bool
    missing: int
    unreadable: int
    non_positive: int
    impossible: int
    zero_volume: int
    findings: tuple[Finding, ...]
    outliers: int = 0
    jumps: int = 0
    splits: int = 0
    stale: int = 0
    silent: int = 0
    mixed: int = 0
    unfinished: int = 0
    deductions: tuple[Deduction, ...] = ()
    marks: tuple[Mark, ...] = ()

    @property
    def score(self) -> int:
        """Return how far the candles can be trusted as they are, from 0 to 100."""
        return score(self.deductions)

    @property
    def clean(self) -> bool:
        """Return whether the data can be used without a choice of repair."""
        return not any((self.conflicts, self.missing, self.unreadable, self.non_positive, self.impossible))

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form: times as ISO 8601, the interval in seconds, messages still translatable."""
        return {field.name: getattr(self, field.name) for field in fields(self)} | {
            "first": None if self.first is None else self.first.isoformat(),
            "last": None if self.last is None else self.last.isoformat(),
            "interval": self.interval.total_seconds(),
            "clean": self.clean,
            "score": self.score,
            "deductions": [deduction.to_dict() for deduction in self.deductions],
            "marks": [mark.to_dict() for mark in self.marks],
            "findings": [finding.to_dict() for finding in self.findings],
        }


def inspect(
    draft: Draft, now: pd.Timestamp | None = None, axes: TimeAxes | None = None, arrays: CandleArrays | None = None
) -> QualityReport:
    """Return the quality report of a draft; nothing is changed.

    Parameters
    ----------
    now
        When the draft was read, with zone; default the present. It tells whether the last candle had ended.
    axes
        Of many drafts that are inspected one after the other, in place of `now`: what depends on times alone is worked
        out once for all drafts of the same times.
    arrays
        Of the draft's frame, where they are known.
    """
    frame = draft.frame
    arrays = CandleArrays.of(frame) if arrays is None else arrays
    faults = find_faults(arrays)
    values = np.concatenate([arrays.prices, arrays.amounts])
    repeated = again = np.zeros(len(frame), dtype=bool)
    if len(arrays.times) and not arrays.ascending:
        repeated = frame.duplicated("timestamp").to_numpy() & ~faults.time
        again = repeated & ~frame.duplicated().to_numpy()
    axes = TimeAxes(now) if axes is None else axes
    clock = (draft.timezone, draft.about.calendar)
    axis = axes.of(arrays.times[arrays.times != UNKNOWN], *clock)
    empty = int(np.isnan(values).sum()) + int(faults.time.sum()) - draft.unreadable
    counts: dict[str, Any] = {
        "gaps": len(axis.holes),
        "missing_candles": axis.missing,
        "duplicates": int(repeated.sum()),
        "conflicts": int(again.sum()),
        "unsorted": not axis.times.is_monotonic_increasing,
        "missing": empty,
        "unreadable": draft.unreadable + int(np.isinf(values).sum()),
        "non_positive": int(faults.non_positive.sum()),
        "impossible": int(faults.impossible.sum()),
        "zero_volume": 0 if arrays.volume is None else int((arrays.volume == 0).sum()),
    }
    good = usable(frame, arrays, faults)
    suspects = _suspects(arrays if good is frame else CandleArrays.of(good), axes, clock)
    affected = _affected(suspects)
    faulty = int((faults.any | again).sum())
    taken = deductions(
        {"faults": faulty, **affected, "gaps": axis.missing, "gaps_unclear": len(axis.unclear)}, len(frame)
    )
    return QualityReport(
        rows=len(frame),
        first=axis.ordered[0] if len(axis.times) else None,
        last=axis.ordered[-1] if len(axis.times) else None,
        interval=axis.interval,
        **counts,
        **affected,
        deductions=taken,
        marks=(*marks(good, suspects), *axis.marks),
        findings=(
            *draft.findings,
            *fault_findings(draft, arrays, faults, repeated, again),
            *_time_findings(axis, len(frame)),
            *suspicions(good, suspects),
        ),
    )


def _suspects(good: CandleArrays, axes: TimeAxes, clock: tuple[str | None, str | None]) -> Suspects:
    axis = axes.of(good.times, *clock)
    values = np.ascontiguousarray(good.prices.T)
    return suspect_arrays(values, good.volume, mixed=axis.mixed, unfinished=axis.unfinished)


def score_of(candles: CandleFrame, now: pd.Timestamp | None = None, axes: TimeAxes | None = None) -> int:
    """Return the score of candles that are ready for use; parameters as for `inspect`."""
    frame = candles.frame.rename_axis("row")
    return inspect(Draft(frame, candles.name, candles.source, candles.timezone, about=candles.about), now, axes).score


def _affected(suspects: Suspects) -> dict[str, Any]:
    return {
        "outliers": int(suspects.outliers.sum()),
        "jumps": int(suspects.jumps.sum()),
        "splits": len(suspects.splits),
        "stale": sum(map(len, suspects.stale)),
        "silent": sum(map(len, suspects.silent)),
        "mixed": sum(map(len, suspects.mixed)),
        "unfinished": int(suspects.unfinished),
    }


def _time_findings(axis: TimeAxis, rows: int) -> Iterator[Finding]:
    if len(axis.holes):
        yield _gap_finding(axis, rows)
    if len(axis.unclear):
        yield _unclear_finding(axis.unclear)


def _gap_finding(axis: TimeAxis, rows: int) -> Finding:
    said = _GAPS_BY_CALENDAR if axis.follows else _GAPS
    message = text(
        said.msgid, count=len(axis.holes), missing=axis.missing, longest=axis.longest[0], time=axis.longest[1],
        **({"calendar": axis.calendar} if axis.follows else {}),
    )  # fmt: skip
    return Finding("gaps", "warning" if axis.missing > 0.05 * rows else "info", message)


def _unclear_finding(unclear: pd.Series[int]) -> Finding:
    message = text(
        "{count} hole(s), the longest of {longest} candle(s) after {time}: the series is too short to tell whether"
        " these are gaps or breaks in trading. Choose its calendar, or add candles of more days.",
        count=len(unclear), longest=int(unclear.max()), time=str(unclear.idxmax()),
    )  # fmt: skip
    return Finding("gaps_unclear", "warning", message)


_GAPS = text(
    "{count} gap(s) where {missing} candle(s) are missing by the series' own pattern (holidays count, too);"
    " the longest, {longest} candle(s), follows {time}."
)
_GAPS_BY_CALENDAR = text(
    "{count} gap(s) where {missing} candle(s) are missing by the calendar {calendar};"
    " the longest, {longest} candle(s), follows {time}."
)
