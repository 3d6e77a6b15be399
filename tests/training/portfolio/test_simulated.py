from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.qlib_writer import walk
from tests.training.portfolio.conftest import CASES, DAYS, DEALING, NAMES, dealing_of, panel, signal_of
from training.errors import DataError
from training.portfolio import topk
from training.portfolio.market import ranked
from training.portfolio.rules import TopkRule
from training.portfolio.topk import few
from training.portfolio.vectorised import Journal, of_signal, simulate


def candles(names=NAMES):
    return {name: walk(DAYS, NAMES.index(name)).rename_axis("timestamp").reset_index() for name in names}


def test_orders_and_holdings_are_those_of_qlib(ours):
    qlib, market, _ = ours
    rule, changes, seed = CASES[0]
    journal = Journal(market)
    ranks = ranked(signal_of(seed))
    simulate(market, of_signal(market, ranks), 1, rule, dealing_of(changes), journal=journal)
    keys = ["day", "instrument", "side"]
    dealt = qlib.trades[qlib.trades["amount"] > 0].sort_values(keys, ignore_index=True)
    orders = journal.trades()
    own = orders[orders["amount"] > 0].sort_values(keys, ignore_index=True)
    assert own[keys].equals(dealt[keys])
    for column in ("ordered", "amount", "price", "value", "cost"):
        np.testing.assert_allclose(own[column], dealt[column], rtol=1e-9)
    held = qlib.positions.sort_values(["day", "instrument"], ignore_index=True)
    own = journal.positions()
    assert own[["day", "instrument", "days"]].equals(held[["day", "instrument", "days"]])
    np.testing.assert_allclose(own[["amount", "weight"]], held[["amount", "weight"]], rtol=1e-9)


def test_a_portfolio_over_candles_is_that_of_qlib_over_a_folder_of_the_same(ours):
    qlib, _, _ = ours
    rule, changes, seed = CASES[0]
    steps = []
    result, market = topk.backtest_candles(
        candles(), signal_of(seed), rule, dealing_of({**changes, "trade_unit": None}), benchmark=NAMES[0],
        on_step=lambda done, total: steps.append((done, total)),
    )  # fmt: skip
    assert list(result.daily.index) == list(qlib.daily.index) == list(market.days)
    assert steps == [(day + 1, len(market.days)) for day in range(len(market.days))]
    # A Qlib folder holds prices as 32-bit floats and deals in lots of 100.
    np.testing.assert_allclose(result.daily["bench"], qlib.daily["bench"], atol=1e-5)
    np.testing.assert_allclose(result.daily["return"], qlib.daily["return"], atol=2e-4)
    assert result.settings["days"] == qlib.settings["days"]
    assert [str(note) for note in result.notes] == [
        "Simulated without Qlib, which needs Python 3.12 or older; the rule is the same."
    ]


def test_every_order_is_in_the_turnover_and_every_holding_in_the_account():
    rule, changes, seed = CASES[1]
    result, _ = topk.backtest_candles(candles(), signal_of(seed), rule, dealing_of(changes))
    before = result.daily["account"].shift(fill_value=DEALING.account)
    by_day = result.trades.groupby("day")[["value", "cost"]].sum().reindex(result.daily.index, fill_value=0.0)
    np.testing.assert_allclose(by_day["value"] / before, result.daily["turnover"], atol=1e-12)
    np.testing.assert_allclose(by_day["cost"] / before, result.daily["cost"], atol=1e-12)
    worth = (result.positions["amount"] * result.positions["price"]).groupby(result.positions["day"]).sum()
    np.testing.assert_allclose(worth.reindex(result.daily.index, fill_value=0.0), result.daily["value"], rtol=1e-9)
    parts = result.trades[["commission", "slippage", "impact"]].sum(axis=1)
    np.testing.assert_allclose(parts, result.trades["cost"])


def test_a_benchmark_is_compared_with_and_not_traded():
    names = NAMES[1:5]
    result, market = topk.backtest_candles(
        candles(NAMES[:5]), panel(DAYS[10:-2], names), TopkRule(2, 1), DEALING, benchmark=NAMES[0]
    )
    assert market.instruments == tuple(names)
    assert set(result.positions["instrument"]) <= set(names)
    assert result.has_benchmark


def test_what_the_candles_lack_is_named():
    signal = panel(DAYS[10:-2], [NAMES[0], "GHOST"])
    result, _ = topk.backtest_candles(candles(NAMES[:1]), signal, TopkRule(2, 1), DEALING, benchmark="NOPE")
    notes = [str(note) for note in result.notes]
    assert "There are no candles of the benchmark NOPE: the result has no benchmark." in notes
    assert "There are no candles of GHOST on these days: left out." in notes
    assert str(next(few(ranked(signal), NAMES[:1], TopkRule(2, 1)))) in notes
    with pytest.raises(DataError, match="no candles of the signal's instruments"):
        topk.backtest_candles(candles(NAMES[:1]), panel(DAYS[10:-2], ["GHOST"]), TopkRule(2, 1), DEALING)


def test_the_last_day_traded_is_the_one_asked_for():
    result, _ = topk.backtest_candles(candles(), signal_of(0), TopkRule(2, 1), DEALING, end=pd.Timestamp(DAYS[40]))
    assert result.daily.index[-1] == DAYS[40]
