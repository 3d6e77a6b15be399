"""Settings of the paper's five tasks (arXiv:2508.02739v1, appendix D)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from training.errors import ConfigError

TaskName = Literal["price", "return", "volatility", "synthetic", "investment"]
ForecastingTask = Literal["price", "return", "volatility"]
DAY = 86_400  # seconds
FEWEST = 16  # candles of history


# Seconds of a candle to candles of history and of forecast: table 8.
WINDOWS: Mapping[int, tuple[int, int]] = {
    300: (480, 96),
    600: (240, 48),
    900: (160, 32),
    1_200: (120, 24),
    2_400: (90, 24),
    3_600: (80, 12),
    7_200: (60, 12),
    14_400: (90, 18),
    DAY: (40, 12),
}


@dataclass(frozen=True)
class Task:
    """A task with the settings of the paper."""

    name: TaskName
    figures: Mapping[str, bool]  # names of its figures, and of each whether higher is better
    temperature: float  # this and the next two: table 6
    top_p: float
    samples: int
    windows: Mapping[int, tuple[int, int]]  # seconds of a candle to candles of history and of forecast
    count: int  # default number of cutoffs, sequences or traded days of a market; the paper has more, on 24 GPUs

    def window(self, seconds: float, context: int) -> tuple[int, int]:
        """Return candles of history and of forecast: the paper's for the interval nearest to `seconds`.

        The history is shortened so that it fits with the forecast into `context` candles; raises ConfigError if there
        is no room for it.
        """
        nearest = min(self.windows, key=lambda window: abs(math.log(window / seconds)))
        lookback, horizon = self.windows[nearest]
        if context - horizon < FEWEST:
            raise ConfigError(
                "A forecast of {horizon} candles leaves too little room for history in a context of {context}.",
                horizon=horizon,
                context=context,
            )
        return min(lookback, context - horizon), horizon


CORRELATIONS = {"ic": True, "rank_ic": True}
SYNTHETIC = {"discriminative": True, "tstr_ic": True, "tstr_rank_ic": True}
INVESTMENT = {"excess_return": True, "information_ratio": True}
TASKS: Mapping[TaskName, Task] = {
    "price": Task("price", CORRELATIONS, 0.6, 0.9, 10, WINDOWS, 60),
    "return": Task("return", CORRELATIONS, 0.6, 0.9, 10, WINDOWS, 60),
    "volatility": Task("volatility", {"mae": False, "r2": True}, 0.9, 0.9, 1, WINDOWS, 60),
    "synthetic": Task("synthetic", SYNTHETIC, 1.0, 0.95, 1, {900: (120, 96), DAY: (96, 35)}, 1_000),
    "investment": Task("investment", INVESTMENT, 0.6, 0.9, 10, {DAY: (90, 10)}, 250),
}
FORECASTING: tuple[ForecastingTask, ...] = ("price", "return", "volatility")
