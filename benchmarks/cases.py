"""The cases to time, and the ratios to reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

from benchmarks.shapes import SHAPES

WINDOWS = ("exact", "fit", "strided")
DEFAULT_WINDOWS = ("exact", "fit")


@dataclass(frozen=True)
class Case:
    """One forecast to time.

    Attributes
    ----------
    size
        Key of `SHAPES`.
    series, samples
        Number of series, and of paths of each.
    history, horizon, context
        Candles of history, candles to forecast, maximum number of candles that the model sees.
    windows
        Settings of `window` to time.
    stride
        Candles that `strided` drops at a time.
    targets
        Ratio to the plain loop to reach, by window.
    """

    size: str
    series: int
    samples: int
    history: int
    horizon: int
    context: int
    windows: tuple[str, ...]
    stride: int = 64
    targets: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the case's name in tables."""
        paths = f"{self.samples} path{'s' * (self.samples > 1)}"
        return f"{self.size} {self.history}→{self.horizon} " + (f"{self.series} × " * (self.series > 1)) + paths

    @property
    def paths(self) -> int:
        """Return the number of paths of all series together."""
        return self.series * self.samples


def make_case(
    size: str,
    samples: int,
    series: int = 1,
    history: int = 400,
    horizon: int = 120,
    windows: Iterable[str] = DEFAULT_WINDOWS,
    stride: int = 64,
    **targets: float,
) -> Case:
    """Return a case in the size's own context; if that never fills, all windows are equal and only `exact` is timed."""
    context = SHAPES[size].context
    different = tuple(windows) if history + horizon > context else ("exact",)
    return Case(size, series, samples, history, horizon, context, different, stride, targets)


def quick_cases() -> list[Case]:
    """Return the cases of a plain `make bench`: the shape of kronos-nano, about a minute."""
    return [*(make_case("nano", samples) for samples in (1, 5, 30)), make_case("nano", 5, 8, 90, 10)]


def promised_cases() -> list[Case]:
    """Return the cases with promised ratios."""
    return [
        make_case("small", 1, exact=9, fit=22),
        make_case("small", 5, exact=26, fit=60),
        make_case("small", 30, exact=45, fit=110),
        make_case("mini", 20, exact=90),
        make_case("base", 1, exact=10, fit=24),
        make_case("small", 1, series=8, exact=11, fit=28),
        make_case("small", 5, series=20, history=90, horizon=10, exact=24),
    ]


def combine_cases(
    sizes: Iterable[str],
    samples: Iterable[int],
    lengths: Iterable[tuple[int, int]],
    series: Iterable[int],
    windows: Iterable[str],
    stride: int,
) -> list[Case]:
    """Return every combination; `lengths` are pairs of history and horizon."""
    windows = tuple(windows)
    return [
        make_case(size, paths, count, history, horizon, windows, stride)
        for size, (history, horizon), count, paths in product(sizes, lengths, series, samples)
    ]
