"""Repairs a draft as the user chose, with a table of everything that was changed.

    drop     leaves faulty rows out
    ffill    turns them into flat candles at the close before, with no volume; a row of which only the volume is faulty
             takes the volume before. Rows without a time and faulty rows before the first good one are left out
    keep     leaves impossible candles as they are

Of several rows at one time `drop` and `ffill` take the last good one. Exact duplicates are left out in any case.
No rows are added where time has gaps.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kronos_app.data.candle_arrays import CandleArrays
from kronos_app.data.candle_frame import FEATURES, PRICES, CandleFrame
from kronos_app.data.checks.faults import Faults, find_faults, first_rows
from kronos_app.data.checks.fixes import Clock, Fixed, Step, check
from kronos_app.data.checks.fixes import apply as fix
from kronos_app.data.checks.quality import inspect
from kronos_app.data.draft import Draft
from kronos_app.data.resample import resample
from kronos_app.data.upload.refusals import mapping_hint
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

REPAIRS = ("drop", "ffill", "keep")
CHANGES = ("row", "timestamp", "action", "column", "before", "after")


@dataclass(frozen=True)
class Repaired:
    """Candles ready for use and what was done to them.

    `changes` has one line a changed cell: `row` (in the file), `timestamp`, `action` (`drop`, `fill` or that of a fix),
    `column`, and as text `before` and `after`, empty where there is no value. All candles before a split change alike:
    the last of them is listed.
    """

    candles: CandleFrame
    choice: str | None  # `drop`, `ffill` or `keep`; None where it changed nothing
    dropped: int  # rows left out, repeated times included
    filled: int  # rows filled from the candle before
    kept: int  # impossible candles left as they are
    sorted: bool  # whether the rows had to be sorted by time
    changes: pd.DataFrame
    steps: tuple[Step, ...] = ()  # the fixes that changed something, in order, and the change of interval

    @property
    def touched(self) -> bool:
        """Return whether the candles are not simply those of the file."""
        return bool(self.dropped or self.filled or self.steps)

    @property
    def record(self) -> dict[str, Any]:
        """Return what is stored with the candles, JSON-ready."""
        counts = {name: getattr(self, name) for name in ("choice", "dropped", "filled", "kept", "sorted")}
        return {**counts, "steps": [step.to_dict() for step in self.steps]}


def has_repaired_rows(record: Mapping[str, Any]) -> bool:
    """Return whether rows were left out, filled or changed, from `Repaired.record`; a coarser interval is no repair."""
    steps = [step for step in record.get("steps", ()) if step["kind"] != "resample"]
    return bool(record.get("dropped") or record.get("filled") or steps)


def apply(
    draft: Draft,
    choice: str | None = None,
    fixes: Collection[str] = (),
    interval: str | None = None,
    now: pd.Timestamp | None = None,
    arrays: CandleArrays | None = None,
) -> Repaired:
    """Return the draft's candles in the order of time, its faults treated as `choice` says.

    The `fixes` (some of `FIXES`, in that order) follow, each on the result of the one before, and a coarser `interval`
    (see `resample`) last. `now`, with zone, is when the draft was read; `arrays` are those of its frame, if computed.

    Raises
    ------
    InvalidInput
        A choice is needed and missing or unknown, `keep` meets what no model can read, a fix or an interval does not
        exist, or nothing is left.
    """
    names = check(fixes)
    _check(draft, choice)
    ordered, treated, filled = _treat(draft, CandleArrays.of(draft.frame) if arrays is None else arrays, choice)
    fixed, steps, changes = _fix(treated, names, Clock(draft.timezone, draft.about.calendar, now))
    if fixed.empty:
        raise InvalidInput(
            "nothing_left",
            text("No candle of “{name}” is left after the repair.", name=draft.name),
            text("Correct the file; see the quality report for what is wrong with its rows."),
        )
    dropped = len(ordered) - len(treated)
    kept = int(find_faults(fixed).impossible.sum()) if choice == "keep" else 0
    frame = fixed.set_axis(pd.RangeIndex(len(fixed)))
    candles = CandleFrame(frame, draft.name, draft.source, draft.timezone, draft.about)
    if interval is not None:
        resampled = resample(candles, interval)
        candles, steps = resampled.candles, [*steps, resampled.step]
    return Repaired(
        candles=candles,
        choice=choice if dropped or filled.size or kept else None,
        dropped=dropped,
        filled=filled.size,
        kept=kept,
        sorted=not ordered.index.is_monotonic_increasing,
        changes=_join([_treated_cells(ordered, treated, filled), *changes]),
        steps=tuple(steps),
    )


def _check(draft: Draft, choice: str | None) -> None:
    """Refuse an unknown choice, and a draft that has no times yet."""
    if choice is not None and choice not in REPAIRS:
        raise InvalidInput(
            "unknown_repair",
            text("There is no repair “{choice}”.", choice=str(choice)),
            text("Choose one of {choices}.", choices=", ".join(REPAIRS)),
        )
    if draft.needs_timestamps:
        raise InvalidInput(
            "no_timestamps",
            text("“{name}” has no time column.", name=draft.name),
            mapping_hint(text("State when the series starts and its interval."), draft.unused, "timestamp"),
        )


def _treat(draft: Draft, arrays: CandleArrays, choice: str | None) -> tuple[pd.DataFrame, pd.DataFrame, pd.Index[int]]:
    """Return the rows in the order of time, the same with their faults treated, and which of them were filled."""
    unique = ordered = draft.frame
    if not arrays.ascending:
        ordered = ordered.sort_values("timestamp", kind="stable", na_position="last")
        unique = ordered[~ordered.duplicated()]
        arrays = CandleArrays.of(unique)
    if choice == "ffill":
        return ordered, *_forward_fill(unique)
    faults = find_faults(arrays)
    if choice != "drop":
        _refuse_faults(draft, unique, arrays, faults, choice)
    elif not arrays.ascending or faults.any.any():
        unique = unique[~faults.any]
        if not CandleArrays.of(unique).ascending:
            unique = unique[~unique.duplicated("timestamp", keep="last")]
    return ordered, unique, unique.index[:0]


def _refuse_faults(draft: Draft, frame: pd.DataFrame, arrays: CandleArrays, faults: Faults, choice: str | None) -> None:
    """Raise if the rows cannot stay as they are: for no choice any fault, for `keep` what no model can read."""
    bad = faults.unusable if choice == "keep" else faults.any
    if not arrays.ascending:
        bad = bad | (frame.duplicated("timestamp").to_numpy() & ~faults.time)
    if not bad.any():
        return
    rows = ", ".join(str(row) for row in first_rows(bad, frame.index))
    count = int(bad.sum())
    if choice == "keep":
        message = text(
            "{count} row(s) cannot be kept, first rows {rows}: a time that is absent or repeated, or a value that is"
            " absent, infinite or a price of zero or less.",
            count=count, rows=rows,
        )  # fmt: skip
        raise InvalidInput("cannot_keep", message, text("Choose to drop these rows or to fill them forward."))
    message = text("“{name}” has {count} faulty row(s), first rows {rows}.", name=draft.name, count=count, rows=rows)
    # The API's callers see no report beside this message.
    for finding in (f for f in inspect(draft).findings if f.severity == "error"):
        message += finding.message
    raise InvalidInput("repair_needed", message, text("Choose a repair: drop, ffill (forward-fill) or keep."))


def _forward_fill(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.Index[int]]:
    """Return the frame with faulty rows filled from the last good candle before each, and the rows that were filled."""
    frame = frame[frame["timestamp"].notna()]
    # Of several rows at one time the last good one counts, or the last one if none is good.
    frame = frame.assign(good=~find_faults(frame).any).sort_values(["timestamp", "good"], kind="stable")
    frame = frame[~frame.duplicated("timestamp", keep="last")]
    frame = frame[frame["good"].cummax()]
    faulty = ~frame.pop("good")
    faults = find_faults(frame)
    flat = faults.price | faults.non_positive | find_faults(frame[list(PRICES)]).impossible
    filled = frame.copy()
    close = frame["close"].where(~flat).ffill()  # a row with only a faulty volume has a true close
    for name in PRICES:
        filled[name] = frame[name].mask(flat, close)
    for name in (name for name in FEATURES[4:] if name in frame):
        readable = np.isfinite(frame[name]) & (frame[name] >= 0)
        filled[name] = frame[name].where(readable & ~flat).ffill().mask(flat, 0.0)
    return filled, frame.index[faulty]


def _fix(frame: pd.DataFrame, names: list[str], clock: Clock) -> tuple[pd.DataFrame, list[Step], list[pd.DataFrame]]:
    """Return the candles after the fixes, the steps that changed something, and the cells that they changed."""
    steps, changes = [], []
    for name in names:
        fixed = fix(frame, name, clock)
        if fixed.step is not None:
            changes.append(_fixed_cells(frame, fixed))
            steps.append(fixed.step)
        frame = fixed.frame
    return frame, steps, changes


def _fixed_cells(before: pd.DataFrame, fixed: Fixed) -> pd.DataFrame:
    dropped = len(fixed.rows.difference(fixed.frame.index)) > 0
    return _cells(before.loc[fixed.rows], None if dropped else fixed.frame.loc[fixed.rows], fixed.action)


def _treated_cells(before: pd.DataFrame, after: pd.DataFrame, filled: pd.Index[int]) -> pd.DataFrame:
    if after is before:
        return _NOTHING
    dropped = _cells(before.loc[before.index.difference(after.index)], None, "drop")
    return pd.concat([dropped, _cells(before.loc[filled], after.loc[filled], "fill")])


def _join(changes: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the changed cells in the order of the file."""
    lines = pd.concat(changes) if len(changes) > 1 else changes[0]
    if lines is _NOTHING:
        return lines
    return lines.sort_values("row", kind="stable", ignore_index=True) if len(lines) else lines.reset_index(drop=True)


def _cells(before: pd.DataFrame, after: pd.DataFrame | None, action: str) -> pd.DataFrame:
    """Return the cells of these rows that differ, as text."""
    features = [name for name in FEATURES if name in before]
    old = before[features].to_numpy().ravel()
    new = np.full(old.shape, np.nan) if after is None else after[features].to_numpy().ravel()
    lines = pd.DataFrame({
        "row": np.repeat(before.index.to_numpy(), len(features)),
        "timestamp": np.repeat(before["timestamp"].to_numpy(), len(features)),
        "action": action,
        "column": np.tile(np.array(features, dtype=object), len(before)),
        "before": _as_text(old),
        "after": _as_text(new),
    })  # fmt: skip
    return lines if after is None else lines[old != new]


def _as_text(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[str]:
    return ["" if np.isnan(value) else f"{value:.10g}" for value in values]


_NOTHING = _cells(pd.DataFrame({"timestamp": pd.DatetimeIndex([]).as_unit("ns")}), None, "drop")
