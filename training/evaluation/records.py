"""Records of each forecast: its scores at every step and as a whole, without its members."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from engine.candles import CLOSE, HIGH, LOW, OPEN
from training.evaluation import scores
from training.evaluation.cutoffs import Cutoff
from training.evaluation.forecasters import Members, Request

KEYS = ["group", "symbol", "time", "known_at"]
INDEX = [*KEYS, "forecaster"]
ROUNDING = 1e-12  # of a log return: rounding must not count as a forecast move
LEVEL_NAMES = tuple(f"{level * 100:.0f}" for level in scores.LEVELS)


def records(name: str, members: Members, request: Request, cutoffs: Sequence[Cutoff]) -> pd.DataFrame:
    """Return the scores of one forecaster at some cutoffs, a row a cutoff and step.

    Everything is of log returns since the last known close unless its name says price.

    Returns
    -------
    pandas.DataFrame
        Columns group, symbol, time, known_at (nanoseconds), forecaster, step (from 1), unit (standard deviation of the
        history's log returns times the root of the horizon).

        Of the distribution at that step: crps, crps_centred (without drift), wis, pinball, sharpness (standard
        deviation of the members) and width_50 ... width_95 in that unit; low_50, high_50 ... high_95; covered_50 ...
        covered_95 (1 or 0); pit.

        Of points: median, mean, actual; absolute, squared (errors of median and mean); absolute_price, squared_price,
        percentage, scaled (as in MASE); chance (P(up)), rose, hit, brier.

        Of the whole forecast, the same at each of its steps: energy (in the unit), volatility and realised (of the log
        returns between steps), past_volatility (of the history), impossible, standing (z-score of the last close in
        its history), first_gap (first forecast open against the last close).
    """
    last, horizon = request.closes[:, -1], request.horizon
    actual_close = np.stack([cutoff.actual[:, CLOSE] for cutoff in cutoffs])
    sigma = np.maximum(request.returns.std(axis=1), 1e-12)
    unit = sigma * np.sqrt(horizon)
    moves = np.log(members.close / last[:, None, None])
    moves[np.abs(moves) < ROUNDING] = 0.0
    actual = np.log(actual_close / last[:, None])
    paths = moves if members.drawn else scores.shuffle_to_paths(moves)
    whole = {
        "unit": unit,
        "energy": scores.energy(paths, actual, drawn=members.drawn) / unit,
        "volatility": _volatility(moves, members.drawn),
        "realised": scores.realized_volatility(np.diff(actual, axis=1, prepend=0.0)),
        "past_volatility": sigma,
        "impossible": np.zeros(len(cutoffs)) if members.impossible is None else members.impossible,
        "standing": _z_score(request.closes),
        "first_gap": _first_gap(members, request),
    }
    steps = {
        **_distribution(moves, actual, unit[:, None], members, request.seeds),
        **_points(moves, actual, members.close, actual_close, request.closes),
    }
    return pd.DataFrame(
        {
            **{key: np.repeat([getattr(cutoff, key) for cutoff in cutoffs], horizon) for key in KEYS},
            "forecaster": name,
            "step": np.tile(np.arange(1, horizon + 1), len(cutoffs)),
            **{column: value.ravel() for column, value in steps.items()},
            **{column: np.repeat(value, horizon) for column, value in whole.items()},
        }
    )


def _distribution(
    moves: np.ndarray, actual: np.ndarray, unit: np.ndarray, members: Members, seeds: Sequence[int]
) -> dict[str, np.ndarray]:
    drawn = members.drawn
    centred = scores.crps_centred(moves, actual, drawn=drawn) / unit
    low, high = scores.bands(moves, drawn=drawn)
    chance = np.stack([np.random.default_rng(seed).random(actual.shape[1]) for seed in seeds])
    columns = {
        # Paths shifted to a common median lie nearer to it than draws do; only `crps_centred` corrects for that.
        "crps": centred if members.driftless else scores.crps(moves, actual, drawn=drawn) / unit,
        "crps_centred": centred,
        "wis": scores.interval_score(low, np.median(moves, axis=1), high, actual) / unit,
        "pinball": scores.pinball(moves, actual, drawn=drawn) / unit,
        "sharpness": moves.std(axis=1) / unit,
        "pit": scores.pit(moves, actual, chance, drawn=drawn),
    }
    for place, level in enumerate(LEVEL_NAMES):
        columns[f"low_{level}"], columns[f"high_{level}"] = low[place], high[place]
        columns[f"covered_{level}"] = scores.covered(low[place], high[place], actual)
        columns[f"width_{level}"] = (high[place] - low[place]) / unit
    return columns


def _points(
    moves: np.ndarray, actual: np.ndarray, close: np.ndarray, actual_close: np.ndarray, history: np.ndarray
) -> dict[str, np.ndarray]:
    median, mean = (np.where(np.abs(m) < ROUNDING, 0.0, m) for m in (np.median(moves, axis=1), moves.mean(axis=1)))
    median_close = np.median(close, axis=1)
    rose = np.where(np.isfinite(actual) & (actual != 0), actual > 0, np.nan)
    chance = (moves > 0).mean(axis=1) + (moves == 0).mean(axis=1) / 2
    return {
        "median": median,
        "mean": mean,
        "actual": actual,
        "absolute": np.abs(median - actual),
        "squared": (mean - actual) ** 2,
        "absolute_price": np.abs(median_close - actual_close),
        "squared_price": (close.mean(axis=1) - actual_close) ** 2,
        "percentage": scores.absolute_percentage(median_close, actual_close),
        "scaled": scores.scaled(median_close, actual_close, history),
        "chance": chance,
        "rose": rose,
        "hit": scores.hit(median, actual),
        "brier": scores.brier(chance, rose),
    }


def _volatility(moves: np.ndarray, drawn: bool) -> np.ndarray:
    """Return the forecast of the realized volatility (B,).

    Of paths, their mean. Quantiles have no path: the expected sum of squares of a random walk is the variance of its
    end.
    """
    if drawn:
        return np.asarray(scores.realized_volatility(np.diff(moves, axis=2, prepend=0.0)).mean(axis=1))
    return np.asarray(moves[..., -1].std(axis=1))


def _z_score(closes: np.ndarray) -> np.ndarray:
    """Return the z-score (B,) of the last of the closes (B, lookback), NaN where they are constant."""
    deviation = closes.std(axis=1)
    return np.asarray((closes[:, -1] - closes.mean(axis=1)) / np.where(deviation > 0, deviation, np.nan))


def _first_gap(members: Members, request: Request) -> np.ndarray:
    """Return the median distance of the first open from the last close (B,), in units of the history.

    The unit is the median distance between an open and the close before it, or the median range of a candle, whichever
    is larger. NaN where a forecaster draws no candles, or the unit is 0.
    """
    if members.first_open is None:
        return np.full(len(request.pasts), np.nan)
    candles = np.stack([past.last(request.lookback) for past in request.pasts])  # (B, lookback, 6)
    jumps = np.median(np.abs(candles[:, 1:, OPEN] - candles[:, :-1, CLOSE]), axis=1)
    unit = np.maximum(jumps, np.median(candles[..., HIGH] - candles[..., LOW], axis=1))
    gap = np.median(np.abs(members.first_open - candles[:, -1, CLOSE, None]), axis=1)
    return np.asarray(gap / np.where(unit > 0, unit, np.nan))
