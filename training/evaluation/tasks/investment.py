"""The investment simulation: TopkDropout by the mean of the forecast closes, against an equal-weight portfolio."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from training.evaluation.cutoffs import Cutoff, Series
from training.evaluation.inference import Estimate, estimates
from training.evaluation.tasks.outcome import Market, MarketRun
from training.portfolio import market as quotes
from training.portfolio.luck import compared, equal_weight, luck
from training.portfolio.rules import Dealing, TopkRule
from training.portfolio.signals import momentum, pick
from training.portfolio.vectorised import Simulation
from training.portfolio.walk import WalkSettings, signals

SIGNAL = "mean_return"
HOLD_THRESH = 5  # days
DEALING = Dealing(limit_threshold=None, open_cost=0.0015, close_cost=0.0015, min_cost=0.0, trade_unit=None)
MOST, SHARE = 50, 6  # held of the 300 of an index; of fewer instruments, a sixth
YEAR = pd.Timedelta(days=365.25)
RANDOM_SIGNALS = 500


def invest(run: MarketRun) -> tuple[Market, Sequence[Cutoff]] | None:
    """Return the result of one market of daily candles and its forecasts, None where there is nothing to trade.

    Of a symbol with an unadjusted split, only the candles after it are traded. The latest `run.count` days are traded.
    """
    (lookback, horizon), task = run.window, run.task
    latest = {candles.symbol: candles for candles in run.series if len(candles) >= lookback}
    days = _days(latest, lookback, run.count)
    latest = {name: candles for name, candles in latest.items() if len(days) > 1 and candles.times[-1] > days[0].value}
    if len(latest) < SHARE:
        return None
    universe = {name: candles.frame(0, len(candles)) for name, candles in latest.items()}
    settings = WalkSettings(
        lookback=lookback,
        horizon=horizon,
        samples=task.samples,
        temperature=task.temperature,
        top_p=task.top_p,
        seed=run.seed,
    )
    panel = signals(
        run.predictor, universe, settings, start=days[0], end=days[-2], folder=run.folder, on_step=run.on_step
    )
    rule = rule_for(len(latest))
    traded = {name: frame[frame["timestamp"] >= days[0]] for name, frame in universe.items()}
    market, signal, model = quotes.Market.of_candles(traded, DEALING), pick(panel, SIGNAL), run.predictor.name
    by_name = {model: signal, "momentum_5": momentum(quotes.closes(universe)).loc[days[0] :]}
    rows = {name: figures(compared(market, values, rule, DEALING), market) for name, values in by_name.items()}
    chance = luck(market, signal, rule, DEALING, count=RANDOM_SIGNALS, seed=run.seed)
    rows[model]["luck"] = Estimate(chance.percentile)
    used = (
        f"{len(market.days)} days of {len(latest)} instruments, {lookback} candles → {horizon}; "
        f"{rule.topk} held, {rule.n_drop} replaced a day"
    )
    return Market(run.series[0].group, used, rows), _cutoffs(latest, days, lookback, horizon)


def rule_for(instruments: int) -> TopkRule:
    """Return the paper's rule for an index of 300, or a proportionally smaller one for fewer instruments."""
    topk = min(MOST, max(1, instruments // SHARE))
    return TopkRule(topk=topk, n_drop=max(1, topk // 10), hold_thresh=HOLD_THRESH)


def figures(run: Simulation, market: quotes.Market) -> dict[str, Estimate]:
    """Return the annualized excess return after costs over the equal-weight portfolio, and the information ratio.

    As in Qlib, the mean of days times the days of a year, not compounded.
    """
    daily = run.daily()
    excess = (daily["return"] - daily["cost"] - equal_weight(market)).to_numpy()
    days = pd.DatetimeIndex(run.days)
    a_year = (len(days) - 1) / ((days[-1] - days[0]) / YEAR) if len(days) > 1 else math.nan

    def of(means: np.ndarray) -> np.ndarray:
        spread = np.sqrt(np.maximum(means[..., 1] - means[..., 0] ** 2, 0.0))
        ratio = means[..., 0] / np.where(spread > 0, spread, np.nan) * math.sqrt(a_year)
        return np.stack([means[..., 0] * a_year, ratio], axis=-1)

    results = estimates(np.column_stack([excess, excess**2]), days.as_unit("ns").asi8, of)
    return dict(zip(("excess_return", "information_ratio"), results, strict=True))


def _days(latest: Mapping[str, Series], lookback: int, count: int) -> pd.DatetimeIndex:
    """Return the last days on which some instrument has its history, one more than are traded."""
    times = sorted({time for candles in latest.values() for time in candles.times[lookback - 1 :].tolist()})
    return pd.DatetimeIndex(np.array(times[-count - 1 :], dtype=np.int64).view("M8[ns]"))


def _cutoffs(latest: Mapping[str, Series], days: pd.DatetimeIndex, lookback: int, horizon: int) -> list[Cutoff]:
    """Return the cutoffs of the model's forecasts."""
    times = days[:-1].as_unit("ns").asi8
    return [
        Cutoff(candles, row, lookback, horizon)
        for candles in latest.values()
        for row in (np.flatnonzero(np.isin(candles.times, times)) + 1).tolist()
        if row >= lookback
    ]
