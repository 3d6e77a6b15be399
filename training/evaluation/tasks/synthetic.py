"""Synthetic candles: whether a classifier tells them from real ones, and whether a forecaster can learn from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.candles import CLOSE, PRICES
from training.errors import Message, message
from training.evaluation.cutoffs import Cutoff
from training.evaluation.forecasters import Request, batches, request_of
from training.evaluation.inference import Estimate, estimates
from training.evaluation.kronos import KronosForecaster
from training.evaluation.scores import correlations
from training.evaluation.tasks import posthoc
from training.evaluation.tasks.outcome import Market, MarketRun
from training.evaluation.walk_forward import AT_ONCE, OnStep

FEWEST = 20  # training sequences, and as many test sequences
SEEN = {96: 80, 35: 30}  # candles of a sequence to the first of them, from which the rest is forecast
RESAMPLED, REAL = "block_bootstrap", "real"
BLOCK = 8  # candles that are resampled together, to keep short dependence
LIMIT = 10.0  # of a feature, so that one candle cannot dominate the training


def generate(run: MarketRun) -> tuple[Market, Sequence[Cutoff]] | Message:
    """Return the result of one market and its cutoffs, or why there is none.

    `run.window` is the candles of the past to continue, and of a sequence. Networks are trained on sequences after
    earlier cutoffs and tested on those after later ones.
    """
    cutoffs, group = run.cutoffs, run.series[0].group
    earlier, later = halves(cutoffs)
    if min(earlier.sum(), later.sum()) < FEWEST:
        return message(
            "{market}: {earlier} training and {later} test sequences are too few; {fewest} of each are needed.",
            market=group,
            earlier=int(earlier.sum()),
            later=int(later.sum()),
            fewest=FEWEST,
        )
    (lookback, length), model = run.window, run.model
    sets = sequences(model, cutoffs, seed=run.seed, on_step=run.on_step)
    times = np.array([cutoff.time for cutoff in cutoffs])[later]
    rows = judged(sets.part(earlier), sets.part(later), times, model.name, seen=SEEN[length], seed=run.seed)
    used = (
        f"{earlier.sum()} training sequences of {length} candles and {later.sum()} later test sequences; each "
        f"continues {lookback} candles"
    )
    return Market(group, used, rows), cutoffs


def halves(cutoffs: Sequence[Cutoff]) -> tuple[np.ndarray, np.ndarray]:
    """Return masks of the cutoffs whose future ended before the median time, and of those from it on.

    Those in neither are left out, so that no training sequence overlaps a test sequence.
    """
    times = np.array([cutoff.time for cutoff in cutoffs], dtype=np.int64)
    middle = np.quantile(times, 0.5, method="higher") if len(times) else 0
    return np.array([cutoff.known_at <= middle for cutoff in cutoffs], dtype=bool), times >= middle


def judged(
    train: Sequences, test: Sequences, times: np.ndarray, name: str, *, seen: int, seed: int = 0
) -> dict[str, dict[str, Estimate]]:
    """Return figures of the model's sequences, of resampled ones and of real ones.

    `discriminative` is the error of the classifier. Of a forecaster trained on these sequences and tested on real ones,
    `tstr_ic` and `tstr_rank_ic` are the correlations of forecast and actual path over steps, averaged over sequences;
    `tstr_mae` is its error, in units of the history's deviation times the root of the steps.

    `times` are the cutoffs of `test` (B,), nanoseconds; `seen` candles of a sequence are the input of the forecaster.
    """

    def figures(made: np.ndarray, made_test: np.ndarray) -> dict[str, Estimate]:
        error = posthoc.error_of_classifier((train.real, made), (test.real, made_test), seed=seed)
        return {"discriminative": error} | _usefulness(made, test.real, times, seen, seed)

    return {
        name: figures(train.drawn, test.drawn),
        RESAMPLED: figures(train.resampled, test.resampled),
        REAL: _usefulness(train.real, test.real, times, seen, seed),
    }


def _usefulness(train: np.ndarray, real: np.ndarray, times: np.ndarray, seen: int, seed: int) -> dict[str, Estimate]:
    forecast, actual = posthoc.forecasts(train, real, seen, seed=seed), posthoc.paths(real, seen)
    pearson, spearman = (correlations(forecast, actual, ranks=ranks) for ranks in (False, True))
    results = estimates(np.column_stack([pearson, spearman, np.abs(forecast - actual).mean(axis=1)]), times)
    return dict(zip(("tstr_ic", "tstr_rank_ic", "tstr_mae"), results, strict=True))


@dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences after the same pasts, each float32 (B, T, 4) as `features` makes it."""

    real: np.ndarray
    drawn: np.ndarray
    resampled: np.ndarray

    def part(self, chosen: np.ndarray) -> Sequences:
        """Return those of some cutoffs, by a mask (B,)."""
        return Sequences(self.real[chosen], self.drawn[chosen], self.resampled[chosen])


def features(candles: np.ndarray, before: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Return open, high, low and close of candles (B, T, 6) as log ratios to the previous close, float32 (B, T, 4).

    Volume is left out: many markets have none. `before` is the close before the first candle (B,); `unit` is the unit
    of the result (B,): the standard deviation of the history's log returns.
    """
    close = candles[..., CLOSE]
    previous = np.concatenate([before[:, None], close[:, :-1]], axis=1)
    moves = np.log(candles[..., : len(PRICES)] / previous[..., None]) / unit[:, None, None]
    return np.asarray(np.clip(moves, -LIMIT, LIMIT), dtype=np.float32)


def sequences(
    model: KronosForecaster, cutoffs: Sequence[Cutoff], *, seed: int, on_step: OnStep | None = None
) -> Sequences:
    """Return the actual candles after each cutoff, one drawn path of a model, and resampled blocks of the past.

    `on_step` is called with batches done and in total; it may raise to cancel.
    """
    parts = list(batches(cutoffs, AT_ONCE))
    arrays = []
    for done, part in enumerate(parts, start=1):
        arrays.append(_batch(model, part, request_of(part, seed)))
        if on_step:
            on_step(done, len(parts))
    return Sequences(*(np.concatenate(kind) for kind in zip(*arrays, strict=True)))


def blocks(past: np.ndarray, length: int, seeds: Sequence[int]) -> np.ndarray:
    """Return blocks of each past (B, L, 4) in random order, drawn with replacement, (B, length, 4)."""
    size = min(BLOCK, past.shape[1])
    count = -(-length // size)
    starts = np.stack([np.random.default_rng(seed).integers(past.shape[1] - size + 1, size=count) for seed in seeds])
    rows = (starts[..., None] + np.arange(size)).reshape(len(past), -1)[:, :length]
    return np.asarray(np.take_along_axis(past, rows[..., None], axis=1))


def _batch(model: KronosForecaster, cutoffs: Sequence[Cutoff], request: Request) -> tuple[np.ndarray, ...]:
    past = np.stack([candles.last(request.lookback) for candles in request.pasts])  # (B, lookback, 6)
    last, unit = past[:, -1, CLOSE], np.maximum(request.returns.std(axis=1), 1e-12)
    real = features(np.stack([cutoff.actual for cutoff in cutoffs]), last, unit)
    drawn = features(model.paths(request)[0][:, 0], last, unit)
    own = features(past[:, 1:], past[:, 0, CLOSE], unit)
    return real, drawn, blocks(own, request.horizon, request.seeds)
