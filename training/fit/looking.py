"""Looks at forecasts while the predictor is trained: scores on validation cutoffs, and a few forecasts to be drawn."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.predictor import KronosPredictor
from engine.transformer import Kronos
from training.evaluation.cutoffs import Cutoff
from training.evaluation.judging import TUNED, examples, judge
from training.fit.loop import Validation
from training.run.config import RunConfig
from training.run.folder import RunFolder, write_json, write_text

LOOKS = 4  # over the predictor's training, where the config does not say how often
DRAWN = 4


class Looks:
    """Forecasts some cutoffs at some validations, and keeps what came out in the folder of the run.

    Parameters
    ----------
    cutoffs
        Of the validation split; the same ones every time.
    forecasters
        Returns the model as trained so far, and its base, ready to forecast.
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
        self.every = config.judge.every or max(1, config.stage("predictor").steps // LOOKS)

    def __call__(self, found: Validation) -> dict[str, float] | None:
        """Look where it is due, and return the figures of the model as trained so far."""
        rows = [row for row in self._rows() if row["step"] < found.step]  # a resumed run does some steps again
        last = rows[-1]["step"] if rows else 0
        if not self.cutoffs or found.step // self.every == last // self.every:
            return None
        assert isinstance(found.network, Kronos)
        forecasters = self.forecasters(found.network)
        figures = judge(forecasters, self.cutoffs, self.judge, seed=self.seed).figures()
        rows.append({"step": found.step, "forecasters": figures})
        write_text(self.run.looks, "".join(json.dumps(row) + "\n" for row in rows))
        some = self.cutoffs[:: max(1, len(self.cutoffs) // DRAWN)][:DRAWN]
        drawn = examples(forecasters, some, self.judge, seed=self.seed)
        write_json(self.run.examples, {"step": found.step, "examples": drawn})
        return {f"forecast_{name}": value for name, value in figures[TUNED].items() if value is not None}

    def _rows(self) -> list[dict[str, Any]]:
        try:
            return [json.loads(line) for line in self.run.looks.read_text(encoding="utf-8").splitlines()]
        except FileNotFoundError:
            return []
