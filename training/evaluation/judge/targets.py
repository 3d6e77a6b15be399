"""What each figure of the bundled model has to reach, and whether it does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from training.evaluation.inference import Estimate

Mark = Literal["reached", "close", "missed", "unknown"]


@dataclass(frozen=True)
class Target:
    """The range a figure has to lie in.

    Attributes
    ----------
    low, high
        Both ends count as reached, unless `below`: then the upper end does not.
    of_part
        The upper end for a single market, where that is another one.
    """

    label: str
    text: str
    low: float = -math.inf
    high: float = math.inf
    of_part: float | None = None
    below: bool = False

    def mark(self, found: Estimate, *, part: bool = False, chance: float | None = None) -> Mark:
        """Return whether a figure is there.

        Parameters
        ----------
        part
            It is that of a single market.
        chance
            Value that a right forecast may show by chance, for figures that have no interval.

        Returns
        -------
        str
            reached; close: it is not, but its 95 % interval overlaps the range, so that chance may be why; missed;
            unknown, where there is no figure.
        """
        high = self.of_part if part and self.of_part is not None else self.high
        if not math.isfinite(found.value):
            return "unknown"
        if self.low <= found.value <= high and not (self.below and found.value == high):
            return "reached"
        near = found.low is not None and found.high is not None and found.low <= high and found.high >= self.low
        return "close" if near or (chance is not None and found.value <= chance) else "missed"


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
