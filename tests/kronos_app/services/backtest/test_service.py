"""Backtests by a tiny random model: planned, made, cancelled, resumed, deleted."""

import io

import numpy as np
import pandas as pd
import pytest

from kronos_app.errors import Conflict, InvalidInput, NotFound, TooLarge
from kronos_app.services.backtest.compare import compare
from kronos_app.services.backtest.report import grade, periods
from kronos_app.services.backtest.service import BacktestRequest, BacktestWorker
from kronos_app.services.desk import Desk
from kronos_app.settings import Settings
from tests.kronos_app.conftest import walk

SMALL = {"model": "tiny", "lookback": 24, "horizon": 4, "every": 5, "samples": 4, "topk": 2, "n_drop": 1}
SMALL |= {"random_signals": 40}
NAMES = ("AA", "BB", "CC", "DD")


@pytest.fixture(scope="module")
def desk(shared_desk):
    return shared_desk


def keep(desk, name, frame):
    return desk.candles.keep(desk.candles.read(frame.to_csv(index=False).encode(), name)).id


@pytest.fixture(scope="module")
def sets(desk):
    """Return the ids of some daily data sets by name."""
    return {
        name: keep(desk, name, walk(80, seed=seed, freq="B", start="2024-01-01")) for seed, name in enumerate(NAMES)
    }


@pytest.fixture
def ask(sets):
    """Return a function that makes a request; `names` are the data sets."""

    def ask(names=NAMES, **fields):
        data = {"kind": "candle_sets", "candle_sets": [sets[name] for name in names]}
        return BacktestRequest.build({"data": data, **SMALL, **fields})

    return ask


@pytest.fixture
def make(desk, ask, run_to_end):
    """Return a function that makes a backtest and waits for it."""
    return lambda *names, **fields: run_to_end(desk.backtests, ask(names or NAMES, **fields))


@pytest.fixture
def made(make, known):
    """Return a backtest of many instruments beside a benchmark, which no test changes."""
    if "made" not in known:
        known["made"] = make(benchmark="DD")
    return known["made"]


@pytest.fixture
def single(make, known):
    """Return a backtest of one instrument, which no test changes."""
    if "single" not in known:
        known["single"] = make("AA", rule="single", short=True)
    return known["single"]


def test_a_plan_says_what_a_request_comes_to(desk, ask):
    plan = desk.backtests.plan(ask(benchmark="DD"))
    assert (plan.instruments, plan.forecasts) == (3, 3 * -(-57 // 5))
    assert desk.backtests.plan(ask(start="2024-03-01", end="2024-03-10", every=1)).forecasts == 4 * 10


def test_a_backtest_ends_with_a_sentence_figures_and_what_it_is_compared_with(made):
    assert (made.state, made.progress, made.instruments) == ("finished", 1.0, 3)
    report = made.report
    told = made.verdict.render()
    assert told.startswith(f"Beats {report['percentile']:.0%} of 40 random signals")
    assert f"Annualized return after costs {report['figures']['annual_return']:+.1%}" in told
    assert list(report["beside"]) == ["bench", "momentum", "equal_weight"]
    assert report["has_benchmark"]
    assert report["beside"]["bench"]["total_return"] == pytest.approx(report["figures"]["bench_return"])
    assert report["figures"]["total_return"] <= report["figures"]["total_return_without_cost"]
    days = len(report["curves"]["day"])
    assert {len(report["luck"][level]) for level in report["luck"]} == {days}
    assert {len(curve) for curve in report["beside_curves"].values()} == {days}
    low, high = (np.array(report["luck"][level]) for level in ("0.05", "0.95"))
    assert (low <= high).all()


@pytest.mark.usefixtures("qlib")
def test_the_result_is_that_of_qlib_called_with_the_same_signal(desk, made):
    from training.portfolio.rules import Dealing, TopkRule
    from training.portfolio.signals import pick
    from training.portfolio.topk import backtest

    path = desk.settings.home / "backtests" / made.id
    panel = pd.concat([pd.read_parquet(one) for one in sorted((path / "signals").glob("*.parquet"))])
    rule = TopkRule(topk=2, n_drop=1)
    asked = made.request
    dealing = Dealing(account=asked.account, deal_price="open", limit_threshold=None, open_cost=asked.open_cost,
                      close_cost=asked.close_cost, min_cost=0.0, slippage=asked.slippage, trade_unit=None)  # fmt: skip
    days = pd.to_datetime(made.report["curves"]["day"])
    result, _ = backtest(path / "qlib", pick(panel, "mean_return"), rule, dealing, benchmark="DD", end=days[-1])
    pd.testing.assert_frame_equal(desk.backtests.result(made.id).daily, result.daily, check_freq=False)


def test_without_qlib_the_simulator_trades_the_same_portfolio(made, make, monkeypatch):
    monkeypatch.setattr("training.adapters.qlib_support.find_spec", lambda name: None)
    simulated = make(benchmark="DD")
    for figure in ("total_return", "bench_return", "turnover", "max_drawdown", "cost"):
        # A Qlib folder holds prices as 32-bit floats.
        assert simulated.report["figures"][figure] == pytest.approx(made.report["figures"][figure], rel=1e-3, abs=1e-5)
    assert simulated.report["figures"]["trades"] == made.report["figures"]["trades"]
    assert "Simulated without Qlib" in str(simulated.report["notes"])


def test_the_tables_are_there_as_csv(desk, made):
    daily, trades, positions = (
        pd.read_csv(io.StringIO(desk.backtests.csv(made.id, name))) for name in ("daily", "trades", "positions")
    )
    growth = (1 + daily["return"] - daily["cost"]).prod() - 1
    assert growth == pytest.approx(made.report["figures"]["total_return"])
    assert (trades["amount"] > 0).sum() == made.report["figures"]["trades"]
    assert trades["cost"].sum() == pytest.approx(made.report["figures"]["cost"])
    assert set(positions["instrument"]) <= {"AA", "BB", "CC"}


def test_backtests_are_compared_from_the_first_day_that_all_have(desk, made, single):
    found = desk.backtests.compare([made.id, single.id])
    assert [one.id for one in found.backtests] == [made.id, single.id]
    first = [one.report["curves"]["day"][0] for one in found.backtests]
    assert found.start == pd.Timestamp(max(first))
    for one in (made, single):
        daily = desk.backtests.result(one.id).daily
        net = (daily["return"] - daily["cost"])[daily.index >= found.start]
        np.testing.assert_allclose(found.curves[one.id], (1 + net).cumprod() - 1, rtol=1e-9, atol=1e-12)
    different = dict(found.differences)
    assert different["rule"] == ("topk", "single")
    assert different["data"] == (made.origin, single.origin)
    assert {"short", "benchmark"} < set(different)
    assert not {"model", "weights", "lookback", "topk"} & set(different)


def test_growth_is_counted_anew_from_a_later_start(made):
    curves = made.report["curves"]
    later = {name: values[5:] for name, values in curves.items()}
    report = {**made.report, "curves": later, "weights": "0" * 64}
    second = made.model_copy(update={"id": "later", "report": report})
    found = compare([made, second])
    before, last = curves["strategy"][4], curves["strategy"][-1]
    assert found.curves[made.id].iloc[-1] == pytest.approx((1 + last) / (1 + before) - 1)
    assert found.curves["later"].iloc[-1] == pytest.approx(last)
    assert found.differences == (("weights", (made.report["weights"], "0" * 64)),)


def test_periods_without_a_common_day_have_no_common_growth(made):
    curves = made.report["curves"]
    halves = {
        name: {column: values[part] for column, values in curves.items()}
        for name, part in {"first": slice(0, 9), "second": slice(9, None)}.items()
    }
    found = compare(
        [made.model_copy(update={"id": n, "report": {**made.report, "curves": half}}) for n, half in halves.items()]
    )
    assert (found.start, found.curves) == (None, {})


def test_only_two_to_four_finished_backtests_are_compared(desk, made, stopped):
    for ids in ([made.id], [made.id, made.id], [made.id, stopped.id]):
        with pytest.raises(InvalidInput) as refused:
            desk.backtests.compare(ids)
        assert refused.value.code == "backtests_to_compare"
    with pytest.raises(NotFound):
        desk.backtests.compare([made.id, "0123456789ab"])


def drawn(desk, backtest_id, name, day, finished):
    """Return the forecast behind a trade, drawn by its job, and the job."""
    assert desk.backtests.behind(backtest_id, name, day) is None
    job = finished(desk.backtests.draw_behind(backtest_id, name, day).id)
    return desk.backtests.behind(backtest_id, name, day), job


def test_the_forecast_behind_a_trade_is_drawn_again_as_it_was_traded_by(desk, made, finished):
    trade = desk.backtests.result(made.id).trades.iloc[-1]
    found, job = drawn(desk, made.id, trade["instrument"], trade["day"], finished)
    assert job.status == "succeeded", job.error
    signals = sorted((desk.settings.home / "backtests" / made.id / "signals").glob("*.parquet"))
    panel = pd.concat([pd.read_parquet(one) for one in signals])["mean_return"].unstack()
    before = panel[panel.index < trade["day"]].iloc[-1]
    assert found.day == before.name
    assert (found.score, found.among) == (before[trade["instrument"]], 3)
    assert found.rank == 1 + (before > found.score).sum()
    assert found.drawn == pytest.approx(found.score, rel=1e-3)
    assert (found.history.index[-1], len(found.history), len(found.bands)) == (found.day, 24, 4)
    candles = walk(80, seed=NAMES.index(trade["instrument"]), freq="B", start="2024-01-01").set_index("timestamp")
    pd.testing.assert_frame_equal(
        found.actual, candles.loc[found.actual.index], check_freq=False, check_index_type=False
    )
    assert found.actual.index[0] == trade["day"]
    bands = found.bands
    assert (bands["low_90"] <= bands["low_50"]).all()
    assert ((bands["low_50"] <= bands["median"]) & (bands["median"] <= bands["high_50"])).all()


def test_a_model_that_has_changed_shows_nothing_in_place_of_what_it_was(desk, made, finished, monkeypatch):
    from engine import KronosPredictor

    monkeypatch.setattr(desk.models.get("tiny"), "digest", "0" * 64)
    first = desk.backtests.result(made.id).trades.iloc[0]
    found, job = drawn(desk, made.id, first["instrument"], first["day"], finished)
    assert (found, job.status, job.error["code"]) == (None, "failed", "model_changed")
    assert isinstance(desk.models.get("tiny"), KronosPredictor)


def test_what_was_not_forecast_has_no_forecast_behind_it(desk, made):
    first = desk.backtests.result(made.id).daily.index[0]
    for name, day in (("AA", first - pd.Timedelta(days=9)), ("DD", first), ("../AA", first)):
        with pytest.raises(NotFound) as refused:
            desk.backtests.draw_behind(made.id, name, day)
        assert refused.value.code == "no_signal"


def test_one_instrument_is_traded_long_and_short_and_compared_with_holding_it(desk, single):
    report = single.report
    assert set(report["beside"]) == {"buy_and_hold"}
    assert "buy and hold" in single.verdict.render()
    assert set(desk.backtests.result(single.id).trades["side"]) == {"buy", "sell"}
    frame = walk(80, seed=0, freq="B", start="2024-01-01").set_index("timestamp")["close"]
    first, last = report["curves"]["day"][0], report["curves"]["day"][-1]
    held = frame[last] / frame[:first].iloc[-2] - 1
    assert report["beside"]["buy_and_hold"]["total_return"] == pytest.approx(held)


def test_a_chance_of_a_rise_is_long_above_one_half_only(desk, make):
    found = make("AA", rule="single", short=True, signal="probability_up")
    path = desk.settings.home / "backtests" / found.id / "signals"
    chances = pd.concat([pd.read_parquet(one) for one in sorted(path.glob("*.parquet"))])["probability_up"]
    assert (chances < 0.5).any()
    shorts = desk.backtests.result(found.id).positions
    assert (shorts["amount"] < 0).any()


def test_zero_drift_takes_the_direction_out_of_the_signal(desk, make, finished):
    found = make("AA", rule="single", driftless=True, signal="probability_up", samples=5)
    path = desk.settings.home / "backtests" / found.id / "signals"
    chances = pd.concat([pd.read_parquet(one) for one in sorted(path.glob("*.parquet"))])["probability_up"]
    assert chances.between(0.3, 0.7).all()  # the median path of five ends at the last close
    assert "no direction" in found.notes[0].render()


def test_a_backtest_of_an_earlier_version_was_made_with_drift(desk, made):
    import json

    path = made.path / "desk.json"
    before = path.read_text(encoding="utf-8")
    saved = json.loads(before)
    for name in ("temperature", "top_p", "top_k", "driftless"):
        del saved["request"][name]
    path.write_text(json.dumps(saved), encoding="utf-8")
    request = desk.backtests.get(made.id).request
    path.write_text(before, encoding="utf-8")
    assert (request.temperature, request.top_p, request.top_k, request.driftless) == (1.0, 1.0, 0, False)


def test_a_plan_says_how_long_it_takes_once_the_model_was_measured_here(desk, made, ask):
    shortest, longest = desk.backtests.plan(ask()).seconds
    assert made.report["pace"] > 0
    assert 0 < shortest < longest
    assert desk.backtests.plan(ask(samples=400)).seconds[1] > longest
    assert "pace" not in made.report_in("en")


def test_a_page_to_download_is_drawn(desk, single):
    page = desk.backtests.tearsheet(single.id)
    assert "tiny, mean_return: AA" in page


def test_a_period_bounds_the_days_that_are_traded(make):
    found = make("AA", rule="single", start="2024-03-01", end="2024-04-01")
    assert found.report["curves"]["day"][0] > "2024-03-01"
    assert found.report["curves"]["day"][-1] == "2024-04-01T00:00:00"


def test_a_period_before_the_end_of_the_training_is_warned_of(settings, make_spec, make_frame):
    from dataclasses import replace
    from datetime import date

    learned = replace(make_spec(), trained_until={"": date(2024, 2, 15)})
    desk = Desk(settings, {"tiny": learned})
    desk.start()
    try:
        data = {"kind": "candle_sets", "candle_sets": [keep(desk, "AA", make_frame(80, freq="B", start="2024-01-01"))]}
        asked = {"data": data, **SMALL, "rule": "single"}
        warned = []
        for fields in ({}, {"start": "2024-02-16"}):
            started = desk.backtests.start(BacktestRequest.build(asked | fields))
            assert desk.jobs.wait(started.job_id, 60).status == "succeeded"
            warned.append([one.render() for one in desk.backtests.get(started.id).warnings])
    finally:
        desk.close()
    assert warned[0][0].startswith(
        "The period starts on 2024-02-01, before the training data of tiny ends (2024-02-15)"
    )
    assert warned[1] == []


def test_candles_may_go_once_a_backtest_has_begun(desk, ask, finished):
    saved = keep(desk, "gone", walk(80, seed=9, freq="B"))
    data = {"kind": "candle_sets", "candle_sets": [saved]}
    started = desk.backtests.start(BacktestRequest.build({"data": data, **SMALL, "rule": "single"}))
    desk.candles.delete(saved)
    assert finished(started.job_id).status == "succeeded"


@pytest.fixture
def stopped(desk, ask, cancel_midway, monkeypatch):
    """Return a backtest that was cancelled after it had saved some signals."""
    from training.portfolio import walk as walking

    with monkeypatch.context() as patch:
        patch.setattr(walking, "TOGETHER", 2)
        return cancel_midway(desk.backtests, ask(("AA",), rule="single"), walking)


def test_one_that_was_cancelled_goes_on_where_it_was(desk, stopped, finished):
    assert (stopped.state, stopped.report) == ("cancelled", None)
    path = desk.settings.home / "backtests" / stopped.id / "signals"
    before = {one.name: one.stat().st_mtime_ns for one in path.glob("*.parquet")}
    assert before
    assert finished(desk.backtests.resume(stopped.id).job_id).status == "succeeded"
    after = {one.name: one.stat().st_mtime_ns for one in path.glob("*.parquet")}
    assert before.items() <= after.items()
    assert len(after) > len(before)
    assert desk.backtests.get(stopped.id).state == "finished"


def test_a_restart_takes_up_what_was_under_way(check_restart, make_frame):
    def make_request(desk):
        data = {"kind": "candle_sets", "candle_sets": [keep(desk, "AA", make_frame(60, freq="B"))]}
        return BacktestRequest.build({"data": data, **SMALL, "rule": "single"})

    check_restart(BacktestWorker, "backtests", make_request)


def test_a_finished_one_is_not_resumed_and_a_deleted_one_is_gone(desk, make):
    found = make("AA", rule="single")
    with pytest.raises(Conflict):
        desk.backtests.resume(found.id)
    desk.backtests.delete(found.id)
    for call in (desk.backtests.get, desk.backtests.delete, desk.backtests.tearsheet):
        with pytest.raises(NotFound):
            call(found.id)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"n_drop": 3}, "rule"),
        ({"benchmark": "ZZ"}, "unknown_benchmark"),
        ({"rule": "single"}, "no_backtest_data"),
        ({"lookback": 63}, "window_too_long"),
        ({"start": "2024-03-01", "end": "2024-03-01"}, "empty_period"),
        ({"start": "2030-01-01"}, "too_few_candles"),
    ],
)
def test_what_cannot_be_traded_is_refused_and_leaves_nothing(desk, ask, fields, code):
    before = len(list((desk.settings.home / "backtests").iterdir())) if desk.backtests.list() else 0
    with pytest.raises(InvalidInput) as refused:
        desk.backtests.start(ask(**fields))
    assert refused.value.code == code
    folder = desk.settings.home / "backtests"
    assert (len(list(folder.iterdir())) if folder.is_dir() else 0) == before


def test_hourly_candles_are_refused_by_the_rule_for_many(desk, make_frame):
    data = {"kind": "candle_sets", "candle_sets": [keep(desk, "hourly", make_frame(80))]}
    with pytest.raises(InvalidInput, match="hourly"):
        desk.backtests.start(BacktestRequest.build({"data": data, **SMALL}))


def test_limits_of_the_deployment_hold(desk, ask, monkeypatch):
    few = desk.settings.model_copy(update={"max_backtest_forecasts": 10})
    monkeypatch.setattr(desk.backtests, "_settings", few)
    with pytest.raises(TooLarge):
        desk.backtests.start(ask())
    monkeypatch.setattr(desk.backtests, "_settings", desk.settings)
    monkeypatch.setattr(desk.backtests, "_most", 0)
    with pytest.raises(Conflict):
        desk.backtests.start(ask())


def test_a_qlib_folder_is_traded_as_it_is(tmp_path, make_spec):
    from tests.qlib_writer import walk as quotes
    from tests.qlib_writer import write

    calendar = pd.date_range("2024-01-01", periods=70, freq="B")
    write(
        tmp_path / "cn", {name: quotes(calendar, seed) for seed, name in enumerate(("SH600000", "SH600004"))}, calendar
    )
    settings = Settings(home=tmp_path / "home", threads=1, qlib_folders={"cn": tmp_path / "cn"})
    desk = Desk(settings, {"tiny": make_spec()})
    desk.start()
    try:
        asked = {"data": {"kind": "qlib", "qlib_folder": "cn"}, **SMALL, "topk": 1, "every": 10}
        started = desk.backtests.start(BacktestRequest.build(asked | {"benchmark": "SH600004"}))
        job = desk.jobs.wait(started.job_id, 60)
        assert job.status == "succeeded", job.error
        found = desk.backtests.get(started.id)
        assert (found.instruments, found.report["has_benchmark"]) == (1, True)
        assert not (settings.home / "backtests" / found.id / "qlib").exists()
        with pytest.raises(NotFound):
            desk.backtests.start(BacktestRequest.build(asked | {"data": {"kind": "qlib", "qlib_folder": "us"}}))
    finally:
        desk.close()


def test_a_year_has_as_many_candles_as_its_market_trades():
    assert periods(pd.date_range("2024-01-01", periods=100, freq="B")) == 252
    assert periods(pd.date_range("2024-01-01", periods=100, freq="D")) == 365
    assert periods(pd.date_range("2024-01-01", periods=24 * 366, freq="h")) == pytest.approx(24 * 365.25, rel=0.01)


def test_only_what_beats_luck_and_all_it_is_compared_with_stands_well():
    report = {"figures": {"total_return": 0.2}, "percentile": 0.97, "beside": {"momentum": {"total_return": 0.1}}}
    assert grade(report) == 1
    assert grade(report | {"beside": {"momentum": {"total_return": 0.3}}}) == 0
    assert grade(report | {"percentile": 0.7}) == 0
    assert grade(report | {"percentile": 0.3}) == -1
