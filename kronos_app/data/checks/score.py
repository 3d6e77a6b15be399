"""How far candles can be trusted, from 0 to 100, and why points were deducted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kronos_app.i18n import Text, text

BEST = 100
GOOD, FAIR = 90, 70


@dataclass(frozen=True)
class Weight:
    """Points that a fault costs: `least` if there is any, `by_share` times its share of the candles, at most `most`."""

    label: Text
    least: float
    by_share: float
    most: float


# Weighed by what a model makes of it. A split not adjusted for is a move that never happened, larger than all others;
# mixed intervals are two series in one; a few bad candles in thousands hardly matter unless they are the last ones.
WEIGHTS: Mapping[str, Weight] = {
    "faults": Weight(text("Faulty rows"), 5, 300, 60),
    "splits": Weight(text("Splits not adjusted for"), 20, 2_000, 40),
    "mixed": Weight(text("Mixed intervals"), 30, 50, 50),
    "outliers": Weight(text("Outliers"), 3, 500, 25),
    "jumps": Weight(text("Jumps to another level"), 2, 500, 10),
    "stale": Weight(text("Stale prices"), 5, 100, 30),
    "silent": Weight(text("Stretches without volume"), 2, 50, 15),
    "gaps": Weight(text("Missing candles"), 0, 100, 30),
    "gaps_unclear": Weight(text("Holes that may be lost candles"), 5, 0, 5),
    "unfinished": Weight(text("Unfinished last candle"), 5, 0, 5),
}
# Holidays are gaps to a series whose calendar is not known: nine in the 261 workdays of a year.
HOLIDAYS = 0.05


@dataclass(frozen=True)
class Deduction:
    """Points deducted for one kind of fault."""

    code: str
    points: int

    @property
    def label(self) -> Text:
        """Return the kind of fault."""
        return WEIGHTS[self.code].label

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form, the label still to be translated."""
        return {"code": self.code, "points": self.points, "label": self.label.to_dict()}


def deductions(affected: Mapping[str, int], rows: int) -> tuple[Deduction, ...]:
    """Return the deductions, the largest first.

    Parameters
    ----------
    affected
        By code of `WEIGHTS`, how many candles are affected; for gaps how many are missing.
    rows
        How many candles there are.
    """
    result = []
    for code, count in affected.items():
        share = count / max(rows, 1)
        if not count or (code == "gaps" and share <= HOLIDAYS):
            continue
        weight = WEIGHTS[code]
        result.append(Deduction(code, math.ceil(min(weight.least + weight.by_share * share, weight.most))))
    return tuple(sorted(result, key=lambda deduction: -deduction.points))


def score(deductions: tuple[Deduction, ...]) -> int:
    """Return the score that is left, from 0 to 100."""
    return max(BEST - sum(deduction.points for deduction in deductions), 0)
