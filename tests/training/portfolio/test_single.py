from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.qlib_writer import walk
from training.errors import DataError
from training.portfolio.records import Backtest
from training.portfolio.rules import SingleRule
from training.portfolio.single import trade

DAYS = pd.bdate_range("2020-01-01", periods=6)
OPEN = [10.0, 10.0, 11.0, 12.0, 10.0, 9.0]
CLOSE = [10.0, 10.5, 12.0, 11.0, 9.0, 9.5]
FREE = SingleRule(account=1000.0, cost=0.0)


def candles(opened=OPEN, closed=CLOSE, **more):
    return pd.DataFrame({"timestamp": DAYS, "open": opened, "close": closed, **more})


def score(*values):
    return pd.Series(values, index=DAYS[: len(values)])


def account(rule, *values, **more):
    return trade(candles(**more), score(*values), rule, "X").daily["account"].tolist()


def test_a_score_is_dealt_at_the_next_open():
    found = account(FREE, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0)
    # Bought at 10 on the second day, sold at 12 on the fourth.
    assert found == pytest.approx([1050.0, 1200.0, 1200.0, 1200.0, 1200.0])


def test_short_gains_where_the_price_falls_and_turns_round_at_one_open():
    rule = SingleRule(short=True, account=1000.0, cost=0.0)
    found = account(rule, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0)
    # Long from 10 to 12, then short from 12: 1200 * (1 + (12 - close) / 12).
    assert found == pytest.approx([1050, 1200, 1300, 1500, 1450])


def test_costs_and_slippage_are_paid_at_both_ends_and_come_out_in_the_parts():
    rule = SingleRule(account=1000.0, cost=0.01, slippage=0.005)
    result = trade(candles(), score(1.0, 1.0, -1.0, -1.0), rule, "X")
    bought = 1000 / 1.015
    sold = bought * 1.2
    assert result.daily["account"].iloc[-1] == pytest.approx(sold * (1 - 0.015))
    assert result.trades["side"].tolist() == ["buy", "sell"]
    assert result.trades["value"].tolist() == pytest.approx([bought, sold])
    assert result.trades["cost"].tolist() == pytest.approx([bought * 0.015, sold * 0.015])
    assert result.trades["slippage"].sum() == pytest.approx((bought + sold) * 0.005)
    assert result.trades["commission"].sum() == pytest.approx((bought + sold) * 0.01)


@pytest.mark.parametrize("short", [False, True])
def test_the_days_add_up_to_the_account(short):
    frame = walk(pd.bdate_range("2020-01-01", periods=200), 3).rename_axis("timestamp").reset_index()
    values = pd.Series(np.random.default_rng(0).normal(size=200), index=frame["timestamp"])
    rule = SingleRule(threshold=0.5, short=short, cost=0.002, slippage=0.001)
    result = trade(frame, values, rule, "X")
    daily, trades = result.daily, result.trades
    grown = (1 + daily["return"] - daily["cost"]).cumprod() * rule.account
    np.testing.assert_allclose(grown, daily["account"])
    np.testing.assert_allclose(daily["cash"] + daily["value"], daily["account"])
    before = daily["account"].shift(fill_value=rule.account)
    by_day = trades.groupby("day")[["value", "cost"]].sum().reindex(daily.index, fill_value=0.0)
    np.testing.assert_allclose(by_day["value"], daily["turnover"] * before, atol=1e-6)
    np.testing.assert_allclose(by_day["cost"], daily["cost"] * before, atol=1e-6)
    held = result.positions.set_index("day")
    np.testing.assert_allclose(held["amount"] * held["price"], daily["value"][held.index])
    assert (daily["value"] < 0).any() == short
    slow = _slowly(frame, values, rule)
    np.testing.assert_allclose(daily["account"], slow, rtol=1e-9)


def _slowly(frame, values, rule):
    """Return the account by a loop over candles."""
    cash, shares, wish, found = rule.account, 0.0, 0, []
    rate = rule.cost + rule.slippage
    for place in range(1, len(frame)):
        value = values.iloc[place - 1]
        wish = 1 if value > rule.threshold else -1 if value < -rule.threshold and rule.short else 0
        price = frame["open"][place]
        if np.sign(shares) != wish:
            cash += shares * price - abs(shares) * price * rate
            shares = wish * cash / (1 + rate) / price
            cash -= shares * price + abs(shares) * price * rate
        found.append(cash + shares * frame["close"][place])
    return found


def test_within_the_threshold_it_is_flat():
    rule = SingleRule(threshold=0.5, short=True, account=1000.0, cost=0.0)
    assert account(rule, 0.5, -0.5, 0.2, 0.6, 0.6, 0.6) == pytest.approx([1000, 1000, 1000, 900, 950])


def test_a_score_that_is_no_number_decides_nothing():
    assert account(FREE, 1.0, np.nan, np.nan, np.nan) == pytest.approx([1050, 1200, 1100, 900, 950])
    assert account(FREE, np.nan, np.nan, 1.0) == pytest.approx([1000 * 11 / 12, 750.0, 1000 * 9.5 / 12])


@pytest.mark.parametrize(
    "idle",
    [
        {"volume": [1.0, 0.0, 1.0, 1.0, 1.0, 1.0]},
        {"opened": [10.0, np.nan, 11.0, 12.0, 10.0, 9.0]},
        {"closed": [10.0, np.nan, 12.0, 11.0, 9.0, 9.5]},
    ],
    ids=["no volume", "no open", "suspended"],
)
def test_an_order_waits_until_it_can_be_dealt(idle):
    found = account(FREE, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, **idle)
    assert found == pytest.approx([1000, 1000 * 12 / 11, 1000, 9000 / 11, 9500 / 11])


def test_no_later_candle_or_score_changes_an_earlier_day():
    values = score(1.0, -1.0, 1.0, 1.0, 1.0, 1.0)
    known = trade(candles(), values, FREE, "X").daily
    changed = candles(opened=[*OPEN[:4], 99.0, 1.0], closed=[*CLOSE[:4], 1.0, 99.0])
    values.iloc[4:] = -9.0
    pd.testing.assert_frame_equal(trade(changed, values, FREE, "X").daily.iloc[:3], known.iloc[:3])


def test_who_loses_more_than_there_is_stops():
    rule = SingleRule(short=True, account=1000.0, cost=0.0)
    found = trade(
        candles(opened=[10, 10, 11, 30, 10, 10], closed=[10, 10, 25, 30, 5, 5]), score(*[-1.0] * 6), rule, "X"
    )
    assert found.daily["account"].tolist() == pytest.approx([1000, 0, 0, 0, 0])
    assert np.isfinite(found.daily).to_numpy().all()
    assert (found.daily["value"].iloc[2:] == 0).all()


def test_a_strategy_that_never_trades_keeps_its_account_and_saves(tmp_path):
    result = trade(candles(), score(*[-1.0] * 6), FREE, "X")
    assert (result.daily["account"] == 1000).all()
    assert result.trades.empty
    assert result.positions.empty
    result.save(tmp_path / "run")
    pd.testing.assert_frame_equal(Backtest.load(tmp_path / "run").daily, result.daily, check_freq=False)


def test_holding_the_instrument_is_the_benchmark():
    result = trade(candles(), score(1.0), FREE, "X")
    assert ((1 + result.daily["bench"]).prod()) == pytest.approx(9.5 / 10)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (pd.Series([1.0], index=[pd.Timestamp("1999-01-01")]), "X: no score belongs to a candle"),
        (pd.Series([np.nan] * 6, index=DAYS), "X: no score belongs to a candle"),
        (pd.Series([1.0], index=DAYS[-1:]), "X: there is no candle after the first score"),
    ],
)
def test_scores_that_cannot_be_traded_are_refused(values, said):
    with pytest.raises(DataError, match=said):
        trade(candles(), values, FREE, "X")
