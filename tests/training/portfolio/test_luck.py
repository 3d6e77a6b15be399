from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.qlib_writer import walk
from tests.training.portfolio.conftest import DAYS, NAMES, panel
from training.errors import DataError
from training.portfolio.luck import compared, equal_weight, luck
from training.portfolio.market import Market, closes
from training.portfolio.rules import Dealing, TopkRule
from training.portfolio.signals import long, momentum

DEALING = Dealing(account=1e6, limit_threshold=None)
RULE = TopkRule(3, 1)


@pytest.fixture(scope="module")
def universe():
    return {name: walk(DAYS, seed).rename_axis("timestamp").reset_index() for seed, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def market(universe):
    return Market.of_candles(universe, DEALING)


def test_a_signal_that_knows_tomorrow_is_beyond_luck(universe, market):
    tomorrow = long(closes(universe).pct_change().shift(-2).dropna(how="all"))
    found = luck(market, tomorrow, TopkRule(3, 3), DEALING, count=150)
    assert found.percentile == 1.0
    assert found.strategy > found.earned.max()
    assert str(found.verdict) == "Beats 100% of 150 random signals."
    worst = luck(market, -tomorrow, TopkRule(3, 3), DEALING, count=150)
    assert worst.percentile == 0.0
    assert "not better than chance" in str(worst.verdict)


def test_random_signals_lie_evenly_among_random_signals(market):
    earned = luck(market, panel(DAYS[:-1], NAMES, 99), RULE, DEALING, count=200).earned
    alone = [compared(market, panel(DAYS[:-1], NAMES, seed), RULE, DEALING).account[-1, 0] for seed in range(25)]
    found = np.searchsorted(earned, np.array(alone) / DEALING.account - 1) / len(earned)
    assert 0.35 < found.mean() < 0.65
    assert 0.2 < found.std() < 0.38  # of an even spread: 0.29


def test_the_same_seed_gives_the_same_luck_whatever_the_batch(market, monkeypatch):
    signal = panel(DAYS[:-1], NAMES)
    told = []
    first = luck(market, signal, RULE, DEALING, count=120, seed=5, on_step=lambda *step: told.append(step))
    again = luck(market, signal, RULE, DEALING, count=120, seed=5)
    other = luck(market, signal, RULE, DEALING, count=120, seed=6)
    np.testing.assert_array_equal(first.earned, again.earned)
    assert not np.array_equal(first.earned, other.earned)
    assert told == [(100, 120), (120, 120)]


def test_random_signals_trade_on_the_days_and_among_the_instruments_of_the_signal(universe, market):
    signal = panel(DAYS[10:30:5], NAMES[:1])
    found = luck(market, signal, TopkRule(1, 1), DEALING, count=20)
    assert np.unique(found.earned).tolist() == [found.strategy]
    assert found.percentile == 0.5
    assert (found.account.loc[: DAYS[10]] == 1e6).to_numpy().all()


def test_the_account_has_quantiles_by_day(market):
    found = luck(market, panel(DAYS[:-1], NAMES), RULE, DEALING, count=30)
    assert list(found.account) == [0.05, 0.25, 0.5, 0.75, 0.95]
    assert len(found.account) == len(DAYS) - 1
    assert (found.account.diff(axis=1).iloc[:, 1:] >= 0).to_numpy().all()
    assert found.account.iloc[-1].between(1e6 * (1 + found.earned[0]), 1e6 * (1 + found.earned[-1])).all()


def test_no_random_signal_at_all_is_refused(market):
    with pytest.raises(DataError, match="count=0"):
        luck(market, panel(DAYS[:-1], NAMES), RULE, DEALING, count=0)


def test_momentum_goes_through_the_same_rule(universe, market):
    daily = compared(market, momentum(closes(universe)), RULE, DEALING).daily()
    assert (daily["account"][: DAYS[5]] == 1e6).all()
    assert daily["turnover"][DAYS[6]] > 0.5


def test_equal_weight_is_the_mean_move_of_what_is_traded():
    frames = {
        "A": pd.DataFrame({"timestamp": DAYS[:4], "close": [10.0, 11.0, 11.0, 22.0], "volume": 1.0}),
        "B": pd.DataFrame({"timestamp": DAYS[[0, 1, 3]], "close": [10.0, 9.0, 18.0], "volume": 1.0}),
        "C": pd.DataFrame({"timestamp": DAYS[2:4], "close": [5.0, 5.0], "volume": 1.0}),
    }
    found = equal_weight(Market.of_candles(frames, DEALING))
    assert found.tolist() == pytest.approx([0.0, 0.0, (1.0 + 1.0 + 0.0) / 3])
