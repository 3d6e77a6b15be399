"""One forecast against what came: which candles count as its outcome, and what it was worth by them.

Only candles after the cutoff are compared with the forecast, and a baseline sees only candles up to it. What came may
be told by another series than the one the forecast was made from: a later fetch, whose prices the vendor may have
rescaled after a split or a dividend. The candles that both have up to the cutoff say whether it is the same instrument,
and by how much its prices differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kronos_app.data.candle_frame import FEATURES, CandleFrame
from kronos_app.services.ledger.comparison import MODEL, compare
from kronos_app.store.records import StoredForecast

Array = npt.NDArray[np.float64]

# Candles up to the cutoff by which two series are recognised as one.
OVERLAP = 20
# A vendor corrects single candles: so many must agree, to within this share of the price.
AGREEING, TOLERANCE = 0.8, 1e-3
# Prices that differ by less were not rescaled.
SAME = 1e-4
EXACT = 1e-9


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came after a forecast's cutoff, in the forecast's own time and units.

    Attributes
    ----------
    closes
        After the cutoff, by time, ascending.
    history
        Closes up to and with the cutoff, `(n,)`.
    ratio
        What prices were multiplied by to have the forecast's units; 1 where nobody rescaled them.
    """

    closes: pd.Series[float]
    history: Array
    ratio: float = 1.0

    @property
    def until(self) -> pd.Timestamp:
        """Return the last time that is known."""
        return pd.Timestamp(self.closes.index[-1])


@dataclass(frozen=True)
class Grade:
    """What a forecast was worth.

    Attributes
    ----------
    scores
        `model` and each baseline to its measures: `mae`, `mape`, `direction`, `crps`, and `coverage` by level.
    matched
        How many candles were compared.
    ratio
        See `Outcome`.
    error_in_deviations
        Root mean square, over the steps, of how many deviations of the paths what came lay from their mean, of log
        returns: near 1 where the spread was right. None where all paths were one.
    """

    scores: Mapping[str, Mapping[str, Any]]
    matched: int
    ratio: float = 1.0
    error_in_deviations: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "scores": {name: dict(score) for name, score in self.scores.items()},
            "ratio": self.ratio,
            "error_in_deviations": self.error_in_deviations,
        }

    @property
    def model(self) -> Mapping[str, Any]:
        """Return the measures of the model."""
        return self.scores[MODEL]


def outcome(
    candles: CandleFrame,
    cutoff: pd.Timestamp,
    last_close: float,
    *,
    timezone: str | None,
    known: pd.Series[float] | None = None,
    exact: bool = False,
) -> Outcome | None:
    """Return what `candles` tell of the time after `cutoff`; None where nothing, or of something else.

    Parameters
    ----------
    cutoff, last_close, timezone
        Of the forecast: its last known candle, and the zone its times are local to.
    known
        Closes by time up to the cutoff as the forecast had them; without them the last one must do.
    exact
        Prices must be equal: nothing but they say that it is the same instrument.
    """
    closes = closes_in(candles, timezone)
    if cutoff not in closes.index:
        return None
    after = closes[closes.index > cutoff]
    if after.empty:
        return None
    before = closes[:cutoff]
    if known is None:
        known = pd.Series([last_close], index=pd.DatetimeIndex([cutoff]))
    ratio = _ratio(known.tail(OVERLAP), before.tail(4 * OVERLAP), exact=exact)
    if ratio is None:
        return None
    return Outcome(after * ratio, _array(before) * ratio, ratio)


def closes_in(candles: CandleFrame, timezone: str | None) -> pd.Series[float]:
    """Return closes by time, told in `timezone`; a series without a zone is taken to be told in it already."""
    times = candles.timestamps
    if timezone and candles.timezone and timezone != candles.timezone:
        times = candles.utc.tz_convert(timezone).tz_localize(None)
    closes = pd.Series(candles.frame["close"].to_numpy(np.float64), index=times)
    return closes[~closes.index.duplicated()]


def grade(stored: StoredForecast, came: Outcome, history: Array | None = None) -> Grade | None:
    """Compare a forecast and the baselines with what came; None while none of its candles has.

    Parameters
    ----------
    history
        Closes up to the cutoff as the model had them, `(n,)`; default those of the outcome.
    """
    seen = came.history[-int(stored.provenance["history_rows"]) :] if history is None else history
    actual = _array(came.closes.reindex(stored.timestamps))
    paths = stored.paths[:, :, FEATURES.index("close")]
    compared = compare(paths, actual, seen, driftless=stored.driftless)
    if compared is None:
        return None
    told = {score.pop("name"): score for score in compared.to_dict()["scores"]}
    return Grade(told, compared.matched, came.ratio, _error(stored, actual))


def same_instrument(one: pd.Series[float], other: pd.Series[float]) -> bool:
    """Return whether closes by time are of one instrument, rescaled perhaps: by the last candles that both have."""
    both = one.index.intersection(other.index)
    return len(both) >= OVERLAP and _ratio(one[both].tail(OVERLAP), other[both], exact=False) is not None


def _error(stored: StoredForecast, actual: Array) -> float | None:
    moves = np.log(stored.paths[:, :, FEATURES.index("close")] / stored.last_close)
    deviation = moves.std(axis=0)
    counts = np.isfinite(actual) & (deviation > 0)
    if not counts.any():
        return None
    away = (np.log(actual[counts] / stored.last_close) - moves.mean(axis=0)[counts]) / deviation[counts]
    return float(np.sqrt((away**2).mean()))


def _array(values: pd.Series[float]) -> Array:
    return np.asarray(values.to_numpy(), dtype=np.float64)


def _ratio(known: pd.Series[float], other: pd.Series[float], *, exact: bool) -> float | None:
    """Return what `other` must be multiplied by to be `known`; None where they are of different instruments."""
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
