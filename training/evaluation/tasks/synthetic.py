"""Synthetic candles: whether they can be told from real ones, and whether one learns from them to forecast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.predictor import KronosPredictor
from training.errors import Message, message
from training.evaluation.cutoffs import Cutoff, Series, spread
from training.evaluation.inference import Estimate, estimates
from training.evaluation.kronos import KronosForecaster
from training.evaluation.tasks import posthoc
from training.evaluation.tasks.figures import correlations
from training.evaluation.tasks.outcome import Market
from training.evaluation.tasks.presets import Task
from training.evaluation.tasks.sequences import Sequences, sequences
from training.evaluation.walk_forward import OnStep

FEWEST = 20  # sequences to learn from, and as many to judge by
SEEN = {96: 80, 35: 30}  # candles of a sequence to the first of them, from which the rest is forecast
RESAMPLED, REAL = "block_bootstrap", "real"


def generate(
    task: Task,
    predictor: KronosPredictor,
    series: Sequence[Series],
    window: tuple[int, int],
    *,
    count: int,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> tuple[Market | Message, Sequence[Cutoff]]:
    """Return what came of one market, or why nothing did, and its cutoffs.

    Networks learn from what followed earlier cutoffs and are judged by what followed later ones.

    Parameters
    ----------
    series
        Of one market and interval.
    window
        Candles of the past that is continued, and of a sequence.
    count
        Most sequences.
    on_step
        Called with batches of sequences done and in all; may raise to cancel.
    """
    lookback, length = window
    places = spread(series, lookback=lookback, horizon=length, count=count, seed=seed)
    earlier, later = halves(places)
    if min(earlier.sum(), later.sum()) < FEWEST:
        return message(
            "{market}: {earlier} sequences to learn from and {later} to judge by are too few; {fewest} of each are "
            "needed.",
            market=series[0].group,
            earlier=int(earlier.sum()),
            later=int(later.sum()),
            fewest=FEWEST,
        ), places
    model = KronosForecaster(predictor.name, predictor, task.samples, task.temperature, task.top_p)
    found = sequences(model, places, seed=seed, on_step=on_step)
    times = np.array([place.time for place in places])[later]
    rows = judged(found.part(earlier), found.part(later), times, model.name, seen=SEEN[length], seed=seed)
    taken = (
        f"{earlier.sum()} sequences of {length} candles to learn from, {later.sum()} later ones to judge by; each "
        f"continues {lookback} candles"
    )
    return Market(series[0].group, taken, rows), places


def halves(places: Sequence[Cutoff]) -> tuple[np.ndarray, np.ndarray]:
    """Return masks of the later half of cutoffs by time, and of those whose future was over before it: earlier, later.

    What belongs to neither is left out, so that nothing a network learned from reaches into what it is judged by.
    """
    times = np.array([place.time for place in places], dtype=np.int64)
    middle = np.quantile(times, 0.5, method="higher") if len(times) else 0
    return np.array([place.known_at <= middle for place in places], dtype=bool), times >= middle


def judged(
    learn: Sequences, judge: Sequences, times: np.ndarray, name: str, *, seen: int, seed: int = 0
) -> dict[str, dict[str, Estimate]]:
    """Return figures of the model's sequences, of resampled ones and of real ones.

    `discriminative` is the error of the classifier; `tstr_ic` and `tstr_rank_ic` are the correlations of forecast and
    real path over steps, averaged over real sequences, of a forecaster that learned from these ones; `tstr_mae` is its
    error, in units of the history's deviation times the root of the steps.

    Parameters
    ----------
    times
        Cutoffs of `judge` (B,), nanoseconds.
    seen
        Candles of a sequence from which the rest is forecast.
    """

    def told_apart(one: np.ndarray, other: np.ndarray) -> dict[str, Estimate]:
        return {
            "discriminative": posthoc.error_of_classifier((learn.real, one), (judge.real, other), seed=seed),
        }

    def useful(one: np.ndarray) -> dict[str, Estimate]:
        return _usefulness(one, judge.real, times, seen, seed)

    return {
        name: told_apart(learn.drawn, judge.drawn) | useful(learn.drawn),
        RESAMPLED: told_apart(learn.resampled, judge.resampled) | useful(learn.resampled),
        REAL: useful(learn.real),
    }


def _usefulness(learn: np.ndarray, real: np.ndarray, times: np.ndarray, seen: int, seed: int) -> dict[str, Estimate]:
    forecast, actual = posthoc.forecasts(learn, real, seen, seed=seed), posthoc.paths(real, seen)
    values = [
        correlations(forecast, actual, ranks=False),
        correlations(forecast, actual, ranks=True),
        np.abs(forecast - actual).mean(axis=1),
    ]
    found = estimates(np.column_stack(values), times)
    return dict(zip(("tstr_ic", "tstr_rank_ic", "tstr_mae"), found, strict=True))
