from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.qlib_writer import walk
from tests.training.portfolio.conftest import CASES, DAYS, NAMES, dealing_of, panel, signal_of
from training.errors import DataError
from training.portfolio.market import Market, ranked
from training.portfolio.rules import Dealing, TopkRule
from training.portfolio.vectorised import of_signal, simulate


@pytest.mark.parametrize("case", range(len(CASES)))
def test_the_simulator_does_what_qlib_does(ours, direct, case):
    rule, changes, seed = CASES[case]
    _, market, _ = ours
    daily = simulate(market, of_signal(market, ranked(signal_of(seed))), 1, rule, dealing_of(changes)).daily()
    report, _, _ = direct[case]
    assert len(daily) == len(report) == len(DAYS) - 12
    assert report["turnover"].gt(0).sum() > 10
    for column in ("account", "cash", "value"):
        np.testing.assert_allclose(daily[column], report[column], rtol=1e-9, atol=1e-6)
    for column in ("return", "cost", "turnover"):
        np.testing.assert_allclose(daily[column], report[column], atol=1e-12)


def test_many_strategies_at_once_are_what_each_is_alone(ours):
    _, market, _ = ours
    rule, changes, _ = CASES[1]
    signals = [of_signal(market, ranked(signal_of(seed))) for seed in range(3)]
    together = simulate(market, lambda day: np.vstack([one(day) for one in signals]), 3, rule, dealing_of(changes))
    for number, one in enumerate(signals):
        alone = simulate(market, one, 1, rule, dealing_of(changes))
        np.testing.assert_array_equal(together.account[:, number], alone.account[:, 0])


def universe(count=4, days=30):
    frames = {}
    for seed, name in enumerate(NAMES[:count]):
        frames[name] = walk(DAYS[:days], seed).rename_axis("timestamp").reset_index()
    return frames


FREE = Dealing(account=1000.0, limit_threshold=None, open_cost=0, close_cost=0, min_cost=0, trade_unit=None)


def run(market, signal, rule, dealing=FREE):
    return simulate(market, of_signal(market, ranked(signal)), 1, rule, dealing).daily()


def test_the_score_of_a_day_is_traded_on_the_next_and_the_account_follows_the_close():
    frames = universe(1)
    market = Market.of_candles(frames, FREE)
    signal = panel(DAYS[4:5], NAMES[:1])
    daily = run(market, signal, TopkRule(1, 1, risk_degree=1.0))
    close = frames[NAMES[0]].set_index("timestamp")["close"]
    np.testing.assert_allclose(daily["account"][: DAYS[5]], 1000, rtol=1e-9)
    np.testing.assert_allclose(daily["account"][DAYS[5] :], 1000 * close[DAYS[5] :] / close[DAYS[5]], rtol=1e-9)


def test_fewer_instruments_than_topk_are_all_bought_and_the_worst_sold_as_qlib_does():
    market = Market.of_candles(universe(3), FREE)
    daily = run(market, panel(DAYS[:2], NAMES[:3]), TopkRule(10, 2, risk_degree=1.0))
    np.testing.assert_allclose(daily["cash"].iloc[0], 0, atol=1e-6)
    assert daily["turnover"].iloc[0] == pytest.approx(1.0)
    assert 0.5 < daily["turnover"].iloc[1] < 0.8
    assert (daily["turnover"].iloc[2:] == 0).all()


def test_nothing_is_dealt_on_a_day_without_volume_or_price():
    frames = universe(2)
    frames[NAMES[0]].loc[5, "volume"] = 0.0
    frames[NAMES[1]] = frames[NAMES[1]].drop(index=[5, 6])
    market = Market.of_candles(frames, FREE)
    daily = run(market, panel(DAYS[4:5], NAMES[:2]), TopkRule(2, 1))
    assert daily["turnover"].sum() == 0


def test_candles_without_the_field_to_deal_at_are_refused():
    with pytest.raises(DataError, match="no field twap"):
        Market.of_candles(universe(1), Dealing(deal_price="twap"))


def test_what_ends_while_it_is_held_stays_at_its_last_price():
    frames = universe(2)
    frames[NAMES[0]] = frames[NAMES[0]].iloc[:15]
    market = Market.of_candles(frames, FREE)
    signal = panel(DAYS[4:25], NAMES[:2])
    signal[signal.index.get_level_values("instrument") == NAMES[0]] += 100
    daily = run(market, signal, TopkRule(1, 1, risk_degree=1.0))
    assert daily["value"][DAYS[15] :].nunique() == 1
    assert daily["value"].iloc[-1] > 0


def test_days_without_scores_change_nothing():
    market = Market.of_candles(universe(4), FREE)
    signal = panel(DAYS[2:25], NAMES[:4])
    weekly = signal[signal.index.get_level_values("datetime").isin(DAYS[2:25:5])]
    daily = run(market, weekly, TopkRule(2, 1))
    dealt = daily.index[daily["turnover"] > 0]
    assert set(dealt) <= set(DAYS[3:26:5])
    assert len(dealt) > 1


def test_equal_scores_are_ordered_by_name_and_what_is_no_number_is_left_out():
    index = pd.MultiIndex.from_product([DAYS[:2], ["A", "B", "C"]], names=["datetime", "instrument"])
    signal = pd.Series([1.0, 1.0, 0.0, np.nan, np.inf, 5.0], index=index)
    assert ranked(signal).to_dict() == {
        (DAYS[0], "A"): 3.0, (DAYS[0], "B"): 2.0, (DAYS[0], "C"): 1.0, (DAYS[1], "C"): 1.0,
    }  # fmt: skip
