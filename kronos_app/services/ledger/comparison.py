"""How a forecast did against simple baselines, in numbers and in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kronos_app.i18n import Text, text

Array = npt.NDArray[np.float64]

COVERAGE_LEVELS = (0.5, 0.8, 0.9)
MODEL = "model"
NAMES: dict[str, Text] = {
    MODEL: text("Model"),
    "last_close": text("Last close"),
    "drift": text("Drift"),
    "ewma": text("EWMA random walk"),
}
# Within one window, CRPS differences this small change sign from one cutoff to the next.
TOO_CLOSE_PERCENT = 5.0
FEWEST_CANDLES = 5
# What a baseline can do must not depend on how many paths the model drew.
BASELINE_MEMBERS = 200


@dataclass(frozen=True)
class Score:
    """Errors of one forecaster, on closes.

    Attributes
    ----------
    name
        `model`, `last_close`, `drift` or `ewma`; `label` is the same for people.
    mae, mape
        Of the median; in price units, and as a share of the actual close (0.01 is one percent).
    direction
        Part of the steps, 0 to 1, where the median lies on the right side of the last known close; None where
        nothing moved.
    coverage
        Level of a central band to the part of the actual closes inside it.
    crps
        Continuous ranked probability score, in price units; lower is better.
    """

    name: str
    mae: float
    mape: float
    direction: float | None
    coverage: dict[float, float]
    crps: float

    @property
    def label(self) -> Text:
        """Return the name for people."""
        return NAMES.get(self.name, Text(self.name))


@dataclass(frozen=True)
class Comparison:
    """Scores of the model (first) and the baselines over the `matched` candles, with a verdict in words."""

    scores: list[Score]
    matched: int
    verdict: Text

    def to_dict(self, language: str = "en") -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "matched": self.matched,
            "verdict": self.verdict.render(language),
            "scores": [
                {
                    "name": score.name,
                    "mae": score.mae,
                    "mape": score.mape,
                    "direction": score.direction,
                    "coverage": {f"{level:g}": share for level, share in score.coverage.items()},
                    "crps": score.crps,
                }
                for score in self.scores
            ],
        }


def compare(paths: Array, actual: Array, history: Array, *, driftless: bool = False) -> Comparison | None:
    """Score the model's closes and those of the baselines.

    Parameters
    ----------
    paths
        Forecast closes `(samples, horizon)`.
    actual
        Closes that came `(horizon,)`, NaN where unknown.
    history
        Closes up to the cutoff `(lookback,)`, all that the baselines see.
    driftless
        Whether the drift of the paths was taken out.

    Returns
    -------
    None when no actual close is known.
    """
    from training.evaluation.baselines import QUICK

    matched = int(np.isfinite(actual).sum())
    if not matched:
        return None
    last = float(history[-1])
    members = {one.name: one.members(history[None], len(actual), BASELINE_MEMBERS)[0] for one in QUICK}
    baselines = [score(name, m, actual, last, drawn=False) for name, m in members.items()]
    scores = [score(MODEL, paths, actual, last, driftless=driftless), *baselines]
    return Comparison(scores, matched, verdict(scores, matched))


def score(
    name: str, members: Array, actual: Array, last: float, *, drawn: bool = True, driftless: bool = False
) -> Score:
    """Return the errors of `members` `(m, horizon)` against `actual` `(horizon,)`; `last` is the last known close.

    A baseline's members are not `drawn`: they are quantiles of its law. Paths that are `driftless` share a middle.
    """
    from training.evaluation import forecast_scores as scores

    median = np.exp(np.median(np.log(members), axis=0))  # of returns: theirs is 0 where a forecast has no drift
    direction = scores.direction(median, actual, last)
    return Score(
        name=name,
        mae=scores.mae(median, actual),
        mape=scores.mape(median, actual),
        direction=direction if np.isfinite(direction) else None,
        coverage={level: scores.coverage(members, actual, level) for level in COVERAGE_LEVELS},
        crps=scores.crps(members - last, actual - last, drawn=drawn, centred=driftless),
    )


def verdict(scores: list[Score], matched: int) -> Text:
    """Say in words whether the model (first of `scores`) beat the best baseline on CRPS, and how little that proves."""
    model, best = scores[0], min(scores[1:], key=lambda s: s.crps)
    if matched < FEWEST_CANDLES:
        return text(
            "Only {matched} candles to compare with: too few to say which forecast was better.", matched=matched
        )
    if best.crps <= 0:
        return text(
            "The best baseline ({baseline}) has no error over {matched} candles: no forecast can do better here.",
            baseline=best.label,
            matched=matched,
        )
    percent = (model.crps / best.crps - 1) * 100
    values = {"percent": f"{abs(percent):.1f}", "baseline": best.label, "matched": matched}
    if abs(percent) < TOO_CLOSE_PERCENT:
        return text(
            "Model and best baseline ({baseline}) cannot be told apart: their CRPS over {matched} candles differs by "
            "{percent} %. One window proves nothing either way.",
            **values,
        )
    if percent < 0:
        return text(
            "The model was better: its CRPS over {matched} candles is {percent} % below that of the best baseline "
            "({baseline}). One window proves nothing: try other cutoffs.",
            **values,
        )
    return text(
        "The model was worse: its CRPS over {matched} candles is {percent} % above that of the best baseline "
        "({baseline}). One window proves nothing: try other cutoffs.",
        **values,
    )
