"""The investment simulation: TopkDropout by the mean of the forecast closes, against equal parts of all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from engine.predictor import KronosPredictor
from training.evaluation.cutoffs import Cutoff, Series
from training.evaluation.inference import Estimate, estimates
from training.evaluation.tasks.outcome import Market
from training.evaluation.tasks.presets import Task
from training.evaluation.walk_forward import OnStep
from training.portfolio import market as quotes
from training.portfolio.luck import compared, equal_weight, luck
from training.portfolio.rules import Dealing, TopkRule
from training.portfolio.signals import momentum, pick
from training.portfolio.vectorised import Simulation
from training.portfolio.walk import WalkSettings, signals

SIGNAL = "mean_return"
HELD = 5  # days at least
DEALING = Dealing(limit_threshold=None, open_cost=0.0015, close_cost=0.0015, min_cost=0.0, trade_unit=None)
MOST, SHARE = 50, 6  # held of the 300 of an index; of fewer instruments, a sixth
YEAR = pd.Timedelta(days=365.25)
LUCKY = 500  # random signals


def invest(
    task: Task,
    predictor: KronosPredictor,
    series: Sequence[Series],
    window: tuple[int, int],
    *,
    folder: Path,
    count: int,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> tuple[Market | None, Sequence[Cutoff]]:
    """Return what came of one market of daily candles, None where there is nothing to trade, and all its forecasts.

    Parameters
    ----------
    series
        Of one market. Of a symbol whose candles an unadjusted split parts, only what comes after it is traded.
    window
        Candles of history and of forecast.
    folder
        Where each day's signals are kept; see `training.portfolio.walk.signals`.
    count
        Most days that are traded, the latest ones.
    on_step
        Called with days done and in all; may raise to cancel.
    """
    lookback, horizon = window
    latest = {one.symbol: one for one in series if len(one) >= lookback}
    days = _days(latest, lookback, count)
    latest = {name: one for name, one in latest.items() if len(days) > 1 and one.times[-1] > days[0].value}
    if len(latest) < SHARE:
        return None, []
    universe = {name: one.frame(0, len(one)) for name, one in latest.items()}
    settings = WalkSettings(
        lookback=lookback,
        horizon=horizon,
        samples=task.samples,
        temperature=task.temperature,
        top_p=task.top_p,
        seed=seed,
    )
    found = signals(predictor, universe, settings, start=days[0], end=days[-2], folder=folder, on_step=on_step)
    rule = rule_for(len(latest))
    traded = {name: frame[frame["timestamp"] >= days[0]] for name, frame in universe.items()}
    market = quotes.Market.of_candles(traded, DEALING)
    scores = pick(found, SIGNAL)
    rivals = {predictor.name: scores, "momentum_5": momentum(quotes.closes(universe)).loc[days[0] :]}
    rows = {name: figures(compared(market, one, rule, DEALING), market) for name, one in rivals.items()}
    chance = luck(market, scores, rule, DEALING, count=LUCKY, seed=seed)
    rows[predictor.name]["luck"] = Estimate(chance.percentile)
    taken = (
        f"{len(market.days)} days of {len(latest)} instruments, {lookback} candles → {horizon}; "
        f"{rule.topk} held, {rule.n_drop} replaced a day"
    )
    return Market(series[0].group, taken, rows), _forecasts(latest, days, lookback, horizon)


def rule_for(instruments: int) -> TopkRule:
    """Return the paper's rule for an index of 300, or the same in small for fewer instruments."""
    topk = min(MOST, max(1, instruments // SHARE))
    return TopkRule(topk=topk, n_drop=max(1, topk // 10), hold_thresh=HELD)


def figures(run: Simulation, market: quotes.Market) -> dict[str, Estimate]:
    """Return what a strategy made a year after costs beyond equal parts of all, and that in units of its deviation.

    As Qlib has them: the mean of days times the days of a year, not compounded.
    """
    daily = run.daily()
    beyond = (daily["return"] - daily["cost"] - equal_weight(market)).to_numpy()
    days = pd.DatetimeIndex(run.days)
    a_year = (len(days) - 1) / ((days[-1] - days[0]) / YEAR) if len(days) > 1 else math.nan

    def of(means: np.ndarray) -> np.ndarray:
        spread = np.sqrt(np.maximum(means[..., 1] - means[..., 0] ** 2, 0.0))
        ratio = means[..., 0] / np.where(spread > 0, spread, np.nan) * math.sqrt(a_year)
        return np.stack([means[..., 0] * a_year, ratio], axis=-1)

    found = estimates(np.column_stack([beyond, beyond**2]), days.as_unit("ns").asi8, of)
    return dict(zip(("excess_return", "information_ratio"), found, strict=True))


def _days(latest: Mapping[str, Series], lookback: int, count: int) -> pd.DatetimeIndex:
    """Return the last days on which something has its history, one more than are traded."""
    times = sorted({time for one in latest.values() for time in one.times[lookback - 1 :].tolist()})
    return pd.DatetimeIndex(np.array(times[-count - 1 :], dtype=np.int64).view("M8[ns]"))


def _forecasts(latest: Mapping[str, Series], days: pd.DatetimeIndex, lookback: int, horizon: int) -> list[Cutoff]:
    """Return the places from which the model forecast."""
    asked = days[:-1].as_unit("ns").asi8
    found = []
    for one in latest.values():
        rows = np.flatnonzero(np.isin(one.times, asked)) + 1
        found += [Cutoff(one, row, lookback, horizon) for row in rows.tolist() if row >= lookback]
    return found
