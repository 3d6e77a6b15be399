"""The engine and the plain loop, timed alternately in one process, so that other load affects both."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial
from statistics import median

from benchmarks.cases import Case
from benchmarks.measure import time_once
from benchmarks.shapes import Inputs, random_walks
from benchmarks.yardstick import prepare, time_plain
from engine.predictor import KronosPredictor
from engine.sampling import Sampling

MIN_SECONDS = 1.0  # of engine runs a round, but
MAX_RUNS = 5


@dataclass
class Timing:
    """Seconds of every run: of the plain loop, and of the engine by window."""

    plain: list[float] = field(default_factory=list)
    engine: dict[str, list[float]] = field(default_factory=dict)

    def plain_median(self) -> float:
        """Return the median seconds of the plain loop."""
        return median(self.plain)

    def engine_median(self, window: str) -> float:
        """Return the median seconds of the engine."""
        return median(self.engine[window])


def time_case(
    predictor: KronosPredictor,
    plain: KronosPredictor,
    case: Case,
    sampling: Sampling,
    *,
    rounds: int,
    plain_steps: int | None,
) -> Timing:
    """Return the seconds of `case` in some rounds of engine runs and one plain run, after an untimed one of each.

    Parameters
    ----------
    predictor, plain
        The engine, and the networks of the plain loop: the same, unless the engine has reduced weights.
    """
    inputs = random_walks(case.series, case.history, case.horizon)
    prepared = prepare(inputs, plain)
    forecasts = {window: partial(run_forecast, predictor, case, inputs, window, sampling) for window in case.windows}
    for forecast in forecasts.values():
        forecast()
    time_plain(plain, prepared, case, sampling, steps=1)
    timing = Timing(engine={window: [] for window in case.windows})
    for _ in range(rounds):
        for window, forecast in forecasts.items():
            seconds: list[float] = []
            while len(seconds) < MAX_RUNS and sum(seconds) < MIN_SECONDS:
                seconds.append(time_once(forecast))
            timing.engine[window] += seconds
        timing.plain.append(time_plain(plain, prepared, case, sampling, plain_steps))
    return timing


def run_forecast(predictor: KronosPredictor, case: Case, inputs: Inputs, window: str, sampling: Sampling) -> None:
    """Forecast the series of `inputs` once, from data frames to finished forecasts."""
    settings = {"samples": case.samples, "seed": 0, "window": window, "stride": case.stride}
    predictor.forecast_batch(*inputs.parts(), **settings, **asdict(sampling))
