"""Repairing a draft the way the user chose, with a table of everything that was changed."""

from __future__ import annotations

from collections.abc import Collection
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

    Attributes
    ----------
    choice
        `drop`, `ffill` or `keep`; None where nothing had to be chosen.
    dropped, filled, kept
        Rows left out (repeated times included), filled from the candle before, impossible candles left as they are.
    sorted
        Whether the rows had to be brought into the order of time.
    changes
        One line a changed cell: `row` (in the file), `timestamp`, `action` (`drop`, `fill` or that of a fix), `column`,
        and as text `before` and `after` (both empty where there is no value). All candles before a split change alike:
        of those the last one is listed.
    steps
        What was done beyond that, in order: the fixes that found something to do, and the change of interval.
    """

    candles: CandleFrame
    choice: str | None
    dropped: int
    filled: int
    kept: int
    sorted: bool
    changes: pd.DataFrame
    steps: tuple[Step, ...] = ()

    @property
    def touched(self) -> bool:
        """Return whether the candles are not simply those of the file."""
        return bool(self.dropped or self.filled or self.steps)

    @property
    def record(self) -> dict[str, Any]:
        """Return what is kept with the candles, JSON-ready."""
        return {
            "choice": self.choice,
            "dropped": self.dropped,
            "filled": self.filled,
            "kept": self.kept,
            "sorted": self.sorted,
            "steps": [step.to_dict() for step in self.steps],
        }


def apply(
    draft: Draft,
    choice: str | None = None,
    fixes: Collection[str] = (),
    interval: str | None = None,
    now: pd.Timestamp | None = None,
    arrays: CandleArrays | None = None,
) -> Repaired:
    """Return the draft's candles in the order of time, its faults treated as chosen.

    `drop` leaves faulty rows out. `ffill` turns them into flat candles at the close before, with no volume (a row of
    which only the volume is faulty takes the volume before); it looks back only, so faulty rows before the first good
    one are left out, as are rows without a time. `keep` leaves impossible candles alone. Of several rows at one time
    `drop` and `ffill` take the last good one. Exact duplicates are left out whatever the choice. No rows are added
    where time has gaps.

    What can be read and yet is suspicious is treated after that, as far as asked for, always in the order of `FIXES`;
    each fix sees what the one before it left. The interval changes last.

    Parameters
    ----------
    fixes
        Some of `FIXES`; one that finds nothing to do is no error.
    interval
        A coarser one, see `resample`.
    now
        When the draft was read, with zone; default the present.
    arrays
        Of the draft's frame, where they are known.

    Raises
    ------
    InvalidInput
        If a choice is needed and missing or unknown, if `keep` meets what no model can read, if a fix or an interval
        is not to be had, or if nothing is left.
    """
    wanted = check(fixes)
    _check(draft, choice)
    unique = ordered = draft.frame
    arrays = CandleArrays.of(ordered) if arrays is None else arrays
    if not arrays.ascending:
        ordered = ordered.sort_values("timestamp", kind="stable", na_position="last")
        unique = ordered[~ordered.duplicated()]
        arrays = CandleArrays.of(unique)
    faults = find_faults(arrays)
    result, touched = _treat(draft, unique, arrays, faults, choice)
    changes = [_changes(ordered, result, touched)]
    dropped = len(ordered) - len(result)
    steps = []
    clock = Clock(draft.timezone, draft.about.calendar, now)
    for name in wanted:
        fixed = fix(result, name, clock)
        if fixed.step is not None:
            changes.append(_fixed_cells(result, fixed))
            steps.append(fixed.step)
        result = fixed.frame
    if result.empty:
        raise InvalidInput(
            "nothing_left",
            text("No candle of “{name}” is left after the repair.", name=draft.name),
            text("Correct the file; see the quality report for what is wrong with its rows."),
        )
    candles = CandleFrame(
        result.set_axis(pd.RangeIndex(len(result))), draft.name, draft.source, draft.timezone, draft.about
    )
    if interval is not None:
        made = resample(candles, interval)
        candles = made.candles
        steps.append(made.step)
    return Repaired(
        candles=candles,
        choice=choice,
        dropped=dropped,
        filled=len(touched),
        kept=int((faults if result is unique else find_faults(result)).impossible.sum()),
        sorted=not ordered.index.is_monotonic_increasing,
        changes=_joined(changes),
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


def _treat(
    draft: Draft, unique: pd.DataFrame, arrays: CandleArrays, faults: Faults, choice: str | None
) -> tuple[pd.DataFrame, pd.Index[int]]:
    """Return the rows with their faults treated as chosen, and which of them were filled."""
    if choice in {None, "keep"}:
        _refuse(draft, unique, arrays, faults, choice)
        return unique, unique.index[:0]
    if choice == "drop":
        if arrays.ascending and not faults.any.any():
            return unique, unique.index[:0]
        good = unique[~faults.any]
        good = good if CandleArrays.of(good).ascending else good[~good.duplicated("timestamp", keep="last")]
        return good, good.index[:0]
    return _forward_fill(unique)


def _fixed_cells(before: pd.DataFrame, fixed: Fixed) -> pd.DataFrame:
    rows = before.loc[fixed.rows]
    gone = fixed.rows.difference(fixed.frame.index)
    after = None if len(gone) else fixed.frame.loc[fixed.rows]
    return _cells(rows, after, fixed.action, [name for name in FEATURES if name in before])


def _refuse(draft: Draft, frame: pd.DataFrame, arrays: CandleArrays, faults: Faults, choice: str | None) -> None:
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
    # A caller of the API sees no report beside this: the message must do.
    for finding in (f for f in inspect(draft).findings if f.severity == "error"):
        message = text("{one} {other}", one=message, other=finding.message)
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


def _changes(before: pd.DataFrame, after: pd.DataFrame, touched: pd.Index[int]) -> pd.DataFrame:
    """Return one line a changed cell, in the order of the file."""
    if after is before:
        return _NOTHING
    features = [name for name in FEATURES if name in before]
    gone = before.index.difference(after.index)
    parts = [
        _cells(before.loc[gone], None, "drop", features),
        _cells(before.loc[touched], after.loc[touched], "fill", features),
    ]
    return pd.concat(parts)


def _joined(changes: list[pd.DataFrame]) -> pd.DataFrame:
    lines = pd.concat(changes) if len(changes) > 1 else changes[0]
    if lines is _NOTHING:
        return lines
    return lines.sort_values("row", kind="stable", ignore_index=True) if len(lines) else lines.reset_index(drop=True)


def _cells(before: pd.DataFrame, after: pd.DataFrame | None, action: str, features: list[str]) -> pd.DataFrame:
    """Return the cells of these rows that differ, as text."""
    rows, width = len(before), len(features)
    old = before[features].to_numpy().ravel()
    new = np.full(old.shape, np.nan) if after is None else after[features].to_numpy().ravel()
    lines = pd.DataFrame({
        "row": np.repeat(before.index.to_numpy(), width),
        "timestamp": np.repeat(before["timestamp"].to_numpy(), width),
        "action": action,
        "column": np.tile(np.array(features, dtype=object), rows),
        "before": _as_text(old),
        "after": _as_text(new),
    })  # fmt: skip
    return lines if after is None else lines[old != new]


def _as_text(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[str]:
    return ["" if np.isnan(value) else f"{value:.10g}" for value in values]


_NOTHING = _cells(pd.DataFrame({"timestamp": pd.DatetimeIndex([]).as_unit("ns")}), None, "drop", [])
