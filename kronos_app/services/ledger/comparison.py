"""Scores of a forecast and of simple baselines over its actual candles, with a verdict."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import PlainSerializer

from kronos_app.i18n import Text, text
from kronos_app.services.core.training_errors import to_text
from kronos_app.services.core.view import Message, View

Array = npt.NDArray[np.float64]


def _name_levels(by_level: dict[float, float]) -> dict[str, float]:
    return {f"{level:g}": value for level, value in by_level.items()}


ByLevel = Annotated[dict[float, float], PlainSerializer(_name_levels)]
"""Level of a central band to a figure."""

COVERAGE_LEVELS = (0.5, 0.8, 0.9)
MODEL = "model"
EWMA = "ewma"
BASELINES = ("last_close", "drift", EWMA)
TOO_CLOSE = 0.05  # within one window, differences of CRPS this small change sign from one cutoff to the next
FEWEST_CANDLES = 5
BASELINE_MEMBERS = 200  # fixed, so that a baseline's scores do not depend on the number of paths of the model


def forecaster_name(name: str) -> Text:
    """Return the name of a forecaster for people."""
    from training.evaluation.verdicts import label

    return text("Model") if name == MODEL else to_text(label(name))


class Score(View):
    """Errors of one forecaster, on closes; fields as `training.evaluation.one_forecast.ForecastScores`."""

    name: str
    mae: float
    mape: float
    direction: float | None
    coverage: ByLevel
    crps: float


class Comparison(View):
    """Scores of the model (first) and the baselines over the `matched` candles, with a verdict."""

    matched: int
    verdict: Message
    scores: list[Score]

    @property
    def crps_ratio(self) -> float | None:
        """Return the CRPS ratio to the EWMA random walk, None where that made no error."""
        crps = {score.name: score.crps for score in self.scores}
        return crps[MODEL] / crps[EWMA] if crps[EWMA] else None

    @property
    def coverage(self) -> float:
        """Return the share of closes inside the 80 % band of the model."""
        return self.scores[0].coverage[0.8]


def compare(paths: Array, actual: Array, history: Array, *, driftless: bool = False) -> Comparison | None:
    """Return the scores of the model's closes and of the baselines, None where no actual close is known.

    Parameters
    ----------
    paths
        Forecast closes `(samples, horizon)`.
    actual
        Actual closes `(horizon,)`, NaN where unknown.
    history
        Closes up to the cutoff `(lookback,)`, all that the baselines see.
    driftless
        Whether this is a zero-drift forecast.
    """
    from training.evaluation.baselines import QUICK

    matched = int(np.isfinite(actual).sum())
    if not matched:
        return None
    last = float(history[-1])
    members = {one.name: one.members(history[None], len(actual), BASELINE_MEMBERS)[0] for one in QUICK}
    baselines = [_score(name, members[name], actual, last, drawn=False) for name in BASELINES]
    scores = [_score(MODEL, paths, actual, last, driftless=driftless), *baselines]
    return Comparison(matched=matched, verdict=summarize(scores, matched), scores=scores)


def _score(
    name: str, members: Array, actual: Array, last: float, *, drawn: bool = True, driftless: bool = False
) -> Score:
    from training.evaluation.one_forecast import score_forecast

    scores = score_forecast(members, actual, last, COVERAGE_LEVELS, drawn=drawn, driftless=driftless)
    return Score(name=name, **vars(scores))


def summarize(scores: list[Score], matched: int) -> Text:
    """Return a sentence on whether the model (first of `scores`) beat the best baseline by CRPS."""
    model, best = scores[0], min(scores[1:], key=lambda score: score.crps)
    baseline = forecaster_name(best.name)
    if matched < FEWEST_CANDLES:
        return text("Only {matched} actual candles: too few for a comparison.", matched=matched)
    if best.crps <= 0:
        return text(
            "The best baseline ({baseline}) has no error over {matched} candles: no forecast can be better.",
            baseline=baseline,
            matched=matched,
        )
    ratio = model.crps / best.crps
    values = {"ratio": f"{ratio:.2f}", "baseline": baseline, "matched": matched}
    if abs(ratio - 1) < TOO_CLOSE:
        return text(
            "No significant difference between the model and the best baseline ({baseline}): CRPS ratio {ratio} over "
            "{matched} candles. A single window is not evidence; run Evaluate.",
            **values,
        )
    return text(
        "The model is {result} than the best baseline ({baseline}) here: CRPS ratio {ratio} over {matched} candles. "
        "A single window is not evidence; run Evaluate.",
        result=text("better") if ratio < 1 else text("worse"),
        **values,
    )
