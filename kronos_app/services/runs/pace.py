"""How long forecasts of a model take on this machine, from those that were made here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kronos_app.services.selection.setup import ForecastSetup
from kronos_app.store.records import ForecastFilter

if TYPE_CHECKING:
    from kronos_app.store import Store

NEWEST = 20  # forecasts that are looked at
RUN_MARGIN, SINGLE_MARGIN = 1.3, 4.0  # by how much the time may differ; large batches were seen to be slower than one
Seconds = tuple[float, float]


@dataclass(frozen=True)
class Pace:
    """A measurement: seconds of one forecast with its lookback and its size, and how many times slower another may be.

    The size is the number of candles of all paths.
    """

    seconds: float
    lookback: int
    size: int
    slower: float = RUN_MARGIN


def forecast_paces(store: Store, model: str) -> list[Pace]:
    """Return the measurements of the newest forecasts of a model."""
    return [
        Pace(info.provenance["seconds"], info.lookback, info.samples * info.horizon, SINGLE_MARGIN)
        for info in store.forecasts.list(ForecastFilter(model=model), limit=NEWEST)
        if info.provenance.get("seconds") and info.lookback and info.samples  # a damaged record lacks them
    ]


def estimate_seconds(paces: Iterable[Pace], setup: ForecastSetup, count: int) -> Seconds | None:
    """Return the shortest and the longest time that `count` forecasts may take, None where nothing was measured.

    The measurement whose setup is nearest counts. What differs from it widens the range: part of the time grows with
    size and lookback, part of it does not.

    Parameters
    ----------
    paces
        Of the model; among equally near ones the first counts.
    setup
        Complete.
    """
    size = (setup.samples or 1) * setup.horizon

    def ratios(pace: Pace) -> tuple[float, float]:
        return size / pace.size, setup.lookback / pace.lookback

    nearest = min(paces, key=lambda pace: sum(abs(math.log(ratio)) for ratio in ratios(pace)), default=None)
    if nearest is None:
        return None
    low = nearest.seconds / RUN_MARGIN * math.prod(min(ratio, 1.0) for ratio in ratios(nearest))
    high = nearest.seconds * nearest.slower * math.prod(max(ratio, 1.0) for ratio in ratios(nearest))
    return count * low, count * high
