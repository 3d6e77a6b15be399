from __future__ import annotations

import numpy as np
import pandas as pd
import psutil
import pytest

from tests.qlib_writer import walk, write
from tests.training.portfolio.conftest import CASES, DAYS, NAMES, panel, signal_of
from training.errors import DataError, TrainingError
from training.portfolio.market import ranked
from training.portfolio.process import run
from training.portfolio.records import Backtest
from training.portfolio.rules import Dealing, TopkRule
from training.portfolio.topk import backtest, missing
from training.portfolio.vectorised import of_signal, simulate


def test_our_numbers_are_those_of_qlib_for_the_same_signal(ours, direct):
    result, _, _ = ours
    report, risk, held = direct[0]
    daily = result.daily
    assert list(daily.index) == list(report.index)
    np.testing.assert_allclose(daily, report[list(daily)], rtol=1e-12, atol=1e-14)
    assert result.risk["excess_with_cost"] == pytest.approx(risk, rel=1e-9)
    for day, amounts in held.items():
        own = result.positions[result.positions["day"] == day].set_index("instrument")["amount"]
        assert own.to_dict() == pytest.approx(amounts)


def test_every_order_is_kept_with_its_cost_and_tells_the_turnover(ours):
    result, _, _ = ours
    trades, daily = result.trades, result.daily
    before = daily["account"].shift(fill_value=1e6)
    by_day = trades.groupby("day")[["value", "cost"]].sum().reindex(daily.index, fill_value=0.0)
    np.testing.assert_allclose(by_day["value"] / before, daily["turnover"], atol=1e-12)
    np.testing.assert_allclose(by_day["cost"] / before, daily["cost"], atol=1e-12)
    assert set(trades["side"]) == {"buy", "sell"}
    np.testing.assert_allclose(trades[["commission", "slippage", "impact"]].sum(axis=1), trades["cost"])


def test_progress_is_told_each_day_and_the_last_day_of_the_calendar_is_not_traded_without_a_score(ours):
    result, _, told = ours
    days = len(result.daily)
    assert told == [(day + 1, days) for day in range(days)]
    assert result.daily.index[-1] == DAYS[-2]
    assert result.notes == ()
    assert result.has_benchmark


def test_a_backtest_is_read_back_as_it_was_saved(ours, tmp_path):
    result, _, _ = ours
    result.save(tmp_path / "run")
    again = Backtest.load(tmp_path / "run")
    for table in ("daily", "positions", "trades"):
        pd.testing.assert_frame_equal(getattr(again, table), getattr(result, table), check_freq=False)
    assert again.settings == result.settings
    assert again.risk == result.risk
    with pytest.raises(DataError, match="holds no backtest"):
        Backtest.load(tmp_path / "nothing")


ODD = Dealing(account=1e6, deal_price="open", limit_threshold=0.03, slippage=0.001, impact=0.1, min_cost=30.0)


@pytest.fixture(scope="module")
def odd(qlib, tmp_path_factory):
    """Run a folder in which everything is wrong that usually is."""
    folder = tmp_path_factory.mktemp("odd") / "us_data"
    frames = {
        name: walk(DAYS, seed, factor=False).drop(columns=["change", "vwap"]) for seed, name in enumerate("ABCDEF")
    }
    frames["A"].iloc[30:36] = np.nan  # suspended
    frames["B"] = frames["B"].iloc[:45]  # ends while it is held
    frames["C"] = frames["C"].iloc[25:]  # begins midway
    frames["D"].loc[DAYS[20:40], "volume"] = 0.0
    frames["E"].loc[DAYS[30], "open"] = np.nan
    write(folder, frames, DAYS)
    signal = panel(DAYS[5:-1], [*"ABCDEF", "GHOST"], 4)
    names = signal.index.get_level_values("instrument")
    signal[names == "B"] += 50
    signal[signal.sample(frac=0.1, random_state=1).index] = np.nan
    weekend = panel([DAYS[7] + pd.Timedelta(days=1)], ["A"], 5)
    assert weekend.index[0][0] not in DAYS
    rule = TopkRule(5, 2, hold_thresh=2)
    result, market = backtest(folder, pd.concat([signal, weekend]), rule, ODD, benchmark="NOPE")
    return result, market, rule, signal


def test_odd_data_are_dealt_with_and_what_was_left_out_is_said(odd):
    result, _, _, signal = odd
    said = [str(note) for note in result.notes]
    assert said == [
        f"{int(signal.isna().sum())} scores are not numbers and are left out.",
        "There are no candles of the benchmark NOPE: the result has no benchmark.",
        "1 days of the signal are not trading days and are left out.",
        "There are no candles of GHOST on these days: left out.",
        "At most 6 instruments have a score on one day, fewer than topk + n_drop = 7: TopkDropout "
        "then sells the worst 2 even though fewer can be bought instead.",
        f"B is held at the end at its price of {DAYS[44]:%Y-%m-%d}: it has no candle since.",
    ]
    assert not result.has_benchmark
    assert set(result.risk) == {"with_cost", "without_cost"}
    assert result.daily.index[-1] == DAYS[-1]


def test_nothing_is_dealt_while_it_is_suspended_limited_or_without_volume(odd):
    result, market, _, _ = odd
    dealt = result.trades[result.trades["amount"] > 0]
    day = market.days.get_indexer(pd.DatetimeIndex(dealt["day"]))
    column = pd.Index(market.instruments).get_indexer(pd.Index(dealt["instrument"]))
    assert (market.volume[day, column] > 0).all()
    assert np.isfinite(market.close[day, column]).all()
    known = market.mark[:-1]
    moves = market.close[1:] / np.where(np.isnan(market.close[:-1]), np.nan, known) - 1
    later = day > 0
    assert np.nanmax(np.abs(moves[day[later] - 1, column[later]])) < 0.03
    idle = dealt[(dealt["instrument"] == "D") & dealt["day"].between(DAYS[20], DAYS[39])]
    assert idle.empty
    assert (dealt["instrument"] == "D").any()


def test_costs_are_split_into_commission_slippage_and_impact(odd):
    trades = odd[0].trades
    dealt = trades[trades["amount"] > 0]
    np.testing.assert_allclose(dealt["slippage"], 0.001 * dealt["value"])
    assert (dealt["impact"] >= 0).all()
    assert dealt["impact"].max() > 0
    rate = np.where(dealt["side"] == "buy", 0.0005, 0.0015)
    assert (dealt["commission"] >= rate * dealt["value"] * (1 - 1e-9)).all()
    np.testing.assert_allclose(dealt["cost"], np.maximum(
        rate * dealt["value"] + dealt["slippage"] + dealt["impact"], 30.0))  # fmt: skip


def test_the_simulator_agrees_on_odd_data_too(odd):
    result, market, rule, signal = odd
    daily = simulate(market, of_signal(market, ranked(signal)), 1, rule, ODD).daily()
    np.testing.assert_allclose(daily["account"], result.daily["account"], rtol=1e-9)
    np.testing.assert_allclose(daily["cost"], result.daily["cost"], atol=1e-12)


@pytest.mark.usefixtures("qlib")
def test_a_backtest_can_be_cancelled_and_leaves_no_process(folder):
    class Cancelled(Exception):
        pass

    def stop(done, total):
        raise Cancelled

    before = psutil.Process().children()
    with pytest.raises(Cancelled):
        backtest(folder, signal_of(0), CASES[0][0], Dealing(), on_step=stop)
    assert psutil.Process().children() == before


def test_of_many_missing_instruments_a_few_are_named():
    assert [str(note) for note in missing(list("ABCDEFG"))] == [
        "7 instruments have no candles on these days and are left out: A, B, C, D, E ..."
    ]


@pytest.mark.usefixtures("qlib")
def test_a_process_that_breaks_off_says_why(tmp_path):
    with pytest.raises(TrainingError, match=r"qlib_child failed: FileNotFoundError: .*request\.json"):
        run("training.portfolio.qlib_child", tmp_path)


@pytest.mark.usefixtures("qlib")
@pytest.mark.parametrize(
    ("signal", "more", "said"),
    [
        (panel(DAYS[:3], ["A"]) * np.nan, {}, "no score that is a number"),
        (pd.concat([panel(DAYS[:3], ["A"])] * 2), {}, "A has two scores on 2020-01-01"),
        (panel(DAYS[:3], ["../../etc"]), {}, "cannot be the name of an instrument"),
        (panel(DAYS[:3], ["A"]), {"benchmark": "/etc/passwd"}, "cannot be the name of an instrument"),
        (panel(DAYS[:3] + pd.Timedelta(hours=3), ["A"]), {}, "midnight, without a time zone"),
        (panel(DAYS[:3].tz_localize("UTC"), ["A"]), {}, "midnight, without a time zone"),
        (panel(DAYS[:3], ["A"]).droplevel("instrument"), {}, "by datetime and instrument"),
    ],
)
def test_a_signal_that_cannot_be_traded_is_refused_before_qlib_starts(folder, signal, more, said):
    with pytest.raises(DataError, match=said):
        backtest(folder, signal, TopkRule(2, 1), Dealing(), **more)


def test_a_folder_that_is_none_is_said_to_be_one(tmp_path):
    with pytest.raises(DataError, match="is not a Qlib folder"):
        backtest(tmp_path, signal_of(0), TopkRule(2, 1), Dealing())


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (DAYS[-1:], "no day after the first one of the signal"),
        (DAYS[:3] + pd.Timedelta(days=4000), "No day of the signal"),
    ],
)
def test_days_that_cannot_be_traded_are_said_to_be_none(folder, days, said):
    with pytest.raises(DataError, match=said):
        backtest(folder, panel(days, NAMES), TopkRule(2, 1), Dealing())


@pytest.mark.parametrize(
    ("names", "price", "said"),
    [
        (["GHOST"], "close", "no candles of the signal's instruments"),
        (NAMES, "twap", "no field twap for the execution price"),
    ],
)
def test_what_a_folder_lacks_is_named(folder, names, price, said):
    with pytest.raises(DataError, match=said):
        backtest(folder, panel(DAYS[:3], names), TopkRule(2, 1), Dealing(deal_price=price))
