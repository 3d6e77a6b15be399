"""The engine and the plain loop by turns in one process: what slows the machine slows both."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.cases import Case
from benchmarks.shapes import Inputs, random_walks
from benchmarks.yardstick import Prepared, plain_seconds, prepare
from engine.predictor import KronosPredictor
from engine.sampling import Sampling

ENOUGH = 1.0  # seconds of fast runs a round, but
MOST_RUNS = 5


@dataclass
class Timing:
    """Seconds of every run: of the plain loop, and of the engine by window, whose first run of all is kept apart."""

    plain: list[float] = field(default_factory=list)
    fast: dict[str, list[float]] = field(default_factory=dict)
    first: dict[str, float] = field(default_factory=dict)

    def plain_median(self) -> float:
        """Return the median of the plain loop's runs."""
        return median(self.plain)

    def fast_median(self, window: str) -> float:
        """Return the median of the engine's runs."""
        return median(self.fast[window])

    def ratio(self, window: str) -> float:
        """Return how many times faster the engine is."""
        return self.plain_median() / self.fast_median(window)


def time_case(
    predictor: KronosPredictor,
    plain: KronosPredictor,
    case: Case,
    sampling: Sampling,
    *,
    rounds: int,
    plain_steps: int | None,
) -> Timing:
    """Return the seconds of `case` over some rounds of fast runs and one plain run, after one of each unmeasured.

    Parameters
    ----------
    predictor, plain
        The engine, and whose networks the plain loop runs: the same, unless the engine keeps reduced weights.
    """
    inputs = random_walks(case.series, case.history, case.horizon)
    prepared = prepare(inputs, plain)
    timing = Timing(fast={window: [] for window in case.windows})
    for window in case.windows:
        timing.first[window] = _timed(predictor, case, inputs, window, sampling)
    _warm(plain, prepared, case, sampling)
    for _ in range(rounds):
        for window in case.windows:
            timing.fast[window] += _repeat(predictor, case, inputs, window, sampling)
        timing.plain.append(plain_seconds(plain, prepared, case, sampling, plain_steps))
    return timing


def run(predictor: KronosPredictor, case: Case, inputs: Inputs, window: str, sampling: Sampling) -> None:
    """Forecast the series of `inputs` once, from data frames to finished forecasts."""
    predictor.forecast_batch(
        *inputs.parts(),
        samples=case.samples,
        temperature=sampling.temperature,
        top_k=sampling.top_k,
        top_p=sampling.top_p,
        seed=0,
        window=window,
        stride=case.stride,
    )


def scaling_error(
    predictor: KronosPredictor, case: Case, sampling: Sampling, steps: int, rounds: int
) -> tuple[float, float]:
    """Return the seconds of the whole plain loop and those scaled from `steps` steps, medians of runs by turns."""
    prepared = prepare(random_walks(case.series, case.history, case.horizon), predictor)
    _warm(predictor, prepared, case, sampling)
    pairs: Sequence[tuple[float, float]] = [
        (plain_seconds(predictor, prepared, case, sampling), plain_seconds(predictor, prepared, case, sampling, steps))
        for _ in range(rounds)
    ]
    whole, scaled = (median(one) for one in zip(*pairs, strict=True))
    return whole, scaled


def _repeat(predictor: KronosPredictor, case: Case, inputs: Inputs, window: str, sampling: Sampling) -> list[float]:
    seconds: list[float] = []
    while len(seconds) < MOST_RUNS and sum(seconds) < ENOUGH:
        seconds.append(_timed(predictor, case, inputs, window, sampling))
    return seconds


def _timed(predictor: KronosPredictor, case: Case, inputs: Inputs, window: str, sampling: Sampling) -> float:
    started = time.perf_counter()
    run(predictor, case, inputs, window, sampling)
    return time.perf_counter() - started


def _warm(predictor: KronosPredictor, prepared: Prepared, case: Case, sampling: Sampling) -> None:
    plain_seconds(predictor, prepared, case, sampling, steps=1)
