"""The Backtest page: two real backtests by a tiny model serve most of these tests."""

from __future__ import annotations

import json
import shutil
import time

import pytest

from kronos_app.i18n import translate
from kronos_app.services.backtest.service import BacktestRequest
from kronos_app.widgets.backtest import keys
from tests.app.conftest import copy_record, labels_of, make_finished, message_texts, page_text, wait_for_end
from tests.kronos_app.conftest import walk

LANGUAGES = ("en", "zh_CN")
NAMES = ("AA", "BB", "CC", "DD")
SMALL = {"model": "kronos-nano", "lookback": 24, "horizon": 4, "every": 5, "samples": 2, "topk": 2, "n_drop": 1}
SMALL |= {"random_signals": 40, "start": "2023-03-01"}


def keep(desk, name: str, seed: int = 0) -> str:
    frame = walk(80, seed=seed, freq="B", start="2023-01-02")
    return desk.candles.keep(desk.candles.read(frame.to_csv(index=False).encode(), name)).id


def start(desk, names=("AA",), **fields):
    data = {"kind": "candle_sets", "candle_sets": [keep(desk, name, seed) for seed, name in enumerate(names)]}
    return desk.backtests.start(BacktestRequest.build({"data": data, **SMALL, **fields}))


@pytest.fixture(scope="module")
def traded(tmp_path_factory):
    """Return the folder of a backtest that has finished."""
    home = tmp_path_factory.mktemp("traded")
    return make_finished(home, "backtests", lambda desk: start(desk, NAMES, benchmark="DD").id)


@pytest.fixture
def put(desk, traded):
    """Put a copy of the backtest on the desk and return its id."""
    return copy_record(traded, desk)


def field(name: str) -> str:
    return f"{keys.FIELD}.{name}"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_somebody_without_data_is_led_to_it_and_cannot_start(open_page, lang):
    app = open_page("backtest", lang=lang)
    assert translate("There is no data set yet. Upload one, or take a sample.", lang) in page_text(app)
    assert translate("Start", lang) not in [button.label for button in app.button]


def test_a_backtest_is_started_from_the_form_and_its_address_shows_the_result(open_page, desk):
    keep(desk, "AA")
    app = open_page("backtest")
    app.get_by_key(field("rule")).set_value("single").run()
    for name, value in {"lookback": 24, "horizon": 4, "every": 5, "samples": 2}.items():
        app.get_by_key(field(name)).set_value(value)
    app.run()
    metrics = {metric.label: metric.value for metric in app.metric}
    assert (metrics["Instruments"], metrics["Forecasts, at most"], metrics["Paths, at most"]) == ("1", "12", "24")
    app.get_by_key("backtest.start").click().run()
    assert not app.error
    finished = wait_for_end(desk.backtests, app.query_params["backtest"])
    assert (finished.request.rule, finished.request.every, finished.request.account) == ("single", 5, 1e6)
    app.run()
    assert finished.verdict.render() in page_text(app)
    assert list(app.dataframe[0].value.columns) == ["figure", "strategy", "buy_and_hold"]


def test_the_form_takes_data_set_and_whole_setup_of_a_forecast_once(open_page, desk, forecast):
    made = forecast(temperature=0.8, top_k=7, driftless=True, seed=5)
    app = open_page("backtest", forecast=made)
    assert f"Setup of forecast {made[:8]} loaded" in page_text(app)
    assert "forecast" not in app.query_params
    fields = ("lookback", "horizon", "samples", "temperature", "top_k", "driftless", "seed")
    assert [app.get_by_key(field(name)).value for name in fields] == [64, 6, 8, 0.8, 7, True, 5]
    assert app.get_by_key("backtest.sets").value == [desk.forecasts.get(made).stored.candles_id]


def test_fees_are_entered_in_basis_points_and_saved_as_shares(open_page, desk):
    keep(desk, "AA")
    app = open_page("backtest")
    app.get_by_key(field("rule")).set_value("single")
    app.get_by_key(field("lookback")).set_value(24)
    app.get_by_key(field("horizon")).set_value(4)
    app.get_by_key(field("samples")).set_value(2)
    app.get_by_key(field("every")).set_value(20)
    app.get_by_key(field("account")).set_value(2_500_000.0).run()
    assert [app.get_by_key(field(name)).value for name in ("open_cost", "close_cost", "slippage")] == [5.0, 15.0, 5.0]
    assert "Cost of buying (bp)" in labels_of(app.number_input)
    assert "2,500,000" in page_text(app)
    app.get_by_key(field("open_cost")).set_value(2.5).run()
    app.get_by_key("backtest.start").click().run()
    finished = wait_for_end(desk.backtests, app.query_params["backtest"])
    assert (finished.request.open_cost, finished.request.close_cost, finished.request.account) == (
        0.00025,
        0.0015,
        2.5e6,
    )
    app.run()
    app.get_by_key(f"backtest.again.{finished.id}").click().run()
    assert app.get_by_key(field("open_cost")).value == 2.5


def test_the_form_says_how_long_a_backtest_takes_once_the_model_has_made_a_forecast(open_page, desk, forecast):
    open_page("backtest")
    app = open_page("backtest", forecast=forecast())
    shown = {metric.label: metric.value for metric in app.metric}["Takes about"]
    assert shown.split()[0].isdigit(), shown


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_sentence_stands_first_in_the_readers_language(open_page, desk, put, lang):
    app = open_page("backtest", lang=lang, backtest=put)
    assert not app.exception
    seen = desk.backtests.get(put)
    assert seen.verdict.render(lang) in message_texts(app)
    assert lang == "en" or seen.verdict.render(lang) != seen.verdict.render("en")
    assert len(app.get("plotly_chart")) == 2
    figures = app.dataframe[0].value
    assert list(figures.columns) == ["figure", "strategy", "bench", "momentum", "equal_weight"]
    assert len(figures) == 15


def test_a_period_before_the_end_of_the_training_is_warned_of_in_red(open_page, desk, put, monkeypatch):
    import pandas as pd

    from kronos_app.services.backtest.report import training_warnings
    from kronos_app.services.backtest.run import Backtest
    from kronos_app.services.backtest.universe import Member

    end = pd.Timestamp("2024-02-29")
    told = training_warnings("kronos-nano", {"": end}, [Member("AA", "", 80)], pd.Timestamp("2023-03-01"))
    with_job = Backtest.with_job
    monkeypatch.setattr(
        Backtest, "with_job", lambda run, job: with_job(run, job).model_copy(update={"warnings": tuple(told)})
    )
    app = open_page("backtest", backtest=put)
    assert told[0].render() in [element.value.replace("\\", "") for element in app.error]


def test_holdings_and_trades_are_those_of_the_day_that_is_chosen(open_page, desk, put):
    app = open_page("backtest", backtest=put)
    result = desk.backtests.result(put)
    day = result.daily.index[-1]
    app.get_by_key(f"{keys.DAY}.{put}").set_value(day).run()
    held = result.positions[result.positions["day"] == day]
    assert len(held)
    assert set(app.dataframe[1].value["instrument"]) == set(held["instrument"])


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_trade_shows_the_forecast_it_was_made_by(open_page, desk, put, lang):
    app = open_page("backtest", lang=lang, backtest=put)
    trades = desk.backtests.result(put).trades
    name, day = trades.iloc[-1][["instrument", "day"]]
    app.get_by_key(f"{keys.DAY}.{put}").set_value(day).run()
    app.get_by_key(f"{keys.BEHIND}.{put}.{day}").set_value(name).run()
    deadline = time.monotonic() + 60
    while desk.backtests.behind(put, name, day) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    app.run()
    assert not app.exception
    assert len(app.get("plotly_chart")) == 3
    finished = desk.backtests.behind(put, name, day)
    lines = [line for line in page_text(app).split("\n") if f"{100 * finished.score:+.2f}%" in line]
    assert any(f"{finished.day:%Y-%m-%d}" in line for line in lines)


def test_it_is_run_again_with_changes(open_page, desk, put):
    for seed, name in enumerate(NAMES):
        keep(desk, name, seed)
    app = open_page("backtest", backtest=put)
    app.get_by_key(f"backtest.again.{put}").click().run()
    assert not app.error
    assert app.get_by_key(field("topk")).value == 2
    assert app.get_by_key(field("benchmark")).value == "DD"
    app.get_by_key(field("topk")).set_value(1).run()
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["Instruments"] == "3"


def test_the_list_has_every_backtest_with_its_sentence_and_deletes_one(open_page, desk, put):
    app = open_page("backtest")
    assert "kronos-nano on AA, BB, CC" in page_text(app)
    assert desk.backtests.get(put).verdict.render() in page_text(app)
    app.get_by_key(f"backtest.delete.{put}").click().run()
    app.get_by_key("app.confirm").click().run()
    assert desk.backtests.list() == []


@pytest.fixture
def other(desk, put):
    """Put a second backtest on the desk, which was made with another setting, and return its id."""
    folder = desk.settings.home / "backtests"
    shutil.copytree(folder / put, folder / "0123456789ab")
    kept = json.loads((folder / put / "desk.json").read_text())
    kept["request"]["topk"] = 1
    (folder / "0123456789ab" / "desk.json").write_text(json.dumps(kept))
    return "0123456789ab"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_two_are_compared_by_growth_figures_and_what_differs(open_page, put, other, lang):
    app = open_page("backtest", lang=lang, compare=[put, other])
    assert not app.exception
    assert len(app.get("plotly_chart")) == 1
    figures, differences = (table.value for table in app.dataframe)
    assert list(figures.columns[1:]) == list(differences.columns[1:])
    assert len(figures) == 3 + 15
    assert differences.to_numpy().tolist() == [[translate("Instruments held", lang), "2", "1"]]
    app.get_by_key(keys.COMPARED).set_value([put]).run()
    assert not app.dataframe


def test_one_alone_cannot_be_compared(open_page, put):
    app = open_page("backtest")
    app.get_by_key("backtest.view").set_value("compare").run()
    assert "Two finished backtests are needed to compare." in page_text(app)


def test_one_that_was_cancelled_is_resumed_from_its_page(open_page, desk, start_hanging):
    backtest_id = start_hanging("backtest", "backtests", lambda desk: start(desk, rule="single").id, 12)
    app = open_page("backtest", backtest=backtest_id)
    app.get_by_key(f"backtest.cancel.{backtest_id}").click().run()
    assert wait_for_end(desk.backtests, backtest_id).state == "cancelled"
    app = open_page("backtest", backtest=backtest_id)
    assert "It was cancelled" in page_text(app)
    app.get_by_key(f"backtest.resume.{backtest_id}").click().run()
    assert wait_for_end(desk.backtests, backtest_id).state == "finished"


@pytest.mark.parametrize("name", ["0123456789ab", "..", "<script>"])
def test_an_address_of_nothing_says_so(open_page, name):
    app = open_page("backtest", backtest=name)
    assert any("There is no backtest" in element.value for element in app.error)


def test_what_cannot_be_traded_is_told_before_the_start(open_page, desk):
    keep(desk, "AA")
    app = open_page("backtest")
    app.get_by_key(field("n_drop")).set_value(11).run()
    assert any("n\\_drop=11 must not exceed topk=10" in element.value for element in app.error)
    assert "Start" not in [button.label for button in app.button]
