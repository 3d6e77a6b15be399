"""How long forecasts of a model take on this machine, from those that were made here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kronos_app.services.selection.setup import ForecastSetup
from kronos_app.store.records import ForecastFilter

if TYPE_CHECKING:
    from kronos_app.store import Store

NEWEST = 5  # measurements that count
RUN_MARGIN, FORECAST_MARGIN = 1.3, 2.0  # by how much the time may differ; forecasts of a run share batches
Seconds = tuple[float, float]


@dataclass(frozen=True)
class Pace:
    """A measurement: seconds of one candle of one path, beside the lookback, which a longer history makes slower."""

    seconds: float
    lookback: int


def forecast_paces(store: Store, model: str) -> list[Pace]:
    """Return the measurements of the newest forecasts of a model."""
    infos = store.forecasts.list(ForecastFilter(model=model), limit=NEWEST)
    return [
        Pace(info.provenance["seconds"] / (info.samples * info.horizon), info.lookback)
        for info in infos
        if info.provenance.get("seconds")
    ]


def estimate_seconds(
    runs: Sequence[Pace], forecasts: Iterable[Pace], setup: ForecastSetup, count: int
) -> Seconds | None:
    """Return the shortest and the longest time that `count` forecasts may take, None where nothing was measured.

    Parameters
    ----------
    runs, forecasts
        Measurements in runs, and in single forecasts, which count where there is no run; the newest first.
    setup
        Complete.
    """
    paces, margin = (runs, RUN_MARGIN) if runs else (list(forecasts), FORECAST_MARGIN)
    if not paces:
        return None
    paths = count * (setup.samples or 0) * setup.horizon
    bounds = []
    for pace in paces[:NEWEST]:
        ratio = setup.lookback / max(pace.lookback, 1)
        bounds.append((pace.seconds * min(ratio, 1) / margin, pace.seconds * max(ratio, 1) * margin))
    return paths * min(low for low, _ in bounds), paths * max(high for _, high in bounds)
