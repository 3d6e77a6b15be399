"""The Evaluate page: one real evaluation by a tiny model serves most of these tests."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from kronos_app.i18n import translate
from kronos_app.services.evaluation.service import EvaluationRequest
from kronos_app.widgets.evaluation import keys
from tests.app.conftest import (
    copy_record,
    labels_of,
    make_finished,
    message_texts,
    offer_qlib_folder,
    page_text,
    take_sample,
    wait_for_end,
)

LANGUAGES = ("en", "zh_CN")
SMALL = {"models": ["kronos-nano"], "lookback": 24, "horizon": 4, "n_windows": 30, "step_size": 40}
SMALL |= {"samples": 4, "fitted": False, "driftless": False}


def start(desk, **fields):
    data = {"kind": "candle_sets", "candle_sets": [take_sample(desk).id]}
    return desk.evaluations.start(EvaluationRequest.build({"data": data, **SMALL, **fields}))


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """Return the folder of an evaluation that has finished."""
    return make_finished(tmp_path_factory.mktemp("evaluated"), "evaluations", lambda desk: start(desk).id)


@pytest.fixture
def put(desk, evaluated):
    """Put a copy of the evaluation on the desk and return its id."""
    return copy_record(evaluated, desk)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_somebody_without_data_takes_a_sample_and_sees_what_it_comes_to(open_sample, lang):
    app, metrics = open_sample("evaluate", lang)
    assert metrics[translate("Cutoffs", lang)] == "100"
    assert metrics[translate("About", lang)] == translate("unknown until it runs", lang)
    assert translate("Start", lang) in labels_of(app.button)


def test_an_evaluation_is_started_from_the_form_and_its_address_shows_the_result(open_page, desk, sample):
    app = open_page("evaluate")
    app.get_by_key("evaluate.lookback").set_value(24)
    app.get_by_key("evaluate.horizon").set_value(4)
    app.get_by_key("evaluate.n_windows").set_value(8)
    app.get_by_key("evaluate.samples").set_value(4)
    app.get_by_key("evaluate.fitted").set_value(False).run()
    app.get_by_key("evaluate.start").click().run()
    assert not app.error
    finished = wait_for_end(desk.evaluations, app.query_params["evaluation"])
    assert finished.request.models == ["kronos-nano"]
    assert (finished.cutoffs, finished.request.samples, finished.request.fitted) == (8, 4, False)
    app.run()
    assert finished.verdicts["kronos-nano"].render() in page_text(app)


def test_the_form_takes_data_set_and_whole_setup_of_a_forecast_once(open_page, desk, forecast):
    made = forecast(temperature=0.8, top_p=0.9, top_k=7, driftless=False, seed=5)
    app = open_page("evaluate", forecast=made)
    assert f"Setup of forecast {made[:8]} loaded" in page_text(app)
    assert "forecast" not in app.query_params
    fields = ("lookback", "horizon", "samples", "temperature", "top_p", "top_k", "driftless", "seed")
    assert [app.get_by_key(f"evaluate.{name}").value for name in fields] == [64, 6, 8, 0.8, 0.9, 7, False, 5]
    assert app.get_by_key("evaluate.sets").value == [desk.forecasts.get(made).stored.candles_id]
    app.get_by_key("evaluate.n_windows").set_value(4)
    app.get_by_key("evaluate.fitted").set_value(False)
    app.get_by_key("evaluate.horizon").set_value(5).run()
    app.get_by_key("evaluate.start").click().run()
    finished = wait_for_end(desk.evaluations, app.query_params["evaluation"])
    assert "evaluate.adopted" not in app.session_state
    setup = finished.setups["kronos-nano"]
    assert (setup.horizon, setup.samples, setup.top_k, setup.driftless) == (5, 8, 7, False)


def test_a_forecast_that_does_not_exist_leaves_the_form_as_it_is(open_page, sample):
    app = open_page("evaluate", forecast="nobody")
    assert "nobody" in app.error[0].value
    assert app.get_by_key("evaluate.lookback").value == 400


def test_a_task_of_the_paper_fills_the_form_and_its_figures_come_first(open_page, desk, sample):
    app = open_page("evaluate")
    app.get_by_key("evaluate.task").set_value("volatility").run()
    fields = ("evaluate.lookback", "evaluate.horizon", "evaluate.samples", "evaluate.temperature")
    assert [app.get_by_key(key).value for key in fields] == [40, 12, 1, 0.9]
    app.get_by_key("evaluate.n_windows").set_value(8)
    app.get_by_key("evaluate.fitted").set_value(False).run()
    app.get_by_key("evaluate.start").click().run()
    finished = wait_for_end(desk.evaluations, app.query_params["evaluation"])
    assert finished.state == "finished", finished.error
    app.run()
    ours, theirs = (table.value for table in app.dataframe[:2])
    assert "kronos-nano" in set(ours["name"])
    figures = finished.report["forecasters"]["kronos-nano"]["figures"]
    mine = ours.set_index("name").loc["kronos-nano"]
    assert (mine["mae"], mine["r2"]) == (figures["volatility_mae"]["value"], figures["volatility_r2"]["value"])
    assert theirs.set_index("model").loc["Kronos-small", "mae"] == 0.0384
    assert "arXiv:2508.02739v1" in page_text(app)


@pytest.fixture
def qlib(tmp_path, monkeypatch):
    offer_qlib_folder(tmp_path / "cn", pd.bdate_range("2024-01-01", periods=150), monkeypatch)


def test_a_market_of_a_qlib_folder_is_chosen(qlib, open_page):
    app = open_page("evaluate")
    app.get_by_key("evaluate.source").set_value("qlib")
    app.get_by_key("evaluate.lookback").set_value(90)
    app.get_by_key("evaluate.horizon").set_value(10).run()
    cutoffs = [metric.value for metric in app.metric][:1]
    app.get_by_key("evaluate.market.qlib:cn_data").set_value("csi300").run()
    assert (cutoffs, [metric.value for metric in app.metric][:1]) == (["12"], ["6"])


def test_an_evaluation_of_an_earlier_version_is_shown_without_what_it_did_not_score(open_page, desk, put):
    path = desk.settings.home / "evaluations" / put / "report.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    del report["volatility_foreseen"]
    for one in report["forecasters"].values():
        del one["figures"]["crps_centred"]
    path.write_text(json.dumps(report), encoding="utf-8")
    app = open_page("evaluate", evaluation=put)
    assert not app.exception
    table = app.dataframe[0].value
    assert table["crps"].notna().all()
    assert table["crps_centred"].isna().all()
    assert "foreseen" not in page_text(app)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_verdict_stands_first_in_the_readers_language(open_page, desk, put, lang):
    app = open_page("evaluate", lang=lang, evaluation=put)
    assert not app.exception
    evaluation = desk.evaluations.get(put)
    assert evaluation.verdicts["kronos-nano"].render(lang) in message_texts(app)
    for warning in evaluation.warnings:
        assert warning.render(lang) in page_text(app)
    foreseen = evaluation.report["volatility_foreseen"]["value"]
    assert {"en": f"would have a CRPS ratio of {foreseen:.3f}.", "zh": f"最佳基准模型的 {foreseen:.3f} 倍"}[
        lang[:2]
    ] in page_text(app)
    table = app.dataframe[0].value
    assert len(table) == 9
    assert table["crps"].is_monotonic_increasing
    assert len(app.get("plotly_chart")) == 6


def test_cutoffs_that_precede_the_end_of_the_training_are_warned_of_in_red(open_page, put, desk):
    app = open_page("evaluate", evaluation=put)
    warnings = [element.value.replace("\\", "") for element in app.error]
    seen = [one.render() for one in desk.evaluations.get(put).warnings if "training period" in one.render()]
    assert seen
    assert set(seen) <= set(warnings)


def test_the_worst_cutoffs_open_one_by_one(open_page, put, desk):
    app = open_page("evaluate", evaluation=put)
    key = f"{keys.WORST}.{put}.kronos-nano"
    assert len(app.get_by_key(key).options) == 10
    app.get_by_key(key).set_value(3).run()
    assert not app.error or all("CRPS" in one.value or "training period" in one.value for one in app.error)
    place = desk.evaluations.get(put).report["worst"]["kronos-nano"][3]
    assert f"CRPS {place['crps']:.3f}" in page_text(app)


def test_the_list_has_every_evaluation_with_its_verdict_and_deletes_one(open_page, desk, put):
    app = open_page("evaluate")
    assert "kronos-nano on" in page_text(app)
    assert desk.evaluations.get(put).verdicts["kronos-nano"].render() in page_text(app)
    app.get_by_key(f"evaluate.delete.{put}").click().run()
    app.get_by_key("app.confirm").click().run()
    assert desk.evaluations.list() == []


def test_one_that_was_cancelled_is_resumed_from_its_page(open_page, desk, start_hanging):
    evaluation_id = start_hanging("evaluation", "evaluations", lambda desk: start(desk).id, 30)
    app = open_page("evaluate", evaluation=evaluation_id)
    assert "Cancel" in labels_of(app.button)
    app.get_by_key(f"evaluate.cancel.{evaluation_id}").click().run()
    assert wait_for_end(desk.evaluations, evaluation_id).state == "cancelled"
    app.run()
    assert "It was cancelled. The forecasts are saved" in page_text(app)
    app.get_by_key(f"evaluate.resume.{evaluation_id}").click().run()
    assert wait_for_end(desk.evaluations, evaluation_id).state == "finished"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_forecast_shows_what_the_model_was_worth_on_its_data_before(open_page, desk, put, forecast, lang):
    app = open_page("forecast", lang=lang, forecast=forecast())
    assert not app.exception
    assert desk.evaluations.get(put).verdicts["kronos-nano"].render(lang) in page_text(app)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_beside_a_forecast_without_drift_an_evaluation_tells_what_that_would_have_been_worth(
    open_page, desk, put, forecast, lang
):
    report = desk.evaluations.get(put).report
    finished, best = report["forecasters"], report["best_baseline"]
    ratio = finished["kronos-nano"]["figures"]["crps_centred"]["value"] / finished[best]["figures"]["crps"]["value"]
    expected = translate("Zero-drift forecast: CRPS {ratio} × {baseline}.", lang)
    expected = expected.split("{baseline}")[0 if lang == "en" else 1].format(ratio=f"{ratio:.3f}")
    assert expected in page_text(open_page("forecast", lang=lang, forecast=forecast(driftless=True)))
    assert expected not in page_text(open_page("forecast", lang=lang, forecast=forecast(driftless=False)))


def test_a_forecast_of_data_never_evaluated_shows_no_verdict(open_page, forecast):
    assert "On this data" not in page_text(open_page("forecast", forecast=forecast()))


def test_an_unknown_address_is_told_plainly(open_page):
    app = open_page("evaluate", evaluation="nobody")
    assert "There is no evaluation nobody." in app.error[0].value
