"""The scores of a run beside its training: how many cutoffs it scores, and how long one takes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from engine.predictor import KronosPredictor
from training.evaluation.base_comparison import AT_ONCE, BASE, TUNED, judge
from training.evaluation.cutoffs import rolling, series_of
from training.fit.looking import EXAMPLES, checked_steps
from training.run.config import STAGES, RunConfig, SplitName
from training.run.preflight import SCORED, SplitSize

if TYPE_CHECKING:
    import torch

    from training.fit.building import Base
    from training.fit.corpus import Corpus

BUDGET = 15.0  # seconds after which no more cutoffs are tried together


def count_scored(config: RunConfig, splits: Mapping[SplitName, SplitSize]) -> int:
    """Return how many cutoffs a run scores, in checks during training and at its end."""
    at_check = min(config.judge.cutoffs, splits["validation"].windows) + EXAMPLES
    return len(checked_steps(config)) * at_check + sum(splits[split].cutoffs for split in SCORED)


def measure_scoring(base: Base, corpus: Corpus, config: RunConfig, device: torch.device) -> float | None:
    """Return the seconds that a run takes to score a cutoff: with its model, its base model and all baselines.

    The base model takes the place of the trained one, which is as fast. Returns None if no price of the corpus moves.
    """
    cutoffs = rolling(series_of(corpus), lookback=config.window.lookback, horizon=config.window.horizon, n_windows=1)[
        :AT_ONCE
    ]
    if not cutoffs:
        return None
    predictor = KronosPredictor(base.predictor, base.tokenizer, device, base.max_context)
    scratch = any(map(config.base.from_scratch, STAGES))
    forecasters = dict.fromkeys((TUNED,) if scratch else (TUNED, BASE), predictor)

    def score(count: int) -> float:
        begun = time.perf_counter()
        judge(forecasters, cutoffs[:count], config.judge, seed=config.seed)
        return (time.perf_counter() - begun) / count

    count, started = 1, time.perf_counter()
    while True:  # many cutoffs together are faster, and the first time imports and allocates
        seconds = min(score(count), score(count))
        if count == len(cutoffs) or time.perf_counter() - started > BUDGET:
            return seconds
        count = min(4 * count, len(cutoffs))
