"""Calibrating the bands of a forecast on its page."""

from __future__ import annotations

import pytest

from kronos_app.i18n import translate
from kronos_app.services.evaluation.service import KIND
from kronos_app.widgets.forecast import keys
from tests.app.conftest import find_button, labels_of, page_text, wait_for_end


@pytest.mark.parametrize("lang", ["en", "zh_CN"])
def test_one_click_calibrates_and_shows_calibrated_bands_even_after_a_reload(
    open_page, desk, forecast, start_hanging, lang
):
    forecast_id = forecast()
    view = desk.forecasts.get(forecast_id)
    app = open_page("forecast", lang=lang, forecast=forecast_id)
    assert not app.get_by_key(keys.RECALIBRATED).value, "the factor shipped with the model"
    start_hanging(
        KIND,
        "evaluations",
        lambda _desk: find_button(app, translate("Calibrate now", lang)).click().run() and run_id(desk),
        30,
    )
    run = desk.calibration_runs.find(view)
    reloaded = open_page("forecast", lang=lang, forecast=forecast_id)
    for page in (app, reloaded):
        assert translate("Calibrate now", lang) not in labels_of(page.button)
    reloaded.get_by_key(f"evaluation.cancel.{run.job_id}").click().run()
    assert wait_for_end(desk.evaluations, run.id).state == "cancelled"

    find_button(reloaded.run(), translate("Calibrate now", lang)).click().run()
    assert wait_for_end(desk.evaluations, run.id).state == "finished"
    reloaded.run()
    assert reloaded.get_by_key(keys.RECALIBRATED).value
    assert translate("80 % band at the end, calibrated", lang) in labels_of(reloaded.metric)
    assert translate("Calibrate now", lang) not in labels_of(reloaded.button)
    assert not reloaded.exception


def run_id(desk) -> str:
    return desk.evaluations.list()[0].id


def test_a_series_that_is_too_short_says_how_many_candles_calibration_needs(open_page, sample, forecast):
    cutoff = sample.candles.timestamps[100].to_pydatetime()
    app = open_page("forecast", forecast=forecast(cutoff=cutoff))
    assert "Calibration needs 184 candles up to the cutoff" in page_text(app)
    assert "there are 101" in page_text(app)
    assert "Calibrate now" not in labels_of(app.button)


def test_an_evaluation_that_failed_says_why_and_can_be_started_again(open_page, desk, forecast, monkeypatch):
    def fail(*_arguments):
        raise RuntimeError("a fault of the worker")

    view = desk.forecasts.get(forecast())
    with monkeypatch.context() as patch:
        patch.setitem(desk.jobs._handlers, KIND, fail)
        assert wait_for_end(desk.evaluations, desk.calibration_runs.start(view).id).state == "failed"
    app = open_page("forecast", forecast=view.id)
    assert "Something unexpected went wrong" in app.error[0].value
    find_button(app, "Calibrate now").click().run()
    assert wait_for_end(desk.evaluations, desk.calibration_runs.find(view).id).state == "finished"
