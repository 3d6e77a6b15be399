"""Grading of one forecast: which candles count as its actuals, and its scores by them.

Only candles after the cutoff are compared with the forecast, and a baseline sees only candles up to it. The actuals may
come from another series than the one the forecast was made from: a later fetch, whose prices the vendor may have
rescaled after a split or a dividend. The candles up to the cutoff that both have decide whether it is the same
instrument, and give the factor between their prices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kronos_app.data.candle_frame import CandleFrame
from kronos_app.services.ledger.comparison import compare
from kronos_app.store.records import StoredForecast

Array = npt.NDArray[np.float64]

OVERLAP = 20  # candles up to the cutoff by which two series are recognised as one
AGREEING, TOLERANCE = 0.8, 1e-3  # share of them that must agree, to within this share of the price: vendors correct
SAME = 1e-4  # prices that differ by less were not rescaled
EXACT = 1e-9
COLUMNS = ("matched", "crps_ratio", "coverage")


@dataclass(frozen=True, eq=False)
class Outcome:
    """The actual closes after a cutoff and the history `(n,)` up to it, times `ratio`: in units of the forecast."""

    closes: pd.Series[float]
    history: Array
    ratio: float = 1.0

    @property
    def until(self) -> pd.Timestamp:
        """Return the last time that is known."""
        return pd.Timestamp(self.closes.index[-1])


@dataclass(frozen=True)
class Grade:
    """The scores of `model` and each baseline over the `matched` candles.

    Attributes
    ----------
    error_in_deviations
        Root mean square, over the steps, of the distance between actual and mean log return in standard deviations of
        the paths: near 1 where the spread was right. None if all paths are equal.
    crps_ratio, coverage
        Of the model: see `Comparison`.
    """

    scores: Mapping[str, Mapping[str, Any]]
    matched: int
    ratio: float = 1.0
    error_in_deviations: float | None = None
    crps_ratio: float | None = None
    coverage: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready form that the store saves; what has a column of its own is left out."""
        return {name: value for name, value in asdict(self).items() if name not in COLUMNS}


def find_outcome(
    candles: CandleFrame,
    cutoff: pd.Timestamp,
    last_close: float,
    *,
    timezone: str | None,
    known: pd.Series[float] | None = None,
    exact: bool = False,
) -> Outcome | None:
    """Return the actual closes that `candles` have after `cutoff`; None if none, or if of another instrument.

    Parameters
    ----------
    cutoff, last_close, timezone
        Of the forecast: its last known candle, and the zone its times are local to.
    known
        Closes by time up to the cutoff as the forecast had them; None: the last close only.
    exact
        Require equal prices, if nothing else shows that it is the same instrument.
    """
    closes = read_closes(candles, timezone)
    if cutoff not in closes.index:
        return None
    after, before = closes[closes.index > cutoff], closes[:cutoff]
    if after.empty:
        return None
    if known is None:
        known = pd.Series([last_close], index=pd.DatetimeIndex([cutoff]))
    ratio = _find_ratio(known.tail(OVERLAP), before.tail(4 * OVERLAP), exact=exact)
    return None if ratio is None else Outcome(after * ratio, _array(before) * ratio, ratio)


def read_closes(candles: CandleFrame, timezone: str | None) -> pd.Series[float]:
    """Return closes by time in `timezone`; a series without a zone counts as local to it."""
    times = candles.timestamps
    if timezone and candles.timezone and timezone != candles.timezone:
        times = candles.utc.tz_convert(timezone).tz_localize(None)
    closes = pd.Series(candles.frame["close"].to_numpy(np.float64), index=times)
    return closes[~closes.index.duplicated()]


def grade(stored: StoredForecast, outcome: Outcome, history: Array | None = None) -> Grade | None:
    """Return the scores of a forecast and the baselines; None while none of its candles is known.

    Parameters
    ----------
    history
        Closes up to the cutoff as the model had them, `(n,)`; default those of the outcome.
    """
    seen = outcome.history[-int(stored.provenance["history_rows"]) :] if history is None else history
    actual = _array(outcome.closes.reindex(stored.timestamps))
    comparison = compare(stored.close_paths, actual, seen, driftless=stored.driftless)
    if comparison is None:
        return None
    scores = {score.pop("name"): score for score in comparison.to_json()["scores"]}
    figures = {name: getattr(comparison, name) for name in COLUMNS}
    return Grade(scores, ratio=outcome.ratio, error_in_deviations=_error(stored, actual), **figures)


def same_instrument(one: pd.Series[float], other: pd.Series[float]) -> bool:
    """Return whether closes by time are of one instrument, perhaps rescaled: by the last candles that both have."""
    both = one.index.intersection(other.index)
    return len(both) >= OVERLAP and _find_ratio(one[both].tail(OVERLAP), other[both], exact=False) is not None


def _error(stored: StoredForecast, actual: Array) -> float | None:
    returns = np.log(stored.close_paths / stored.last_close)
    deviation = returns.std(axis=0)
    counts = np.isfinite(actual) & (deviation > 0)
    if not counts.any():
        return None
    distance = (np.log(actual[counts] / stored.last_close) - returns.mean(axis=0)[counts]) / deviation[counts]
    return float(np.sqrt((distance**2).mean()))


def _array(values: pd.Series[float]) -> Array:
    return np.asarray(values.to_numpy(), dtype=np.float64)


def _find_ratio(known: pd.Series[float], other: pd.Series[float], *, exact: bool) -> float | None:
    """Return the factor from prices of `other` to those of `known`; None if they are of different instruments."""
    both = known.index.intersection(other.index)
    if len(both) < AGREEING * len(known):
        return None
    ratios = _array(known[both] / other[both])
    middle = float(np.median(ratios))
    if not np.isfinite(middle) or middle <= 0:
        return None
    agreeing = np.abs(ratios / middle - 1) <= (EXACT if exact else TOLERANCE)
    if agreeing.mean() < (1.0 if exact else AGREEING):
        return None
    if abs(middle - 1) < (EXACT if exact else SAME):
        return 1.0
    return None if exact else middle
