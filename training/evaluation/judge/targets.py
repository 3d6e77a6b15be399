"""The target of each figure, and whether it is reached."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from training.evaluation.inference import Estimate

Mark = Literal["reached", "close", "missed", "unknown"]


@dataclass(frozen=True)
class Target:
    """The range of a figure; both ends are reached, the upper one not if `below`.

    `of_part` is the upper end for a single market, where it differs.
    """

    label: str
    text: str
    low: float = -math.inf
    high: float = math.inf
    of_part: float | None = None
    below: bool = False

    def mark(self, figure: Estimate, *, part: bool = False, chance: float | None = None) -> Mark:
        """Return whether a figure reaches the target.

        close: its 95 % interval overlaps the range, or it is not above `chance`, the value that a perfect forecast may
        show by chance. unknown: it is not finite. `part`: it is of a single market.
        """
        high = self.of_part if part and self.of_part is not None else self.high
        if not math.isfinite(figure.value):
            return "unknown"
        if self.low <= figure.value <= high and not (self.below and figure.value == high):
            return "reached"
        near = figure.low is not None and figure.high is not None and figure.low <= high and figure.high >= self.low
        return "close" if near or (chance is not None and figure.value <= chance) else "missed"


TARGETS: dict[str, Target] = {
    "crps_ratio": Target("CRPS ÷ best baseline's", "≤ 0.98 (1.02)", high=0.98, of_part=1.02),
    "coverage_90": Target("coverage, 90 % band", "0.88–0.92", low=0.88, high=0.92),
    "coverage_80": Target("coverage, 80 % band", "0.78–0.82", low=0.78, high=0.82),
    "ks": Target("KS distance, last PIT", "≤ 0.05", high=0.05),
    "volatility_ratio": Target("volatility ÷ EWMA's", "≤ 0.90", high=0.90),
    "pull": Target("pull to the mean", "within ± 0.05", low=-0.05, high=0.05),
    "first_gap": Target("first-candle gap", "≤ 1", high=1.0),
    "impossible": Target("impossible candles", "< 0.001", high=0.001, below=True),
}
