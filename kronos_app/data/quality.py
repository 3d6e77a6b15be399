"""What is wrong with a draft, counted and said in words before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from kronos_app.data import calendars
from kronos_app.data.candle_frame import FEATURES, CandleFrame, most_frequent_step
from kronos_app.data.checks.holes import unclear_holes
from kronos_app.data.checks.suspects import Suspects, suspect
from kronos_app.data.checks.telling import MOST_MARKS, Mark, marks
from kronos_app.data.checks.telling import findings as suspicions
from kronos_app.data.draft import Draft, Finding
from kronos_app.data.faults import Faults, find_faults, is_ascending, usable
from kronos_app.data.faults import findings as fault_findings
from kronos_app.data.score import Deduction, deductions, score
from kronos_app.data.sessions import nanoseconds
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
        return asdict(self) | {
            "first": None if self.first is None else self.first.isoformat(),
            "last": None if self.last is None else self.last.isoformat(),
            "interval": self.interval.total_seconds(),
            "clean": self.clean,
            "score": self.score,
            "deductions": [deduction.to_dict() for deduction in self.deductions],
            "marks": [mark.to_dict() for mark in self.marks],
            "findings": [finding.to_dict() for finding in self.findings],
        }


def inspect(draft: Draft, now: pd.Timestamp | None = None) -> QualityReport:
    """Return the quality report of a draft; nothing is changed.

    Parameters
    ----------
    now
        When the draft was read, with zone; default the present. It tells whether the last candle had ended.
    """
    frame = draft.frame
    faults = find_faults(frame)
    numbers = np.array([frame[name].to_numpy(np.float64) for name in FEATURES if name in frame])
    infinite = np.isinf(numbers)
    times = pd.DatetimeIndex(frame.get("timestamp", []))
    known = times[times.notna()]
    ascending_rows = is_ascending(frame)
    repeated = again = pd.Series(False, index=frame.index)
    if len(times) and not ascending_rows:
        repeated = frame.duplicated("timestamp") & ~faults.time
        again = repeated & ~frame.duplicated()
    holes = calendars.gaps(known, draft.timezone, draft.about.calendar)
    unclear = _unclear_holes(known, draft)
    ascending = known if ascending_rows else known.sort_values()
    empty = int(np.isnan(numbers).sum()) + int(faults.time.sum()) - draft.unreadable
    counts: dict[str, Any] = {
        "gaps": len(holes),
        "missing_candles": int(holes.sum()),
        "duplicates": int(repeated.sum()),
        "conflicts": int(again.sum()),
        "unsorted": not known.is_monotonic_increasing,
        "missing": empty,
        "unreadable": draft.unreadable + int(infinite.sum()),
        "non_positive": int(faults.non_positive.sum()),
        "impossible": int(faults.impossible.sum()),
        "zero_volume": int((frame["volume"].to_numpy() == 0).sum()) if "volume" in frame else 0,
    }
    good = usable(frame, faults)
    suspects = suspect(good, timezone=draft.timezone, calendar=draft.about.calendar, now=now)
    affected = _affected(suspects)
    faulty = int((faults.any | again).sum())
    taken = deductions(
        {"faults": faulty, **affected, "gaps": counts["missing_candles"], "gaps_unclear": len(unclear)}, len(frame)
    )
    return QualityReport(
        rows=len(frame),
        first=ascending[0] if len(known) else None,
        last=ascending[-1] if len(known) else None,
        interval=most_frequent_step(ascending),
        **counts,
        **affected,
        deductions=taken,
        marks=(*marks(good, suspects), *_gap_marks(holes, ascending), *_gap_marks(unclear, ascending)),
        findings=(*draft.findings, *_findings(draft, faults, repeated, again, holes, unclear, good, suspects)),
    )


def score_of(candles: CandleFrame, now: pd.Timestamp | None = None) -> int:
    """Return the score of candles that are ready for use."""
    frame = candles.frame.rename_axis("row")
    return inspect(Draft(frame, candles.name, candles.source, candles.timezone, about=candles.about), now).score


def _findings(
    draft: Draft,
    faults: Faults,
    repeated: pd.Series[bool],
    again: pd.Series[bool],
    holes: pd.Series[int],
    unclear: pd.Series[int],
    good: pd.DataFrame,
    suspects: Suspects,
) -> Iterator[Finding]:
    yield from fault_findings(draft, faults, repeated, again)
    if len(holes):
        yield _gap_finding(holes, draft)
    if len(unclear):
        yield _unclear_finding(unclear)
    yield from suspicions(good, suspects)


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


def _gap_marks(holes: pd.Series[int], ascending: pd.DatetimeIndex) -> list[Mark]:
    """Return the widest gaps, from the candle before to the candle after."""
    if holes.empty:
        return []
    widest = holes.nlargest(MOST_MARKS).sort_index()
    after = ascending[np.minimum(ascending.searchsorted(widest.index, side="right"), len(ascending) - 1)]
    return [Mark("gaps", first, last) for first, last in zip(widest.index, after, strict=True)]


def _gap_finding(holes: pd.Series[int], draft: Draft) -> Finding:
    times = pd.DatetimeIndex(draft.frame["timestamp"])
    calendar = draft.about.calendar
    followed = calendars.share(times[times.notna()], draft.timezone, calendar) is not None
    longest = holes.idxmax()
    said = _GAPS_BY_CALENDAR if followed else _GAPS
    message = text(
        said.msgid, count=len(holes), missing=int(holes.sum()), longest=int(holes.max()), time=str(longest),
        **({"calendar": calendar} if followed else {}),
    )  # fmt: skip
    return Finding("gaps", "warning" if holes.sum() > 0.05 * len(draft) else "info", message)


def _unclear_holes(known: pd.DatetimeIndex, draft: Draft) -> pd.Series[int]:
    """Return the holes of which neither a calendar nor the series itself says whether they are breaks in trading."""
    unclear = unclear_holes(nanoseconds(known))
    if len(unclear) and calendars.share(known, draft.timezone, draft.about.calendar) is not None:
        return unclear.iloc[:0]
    return unclear


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
