from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import date

import pytest

from engine.usage import Recommended, SpreadFactor
from kronos_app import state
from kronos_app.i18n import translate
from kronos_app.widgets.forecast import keys as forecast_keys
from kronos_app.widgets.kit.errors import escape

LANGUAGES = ("en", "zh_CN")


def labels(elements) -> list[str]:
    return [element.label for element in elements]


def run_button(app, lang: str = "en"):
    return next(element for element in app.button if element.label == translate("Run forecast", lang))


def finish(app, desk):
    """Wait for the job in the address and draw the page again, as its fragment does by itself in a browser."""
    if "job" not in app.query_params:  # it was done before the page was
        return app
    job_id = app.query_params["job"]
    deadline = time.monotonic() + 120
    while desk.jobs.get(job_id).active and time.monotonic() < deadline:
        time.sleep(0.02)
    return app.run()


def small(app):
    app.get_by_key(forecast_keys.LOOKBACK).set_value(48)
    app.get_by_key(forecast_keys.HORIZON).set_value(6)
    app.get_by_key(forecast_keys.SAMPLES).set_value(8)
    app.get_by_key(forecast_keys.SEED).set_value(3)
    return app.run()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_replay_shows_chart_bands_and_errors(open_page, desk, sample, lang):
    app = small(open_page("forecast", lang=lang))
    app.get_by_key(forecast_keys.MODE).set_value("replay").run()
    run_button(app, lang).click().run()
    finish(app, desk)
    assert not app.error
    assert not app.exception
    assert "forecast" in app.query_params
    assert "job" not in app.query_params
    assert app.get("plotly_chart")
    table = app.table[0].value
    names = [translate(name, lang) for name in ("Model", "last close", "drift", "EWMA random walk")]
    assert list(table.index) == [name[:1].upper() + name[1:] for name in names]
    assert translate("Coverage {level} %", lang).format(level=80) in table.columns


def test_the_same_request_is_answered_from_the_cache_and_says_so(open_page, desk, sample):
    app = small(open_page("forecast"))
    run_button(app).click().run()
    finish(app, desk)
    assert not app.success
    run_button(app).click().run()
    assert "From the cache" in app.success[0].value
    assert len(desk.forecasts.list()) == 1


def test_a_link_shows_the_forecast_in_a_new_session(open_page, forecast):
    app = open_page("forecast", forecast=forecast())
    assert app.subheader[0].value.startswith("sp500")
    assert {"Download JSON", "Download CSV"} <= set(labels(app.download_button))


def test_a_link_to_a_forecast_that_is_gone_says_so(open_page, sample):
    app = open_page("forecast", forecast="0" * 32)
    assert "There is no forecast" in app.error[0].value


def test_a_link_to_a_job_that_is_unknown_says_so(open_page, sample):
    app = open_page("forecast", job="nothing")
    assert "There is no job" in app.error[0].value


def test_presets_set_the_sampling_and_a_change_leaves_them(open_page, sample):
    app = open_page("forecast")
    app.get_by_key(forecast_keys.PRESET).set_value("conservative").run()
    assert app.get_by_key(forecast_keys.TEMPERATURE).value == pytest.approx(0.6)
    assert app.get_by_key(forecast_keys.TOP_P).value == pytest.approx(0.9)
    app.get_by_key(forecast_keys.TEMPERATURE).set_value(1.5).run()
    assert app.get_by_key(forecast_keys.PRESET).value is None


@pytest.fixture
def registry(monkeypatch):
    """Return a function that changes what is known about using the bundled model."""
    from engine.loading.registry import REGISTRY

    def change(**fields):
        changed = replace(REGISTRY["kronos-nano"], **fields)
        monkeypatch.setattr("engine.loading.registry.REGISTRY", dict(REGISTRY) | {"kronos-nano": changed})

    return change


def drawn(app):
    keys = (forecast_keys.TEMPERATURE, forecast_keys.TOP_P, forecast_keys.SAMPLES, forecast_keys.DRIFTLESS)
    return tuple(app.get_by_key(key).value for key in keys)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_settings_begin_with_what_the_model_recommends_and_follow_it(open_page, sample, registry, lang):
    bands, point = Recommended(0.9, 0.95, 60, "model", driftless=True), Recommended(0.7, 0.85, 20, "model")
    registry(sampling={"bands": bands, "point": point})
    app = open_page("forecast", lang=lang)
    told = translate("Recommended by the developers of {model}.", lang).format(model="kronos-nano")
    assert drawn(app) == (0.9, 0.95, 60, True)
    assert told in [caption.value for caption in app.caption]
    app.get_by_key(forecast_keys.PRESET).set_value("point").run()
    assert drawn(app) == (0.7, 0.85, 20, False)
    app.get_by_key(forecast_keys.MODEL).set_value("kronos-small").run()
    assert drawn(app) == (0.6, 0.9, 5, False)
    app.get_by_key(forecast_keys.TOP_P).set_value(0.5).run()
    assert app.get_by_key(forecast_keys.PRESET).value is None
    app.get_by_key(forecast_keys.MODEL).set_value("kronos-nano").run()
    assert drawn(app) == (0.9, 0.5, 60, True)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_forecast_without_drift_says_so_and_shows_no_direction(open_page, desk, sample, lang):
    app = small(open_page("forecast", lang=lang))
    assert app.get_by_key(forecast_keys.DRIFTLESS).value, "kronos-nano recommends it"
    told = " · " + translate("zero-drift forecast", lang)
    opinions = {translate("Median at the end", lang), translate("P(up) at the end", lang)}
    shown = []
    for driftless in (True, False):
        app.get_by_key(forecast_keys.DRIFTLESS).set_value(driftless).run()
        run_button(app, lang).click().run()
        finish(app, desk)
        shown.append((opinions & set(labels(app.metric)), app.table[-1].value.loc[translate("Drift", lang)].item()))
        assert any(one.value.endswith(told) for one in app.caption) is driftless
    assert shown == [(set(), translate("zero", lang)), (opinions, translate("as sampled", lang))]
    assert app.get_by_key(forecast_keys.PRESET).value is None, "it is no longer what was recommended"
    assert not app.exception


@pytest.mark.parametrize("lang", LANGUAGES)
def test_bands_are_recalibrated_when_asked_for_and_say_so(open_page, forecast, registry, lang):
    registry(recalibration={"us_equity/1d": SpreadFactor(1.5, 60, date(2016, 12, 31), 1.0, 1.0, driftless=True)})
    app = open_page("forecast", lang=lang, forecast=forecast())
    told = translate(
        "Calibration factor {factor}, from {count} validation cutoffs of {group}, completed by {until}.", lang
    )
    told = escape(told.format(factor="1.50", count=60, group="us_equity/1d", until="2016-12-31"))
    column = translate("{level} % from, calibrated", lang).format(level=80)
    assert told not in [caption.value for caption in app.caption]
    raw = app.dataframe[0].value
    assert column not in raw
    app.get_by_key(forecast_keys.RECALIBRATED).set_value(True).run()
    assert told in [caption.value for caption in app.caption]
    table = app.dataframe[0].value
    assert (table[column] < table[translate("{level} % from", lang).format(level=80)]).all()
    assert table[list(raw)].equals(raw)
    assert translate("80 % band at the end, calibrated", lang) in labels(app.metric)
    assert not app.exception


@pytest.mark.parametrize("lang", LANGUAGES)
def test_where_no_factor_is_known_the_switch_is_off_and_says_why(open_page, forecast, registry, lang):
    registry(recalibration={})
    app = open_page("forecast", lang=lang, forecast=forecast())
    assert app.get_by_key("forecast.recalibrated.unknown").disabled
    why = translate(
        "No calibration: it needs {fewest} completed forecasts of this series by {model} before the cutoff.", lang
    )
    assert escape(why.format(fewest=20, model="kronos-nano")) in [caption.value for caption in app.caption]


def test_lookback_and_horizon_stay_within_the_context(open_page, sample):
    app = open_page("forecast")
    app.get_by_key(forecast_keys.HORIZON).set_value(200).run()
    assert app.get_by_key(forecast_keys.LOOKBACK).value == 312


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_window_that_slides_takes_a_longer_history_and_is_told_with_the_forecast(open_page, desk, sample, lang):
    app = small(open_page("forecast", lang=lang))
    app.get_by_key(forecast_keys.WINDOW).set_value("strided").run()
    app.get_by_key(forecast_keys.LOOKBACK).set_value(512).run()
    run_button(app, lang).click().run()
    finish(app, desk)
    stored = desk.forecasts.get(app.query_params["forecast"]).stored
    assert stored.provenance["history_rows"] == 512
    assert stored.provenance["settings"]["window"] == "strided"
    facts = app.table[-1].value
    assert facts.loc[translate("Window", lang)].item() == translate("Strided", lang)
    app.get_by_key(forecast_keys.WINDOW).set_value("fit").run()
    assert app.get_by_key(forecast_keys.LOOKBACK).value == 506


def test_settings_survive_a_visit_to_another_page(open_page, sample):
    app = small(open_page("forecast"))
    app.switch_page("../../pages/history.py").run()
    app.switch_page("../../pages/forecast.py").run()
    assert app.get_by_key(forecast_keys.HORIZON).value == 6


def test_slider_and_date_of_the_cutoff_say_the_same(open_page, sample):
    app = open_page("forecast")
    app.get_by_key(forecast_keys.MODE).set_value("replay").run()
    chosen = sample.candles.timestamps[-200].to_pydatetime()
    app.get_by_key(state.FORECAST_CUTOFF_DATE).set_value(chosen).run()
    assert app.get_by_key(state.FORECAST_CUTOFF).value == chosen


def test_a_forecast_outlives_its_data_set(open_page, desk, sample, forecast):
    made = forecast()
    desk.candles.delete(sample.id)
    app = open_page("forecast", forecast=made)
    assert "was deleted" in "\n".join(info.value for info in app.info)
    assert app.get("plotly_chart")


def test_the_settings_of_a_forecast_can_be_used_again(open_page, desk, forecast):
    made = forecast()
    app = open_page("forecast", forecast=made)
    app.get_by_key("forecast.adopt").click().run()
    run_button(app).click().run()
    assert "From the cache" in app.success[0].value
    assert [info.id for info in desk.forecasts.list()] == [made]


@pytest.fixture
def slow_model(desk, monkeypatch):
    """Return what lets the model, which seems to take long to load, come at last."""
    come, get = threading.Event(), desk.models.get
    monkeypatch.setattr(desk.models, "get", lambda name: come.wait(120) and get(name))
    yield come
    come.set()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_running_forecast_can_be_cancelled(open_page, desk, sample, slow_model, lang):
    app = small(open_page("forecast", lang=lang))
    run_button(app, lang).click().run()
    job_id = app.query_params["job"]
    assert translate("Cancel", lang) in labels(app.button)
    app.get_by_key(f"forecast.cancel.{job_id}").click().run()
    slow_model.set()
    finish(app, desk)
    assert desk.jobs.get(job_id).status == "cancelled"
    assert translate("The forecast was cancelled. Nothing was stored.", lang) in app.info[0].value
    assert desk.forecasts.list() == []


def test_a_forecast_in_the_making_is_found_again(open_page, desk, sample, slow_model):
    app = small(open_page("forecast"))
    run_button(app).click().run()
    job_id = app.query_params["job"]
    other = open_page("forecast", job=job_id)
    assert "Cancel" in labels(other.button)
    slow_model.set()
    assert finish(other, desk).get("plotly_chart")
    assert other.query_params["forecast"] == finish(app, desk).query_params["forecast"]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_before_a_forecast_the_candles_up_to_the_cutoff_are_shown(open_page, sample, lang):
    app = small(open_page("forecast", lang=lang))
    assert app.get("plotly_chart")
    app.get_by_key(forecast_keys.MODE).set_value("replay").run()
    app.get_by_key(state.FORECAST_CUTOFF_DATE).set_value(sample.candles.timestamps[199].to_pydatetime()).run()
    told = translate("The last {shown} of {count} candles.", lang).format(shown=150, count=200)
    assert told in [caption.value for caption in app.caption]
