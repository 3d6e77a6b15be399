from __future__ import annotations

import threading
from datetime import date

import pytest

from engine.usage import SpreadFactor
from kronos_app.i18n import translate
from kronos_app.widgets.forecast import keys as forecast_keys
from kronos_app.widgets.kit.errors import escape
from tests.app.conftest import fill_in_small, finish_forecast, labels_of, page_text, run_button

LANGUAGES = ("en", "zh_CN")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_replay_shows_chart_bands_and_errors(open_page, desk, sample, lang):
    app = fill_in_small(open_page("forecast", lang=lang))
    app.get_by_key(forecast_keys.MODE).set_value("replay").run()
    run_button(app, lang).click().run()
    finish_forecast(app, desk)
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
    app = fill_in_small(open_page("forecast"))
    run_button(app).click().run()
    finish_forecast(app, desk)
    assert "From the cache" not in page_text(app)
    run_button(app).click().run()
    assert "From the cache" in page_text(app)
    assert len(desk.forecasts.list()) == 1


def test_a_link_shows_the_forecast_in_a_new_session(open_page, forecast):
    app = open_page("forecast", forecast=forecast())
    assert app.subheader[0].value.startswith("sp500")
    assert {"Download JSON", "Download CSV"} <= set(labels_of(app.download_button))


def test_a_result_leads_on_to_pages_that_take_its_settings_over(open_page, forecast):
    made = forecast()
    app = open_page("forecast", forecast=made)
    links = {link.label: link for link in app.get("page_link")}
    for label, page in (
        ("Evaluate this setup", "evaluate"),
        ("Backtest this setup", "backtest"),
        ("Follow live", "live"),
    ):
        assert links[label].proto.page == page
        assert f"forecast={made}" in links[label].proto.query_string


def test_a_link_to_a_forecast_that_is_gone_says_so(open_page, sample):
    app = open_page("forecast", forecast="0" * 32)
    assert "There is no forecast" in app.error[0].value


def test_a_link_to_a_job_that_is_unknown_says_so(open_page, sample):
    app = open_page("forecast", job="nothing")
    assert "There is no job" in app.error[0].value


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_forecast_without_drift_says_so_and_shows_no_direction(open_page, desk, sample, lang):
    app = fill_in_small(open_page("forecast", lang=lang))
    assert app.get_by_key(forecast_keys.DRIFTLESS).value, "kronos-nano recommends it"
    expected = translate(
        "Zero drift: the median is fixed at the last close. It forecasts volatility, not direction.", lang
    )
    opinions = {translate("Median at the end", lang), translate("P(up) at the end", lang)}
    shown = []
    for driftless in (True, False):
        app.get_by_key(forecast_keys.DRIFTLESS).set_value(driftless).run()
        run_button(app, lang).click().run()
        finish_forecast(app, desk)
        shown.append((opinions & set(labels_of(app.metric)), app.table[-1].value.loc[translate("Drift", lang)].item()))
        assert (expected in page_text(app)) is driftless
    assert shown == [(set(), translate("zero", lang)), (opinions, translate("as sampled", lang))]
    assert not app.exception


@pytest.mark.parametrize("lang", LANGUAGES)
def test_bands_are_recalibrated_when_asked_for_and_say_so(open_page, forecast, registry, lang):
    registry(recalibration={"us_equity/1d": SpreadFactor(1.5, 60, date(2016, 12, 31), 1.0, 1.0, driftless=True)})
    app = open_page("forecast", lang=lang, forecast=forecast())
    expected = translate(
        "Calibration factor {factor}, from {count} validation cutoffs of {group}, completed by {until}.", lang
    )
    expected = escape(expected.format(factor="1.50", count=60, group="us_equity/1d", until="2016-12-31"))
    column = translate("{level} % from, calibrated", lang).format(level=80)
    assert expected not in [caption.value for caption in app.caption]
    raw = app.dataframe[0].value
    assert column not in raw
    app.get_by_key(forecast_keys.RECALIBRATED).set_value(True).run()
    assert expected in [caption.value for caption in app.caption]
    table = app.dataframe[0].value
    assert (table[column] < table[translate("{level} % from", lang).format(level=80)]).all()
    assert table[list(raw)].equals(raw)
    assert translate("80 % band at the end, calibrated", lang) in labels_of(app.metric)
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


def test_a_forecast_outlives_its_data_set(open_page, desk, sample, forecast):
    made = forecast()
    desk.candles.delete(sample.id)
    app = open_page("forecast", forecast=made)
    assert "was deleted" in "\n".join(info.value for info in app.info)
    assert app.get("plotly_chart")


@pytest.fixture
def slow_model(desk, monkeypatch):
    """Return what lets the model, which seems to take long to load, come at last."""
    come, get = threading.Event(), desk.models.get
    monkeypatch.setattr(desk.models, "get", lambda name: come.wait(120) and get(name))
    yield come
    come.set()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_running_forecast_can_be_cancelled(open_page, desk, sample, slow_model, lang):
    app = fill_in_small(open_page("forecast", lang=lang))
    run_button(app, lang).click().run()
    job_id = app.query_params["job"]
    assert translate("Cancel", lang) in labels_of(app.button)
    app.get_by_key(f"forecast.cancel.{job_id}").click().run()
    slow_model.set()
    finish_forecast(app, desk)
    assert desk.jobs.get(job_id).status == "cancelled"
    assert translate("The forecast was cancelled. Nothing was stored.", lang) in app.info[0].value
    assert desk.forecasts.list() == []


def test_a_forecast_in_the_making_is_found_again(open_page, desk, sample, slow_model):
    app = fill_in_small(open_page("forecast"))
    run_button(app).click().run()
    job_id = app.query_params["job"]
    other = open_page("forecast", job=job_id)
    assert "Cancel" in labels_of(other.button)
    slow_model.set()
    assert finish_forecast(other, desk).get("plotly_chart")
    assert other.query_params["forecast"] == finish_forecast(app, desk).query_params["forecast"]
