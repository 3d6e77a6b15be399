"""Forecasts during the predictor's training: scores on validation cutoffs, and a few examples to be drawn."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from engine.predictor import KronosPredictor
from engine.transformer import Kronos
from training.evaluation.base_comparison import TUNED, examples, judge
from training.evaluation.cutoffs import Cutoff
from training.fit.loop import Validation
from training.run.config import RunConfig
from training.run.folder import RunFolder, write_json, write_text
from training.saved import load_rows

CHECKS = 4  # over the predictor's training, if the config does not set their interval
EXAMPLES = 4


def checked_steps(config: RunConfig) -> list[int]:
    """Return the steps of the predictor's training after which cutoffs are forecast, if nothing ends it early."""
    if config.predictor is None or not config.judge.cutoffs:
        return []
    stage, every = config.predictor, _interval(config)
    validated = [*range(stage.validate_every, stage.steps, stage.validate_every), stage.steps]
    return [step for last, step in pairwise([0, *validated]) if step // every != last // every]


def _interval(config: RunConfig) -> int:
    return config.judge.every or max(1, config.stage("predictor").steps // CHECKS)


class ForecastChecks:
    """Forecasts cutoffs at some validations, and stores scores and examples in the run's folder.

    Parameters
    ----------
    cutoffs
        Of the validation split, the same ones each time.
    forecasters
        Returns the model in training and its base model, ready to forecast.
    """

    def __init__(
        self,
        run: RunFolder,
        config: RunConfig,
        cutoffs: Sequence[Cutoff],
        forecasters: Callable[[Kronos], Mapping[str, KronosPredictor]],
    ) -> None:
        self.run, self.judge, self.seed = run, config.judge, config.seed
        self.cutoffs, self.forecasters = cutoffs, forecasters
        self.every = _interval(config)

    def __call__(self, validation: Validation) -> dict[str, float]:
        """Return the scores of the model in training, empty if no check is due."""
        step = validation.step
        rows = [
            row for row in load_rows(self.run.forecast_scores) if row["step"] < step
        ]  # a resumed run repeats some steps
        last = rows[-1]["step"] if rows else 0
        if not self.cutoffs or step // self.every == last // self.every:
            return {}
        assert isinstance(validation.network, Kronos)
        forecasters = self.forecasters(validation.network)
        scores = judge(forecasters, self.cutoffs, self.judge, seed=self.seed).figures()
        rows.append({"step": step, "forecasters": scores})
        write_text(self.run.forecast_scores, "".join(json.dumps(row) + "\n" for row in rows))
        some = self.cutoffs[:: max(1, len(self.cutoffs) // EXAMPLES)][:EXAMPLES]
        drawn = examples(forecasters, some, self.judge, seed=self.seed)
        write_json(self.run.examples, {"step": step, "examples": drawn})
        return {f"forecast_{name}": value for name, value in scores[TUNED].items() if value is not None}
