"""What is timed: plans of cases, and the ratios to reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product

from benchmarks.shapes import SHAPES

WINDOWS = ("exact", "fit", "strided")


@dataclass(frozen=True)
class Case:
    """One piece of work.

    Attributes
    ----------
    size
        Key of `SHAPES`.
    series, samples
        Number of series, and paths drawn for each.
    history, horizon, context
        Candles handed in, candles to forecast, most candles the model sees.
    windows
        Ways to treat what exceeds the context, each timed.
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
        """Return what a reader knows the case by."""
        paths = f"{self.samples} path{'s' * (self.samples > 1)}"
        return f"{self.size} {self.history}→{self.horizon} " + (f"{self.series} × " * (self.series > 1)) + paths

    @property
    def paths(self) -> int:
        """Return the number of paths of all series together."""
        return self.series * self.samples


def make_case(
    size: str,
    samples: int,
    *,
    series: int = 1,
    history: int = 400,
    horizon: int = 120,
    windows: Iterable[str] = ("exact", "fit"),
) -> Case:
    """Return a case in the size's own context; where that never fills, all windows are one and only `exact` is kept."""
    context = SHAPES[size].context
    kept = ("exact",) if history + horizon <= context else tuple(windows)
    return Case(size, series, samples, history, horizon, context, kept)


def quick(windows: Iterable[str] = ("exact", "fit")) -> list[Case]:
    """Return what `make bench` runs unasked: kronos-nano's shape, a minute or so."""
    cases = [make_case("nano", samples, windows=windows) for samples in (1, 5, 30)]
    return [*cases, make_case("nano", 5, series=8, history=90, horizon=10, windows=windows)]


def table(windows: Iterable[str] = ("exact", "fit")) -> list[Case]:
    """Return the cases whose ratios are promised."""
    small = partial(make_case, "small", windows=windows)
    return [
        replace(small(1), targets={"exact": 9, "fit": 22}),
        replace(small(5), targets={"exact": 26, "fit": 60}),
        replace(small(30), targets={"exact": 45, "fit": 110}),
        replace(make_case("mini", 20, windows=windows), targets={"exact": 90}),
        replace(make_case("base", 1, windows=windows), targets={"exact": 10, "fit": 24}),
        replace(small(1, series=8), targets={"exact": 11, "fit": 28}),
        replace(small(5, series=20, history=90, horizon=10), targets={"exact": 24}),
    ]


def grid(
    sizes: Iterable[str],
    samples: Iterable[int],
    lengths: Iterable[tuple[int, int]],
    series: Iterable[int],
    windows: Iterable[str],
) -> list[Case]:
    """Return every combination; `lengths` are pairs of history and horizon."""
    windows = tuple(windows)
    return [
        make_case(size, count, series=many, history=history, horizon=horizon, windows=windows)
        for size, (history, horizon), many, count in product(sizes, lengths, series, samples)
    ]
