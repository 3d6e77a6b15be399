"""What is wrong with a draft, counted and described before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from kronos_app.data.candle_arrays import UNKNOWN, CandleArrays
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.data.checks import faults as row_faults
from kronos_app.data.checks import findings as suspicions
from kronos_app.data.checks.faults import Faults, Mask, find_faults, usable
from kronos_app.data.checks.findings import Mark
from kronos_app.data.checks.score import Deduction, deductions, score
from kronos_app.data.checks.suspects import Suspects, suspect_arrays
from kronos_app.data.draft import Draft, Finding
from kronos_app.data.time_axis import TimeAxes, TimeAxis
from kronos_app.i18n import text


@dataclass(frozen=True)
class QualityReport:
    """Counts and findings of one draft."""

    rows: int  # candles in the file
    first: pd.Timestamp | None  # of the readable times
    last: pd.Timestamp | None
    interval: pd.Timedelta  # most frequent step between candles; zero where unknown
    gaps: int  # places where candles are missing by the calendar, or else by the series' own pattern
    missing_candles: int  # in all gaps
    duplicates: int  # rows that repeat the time of an earlier row
    conflicts: int  # those of them with other values
    unsorted: bool
    missing: int  # empty cells
    unreadable: int  # cells that are no number or time, infinities included
    non_positive: int  # rows with a price of zero or less
    impossible: int  # rows whose high is not the highest, low not the lowest, or volume negative
    zero_volume: int
    findings: tuple[Finding, ...]
    # What can be read and yet is suspicious, see `Suspects`: candles, or for splits and `unfinished` a count.
    outliers: int = 0
    jumps: int = 0
    splits: int = 0
    stale: int = 0
    silent: int = 0
    mixed: int = 0
    unfinished: int = 0
    deductions: tuple[Deduction, ...] = ()  # from the score
    marks: tuple[Mark, ...] = ()  # where suspicions and gaps are, at most a hundred of a kind

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
            **{name: [part.to_dict() for part in getattr(self, name)] for name in ("deductions", "marks", "findings")},
        }


def inspect(
    draft: Draft, now: pd.Timestamp | None = None, axes: TimeAxes | None = None, arrays: CandleArrays | None = None
) -> QualityReport:
    """Return the quality report of a draft; nothing is changed.

    Parameters
    ----------
    now
        When the draft was read, with zone; default the present. It decides whether the last candle had ended.
    axes
        Of many drafts that are inspected one after the other, in place of `now`: what depends on times alone is
        computed once for all drafts of the same times.
    arrays
        Of the draft's frame, where they are computed already.
    """
    frame = draft.frame
    arrays = CandleArrays.of(frame) if arrays is None else arrays
    axes = TimeAxes(now) if axes is None else axes
    faults = find_faults(arrays)
    repeated, conflicting = _find_duplicates(frame, arrays, faults)
    clock = (draft.timezone, draft.about.calendar)
    axis = axes.of(arrays.times[arrays.times != UNKNOWN], *clock)
    good = usable(frame, arrays, faults)
    good_arrays = arrays if good is frame else CandleArrays.of(good)
    good_axis = axes.of(good_arrays.times, *clock)
    suspects = suspect_arrays(
        np.ascontiguousarray(good_arrays.prices.T), good_arrays.volume, mixed=good_axis.mixed,
        unfinished=good_axis.unfinished,
    )  # fmt: skip
    counts = _count_suspects(suspects)
    faulty = int((faults.any | conflicting).sum())
    affected = {"faults": faulty, **counts, "gaps": axis.missing, "gaps_unclear": len(axis.unclear)}
    return QualityReport(
        rows=len(frame),
        first=axis.ordered[0] if len(axis.times) else None,
        last=axis.ordered[-1] if len(axis.times) else None,
        interval=axis.interval,
        gaps=len(axis.holes),
        missing_candles=axis.missing,
        duplicates=int(repeated.sum()),
        conflicts=int(conflicting.sum()),
        unsorted=not axis.times.is_monotonic_increasing,
        **_count_faults(draft, arrays, faults),
        **counts,
        deductions=deductions(affected, len(frame)),
        marks=(*suspicions.marks(good, suspects), *axis.marks),
        findings=(
            *draft.findings,
            *row_faults.findings(draft, arrays, faults, repeated, conflicting),
            *_gap_findings(axis, len(frame)),
            *suspicions.findings(good, suspects),
        ),
    )


def score_of(candles: CandleFrame, now: pd.Timestamp | None = None, axes: TimeAxes | None = None) -> int:
    """Return the score of candles that are ready for use; parameters as for `inspect`."""
    frame = candles.frame.rename_axis("row")
    return inspect(Draft(frame, candles.name, candles.source, candles.timezone, about=candles.about), now, axes).score


def _find_duplicates(frame: pd.DataFrame, arrays: CandleArrays, faults: Faults) -> tuple[Mask, Mask]:
    """Return which rows repeat the time of an earlier row, and which of them have other values."""
    if arrays.ascending or not len(arrays.times):
        return np.zeros(len(frame), dtype=bool), np.zeros(len(frame), dtype=bool)
    repeated = frame.duplicated("timestamp").to_numpy() & ~faults.time
    return repeated, repeated & ~frame.duplicated().to_numpy()


def _count_faults(draft: Draft, arrays: CandleArrays, faults: Faults) -> dict[str, int]:
    values = np.concatenate([arrays.prices, arrays.amounts])
    return {
        "missing": int(np.isnan(values).sum()) + int(faults.time.sum()) - draft.unreadable,
        "unreadable": draft.unreadable + int(np.isinf(values).sum()),
        "non_positive": int(faults.non_positive.sum()),
        "impossible": int(faults.impossible.sum()),
        "zero_volume": 0 if arrays.volume is None else int((arrays.volume == 0).sum()),
    }


def _count_suspects(suspects: Suspects) -> dict[str, int]:
    return {
        "outliers": int(suspects.outliers.sum()),
        "jumps": int(suspects.jumps.sum()),
        "splits": len(suspects.splits),
        "stale": sum(map(len, suspects.stale)),
        "silent": sum(map(len, suspects.silent)),
        "mixed": sum(map(len, suspects.mixed)),
        "unfinished": int(suspects.unfinished),
    }


def _gap_findings(axis: TimeAxis, rows: int) -> Iterator[Finding]:
    if len(axis.holes):
        longest, time = axis.longest
        values: dict[str, Any] = {
            "count": len(axis.holes), "missing": axis.missing, "longest": longest, "time": time
        }  # fmt: skip
        if axis.follows:
            message = text(
                "{count} gap(s) where {missing} candle(s) are missing by the calendar {calendar};"
                " the longest, {longest} candle(s), follows {time}.",
                **values, calendar=axis.calendar,
            )  # fmt: skip
        else:
            message = text(
                "{count} gap(s) where {missing} candle(s) are missing by the series' own pattern (holidays count, too);"
                " the longest, {longest} candle(s), follows {time}.",
                **values,
            )  # fmt: skip
        yield Finding("gaps", "warning" if axis.missing > 0.05 * rows else "info", message)
    if len(axis.unclear):
        message = text(
            "{count} hole(s), the longest of {longest} candle(s) after {time}: the series is too short to decide"
            " whether these are gaps or breaks in trading. Choose its calendar, or add candles of more days.",
            count=len(axis.unclear), longest=int(axis.unclear.max()), time=str(axis.unclear.idxmax()),
        )  # fmt: skip
        yield Finding("gaps_unclear", "warning", message)
