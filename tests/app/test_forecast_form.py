"""The form of the Forecast page: presets, limits, and its agreement with sidebar and result."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.usage import Recommended
from kronos_app import state
from kronos_app.data.candle_frame import PRICES
from kronos_app.i18n import translate
from kronos_app.widgets.candles import keys as candle_keys
from kronos_app.widgets.forecast import keys
from tests.app.conftest import fill_in_small, finish_forecast, page_text, run_button, take_sample

LANGUAGES = ("en", "zh_CN")
DIFFERENT = "The forecast below was made with other settings"


def test_presets_set_the_sampling_and_a_change_leaves_them(open_page, sample):
    app = open_page("forecast")
    app.get_by_key(keys.PRESET).set_value("conservative").run()
    assert app.get_by_key(keys.TEMPERATURE).value == pytest.approx(0.6)
    assert app.get_by_key(keys.TOP_P).value == pytest.approx(0.9)
    app.get_by_key(keys.TEMPERATURE).set_value(1.5).run()
    assert app.get_by_key(keys.PRESET).value == "own"


def drawn(app):
    return tuple(app.get_by_key(key).value for key in (keys.TEMPERATURE, keys.TOP_P, keys.SAMPLES, keys.DRIFTLESS))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_settings_begin_with_what_the_model_recommends_and_follow_it(open_page, sample, registry, lang):
    bands, point = Recommended(0.9, 0.95, 60, "model", driftless=True), Recommended(0.7, 0.85, 20, "model")
    registry(sampling={"bands": bands, "point": point})
    app = open_page("forecast", lang=lang)
    expected = translate("Recommended by the developers of {model}.", lang).format(model="kronos-nano")
    assert drawn(app) == (0.9, 0.95, 60, True)
    assert expected in [caption.value for caption in app.caption]
    app.get_by_key(keys.PRESET).set_value("point").run()
    assert drawn(app) == (0.7, 0.85, 20, False)
    app.get_by_key(keys.MODEL).set_value("kronos-small").run()
    assert drawn(app) == (0.6, 0.9, 5, False)
    app.get_by_key(keys.TOP_P).set_value(0.5).run()
    assert app.get_by_key(keys.PRESET).value == "own"
    app.get_by_key(keys.MODEL).set_value("kronos-nano").run()
    assert drawn(app) == (0.9, 0.5, 60, True)


def set_lengths(app, lookback, horizon):
    app.get_by_key(keys.LOOKBACK).set_value(lookback)
    app.get_by_key(keys.HORIZON).set_value(horizon)
    return app.run()


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(("lookback", "horizon"), [(6000, 24), (400, 600), (400, 500), (1, 24), (64, 0), (-5, 24)])
def test_lengths_outside_the_limits_disable_run_and_say_the_range(open_page, sample, lookback, horizon, lang):
    app = open_page("forecast", lang=lang)
    assert not run_button(app, lang).disabled
    set_lengths(app, lookback, horizon)
    assert run_button(app, lang).disabled
    assert (app.get_by_key(keys.LOOKBACK).value, app.get_by_key(keys.HORIZON).value) == (lookback, horizon)
    (error,) = app.error
    field = "lookback" if (lookback, horizon) not in {(400, 600), (64, 0)} else "horizon"
    assert error.value.startswith(f"{field}")
    assert "512" in error.value, "the context is the reason"
    set_lengths(app, 64, 24)
    assert not app.error
    assert not run_button(app, lang).disabled


def test_the_limits_of_lookback_and_horizon_are_said_with_their_reason(open_page, sample):
    app = open_page("forecast")
    assert "Lookback 2–488, horizon 1–112: kronos-nano holds 512 candles, both together." in page_text(app)
    app.get_by_key(keys.MODE).set_value("replay").run()
    app.get_by_key(state.FORECAST_CUTOFF_DATE).set_value(sample.candles.timestamps[99].to_pydatetime()).run()
    assert run_button(app).disabled
    assert "outside the range 2–100" in page_text(app)
    assert "the data set has 100 candles up to the cutoff" in page_text(app)


@pytest.mark.parametrize(("key", "value", "field"), [(keys.TOP_K, -1, "top_k"), (keys.SEED, -1, "seed")])
def test_sampling_settings_outside_their_limits_disable_run_and_are_named(open_page, sample, key, value, field):
    app = open_page("forecast")
    app.get_by_key(key).set_value(value).run()
    assert run_button(app).disabled
    assert field in page_text(app)


def test_a_history_that_the_service_would_refuse_disables_run_before(open_page, desk):
    draft = desk.candles.sample("sp500")
    frame = draft.frame.copy()
    frame.loc[frame.index[-200:], list(PRICES)] /= 8
    desk.candles.keep(replace(draft, frame=frame))
    app = open_page("forecast")
    assert run_button(app).disabled
    assert "split of 8 for 1" in app.error[0].value
    app.get_by_key(keys.LOOKBACK).set_value(150).run()
    assert not run_button(app).disabled


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_short_lookback_needs_a_confirmation_and_warns_with_the_result(open_page, desk, sample, lang):
    app = fill_in_small(open_page("forecast", lang=lang))
    app.get_by_key(keys.LOOKBACK).set_value(12).run()
    assert run_button(app, lang).disabled
    app.get_by_key(keys.SHORT_HISTORY).check().run()
    run_button(app, lang).click().run()
    finish_forecast(app, desk)
    warnings = desk.forecasts.get(app.query_params["forecast"]).stored.provenance["warnings"]
    assert [warning["code"] for warning in warnings] == ["short_history"]
    expected = translate("Lookback {rows}: from fewer than {least} candles the bands are unreliable.", lang)
    assert expected.format(rows=12, least=64) in page_text(app)
    app.get_by_key(keys.LOOKBACK).set_value(64).run()
    assert not run_button(app, lang).disabled


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_window_that_slides_takes_a_longer_history_and_is_told_with_the_forecast(open_page, desk, sample, lang):
    app = fill_in_small(open_page("forecast", lang=lang))
    app.get_by_key(keys.WINDOW).set_value("strided").run()
    app.get_by_key(keys.LOOKBACK).set_value(512).run()
    run_button(app, lang).click().run()
    finish_forecast(app, desk)
    stored = desk.forecasts.get(app.query_params["forecast"]).stored
    assert stored.provenance["history_rows"] == 512
    assert stored.provenance["settings"]["window"] == "strided"
    facts = app.table[-1].value
    assert facts.loc[translate("Window", lang)].item() == translate("Strided", lang)
    app.get_by_key(keys.WINDOW).set_value("fit").run()
    assert run_button(app, lang).disabled, "512 and the horizon do not fit together"


def test_settings_survive_a_visit_to_another_page(open_page, sample):
    app = fill_in_small(open_page("forecast"))
    app.switch_page("../../pages/history.py").run()
    app.switch_page("../../pages/forecast.py").run()
    assert app.get_by_key(keys.HORIZON).value == 6


def test_slider_and_date_of_the_cutoff_say_the_same(open_page, sample):
    app = open_page("forecast")
    app.get_by_key(keys.MODE).set_value("replay").run()
    chosen = sample.candles.timestamps[-200].to_pydatetime()
    app.get_by_key(state.FORECAST_CUTOFF_DATE).set_value(chosen).run()
    assert app.get_by_key(state.FORECAST_CUTOFF).value == chosen


SETTINGS = {
    "lookback": 100,
    "horizon": 7,
    "samples": 300,
    "temperature": 0.8,
    "top_p": 0.9,
    "top_k": 5,
    "seed": 12,
    "driftless": False,
    "window": "strided",
}


def test_opening_a_forecast_loads_its_settings_into_form_and_sidebar(open_page, desk, forecast):
    made = forecast(**SETTINGS)
    take_sample(desk, "AAPL")  # the newest data set, with which a new session begins otherwise
    app = open_page("forecast", forecast=made)
    stored = desk.forecasts.get(made).stored
    shown = {name: app.get_by_key(f"forecast.{name}").value for name in SETTINGS}
    assert shown == SETTINGS
    assert app.get_by_key(keys.MODE).value == "replay"
    assert app.get_by_key(state.FORECAST_CUTOFF).value == stored.cutoff
    assert app.get_by_key(candle_keys.PICKED).value == stored.candles_id
    assert "**sp500**" in "".join(line.value for line in app.sidebar.markdown)
    assert DIFFERENT not in page_text(app)
    run_button(app).click().run()
    assert "From the cache" in page_text(app)
    assert [info.id for info in desk.forecasts.list()] == [made]


def test_a_second_forecast_opened_in_the_same_session_replaces_the_settings(open_page, forecast):
    app = open_page("forecast", forecast=forecast(horizon=5))
    app.query_params["forecast"] = forecast(horizon=9)
    app.run()
    assert app.get_by_key(keys.HORIZON).value == 9


def test_a_change_of_the_form_says_that_the_result_has_other_settings(open_page, forecast):
    app = open_page("forecast", forecast=forecast())
    app.get_by_key(keys.HORIZON).set_value(9).run()
    assert f"{DIFFERENT}: Horizon." in page_text(app)
    assert app.get_by_key(keys.HORIZON).value == 9, "the form keeps what was entered"
    app.get_by_key(keys.MODE).set_value("future").run()
    assert f"{DIFFERENT}: Cutoff, Horizon." in page_text(app)
    app.get_by_key(keys.MODE).set_value("replay")
    app.get_by_key(keys.HORIZON).set_value(6).run()
    assert DIFFERENT not in page_text(app)


def test_a_result_of_this_form_leaves_its_empty_seed_empty_and_agrees_with_it(open_page, desk, sample):
    app = fill_in_small(open_page("forecast"))
    app.get_by_key(keys.SEED).set_value(None).run()
    run_button(app).click().run()
    finish_forecast(app, desk)
    assert app.get_by_key(keys.SEED).value is None
    assert DIFFERENT not in page_text(app)
    run_button(app).click().run()
    finish_forecast(app, desk)
    assert len(desk.forecasts.list()) == 2


def test_a_forecast_with_a_shortened_history_is_opened_with_the_lookback_that_was_used(open_page, forecast):
    app = open_page("forecast", forecast=forecast(lookback=500, horizon=20))
    assert app.get_by_key(keys.LOOKBACK).value == 492
    assert not run_button(app).disabled
    assert "Lookback 492 instead of 500" in page_text(app)


def test_the_form_is_closed_on_a_phone_where_there_is_a_result(open_page, forecast):
    def switch(app):
        return next(toggle for toggle in app.toggle if toggle.label == "Settings")

    assert switch(open_page("forecast")).value
    app = open_page("forecast", forecast=forecast())
    assert not switch(app).value
    assert switch(switch(app).set_value(True).run()).value


@pytest.mark.parametrize("lang", LANGUAGES)
def test_before_a_forecast_the_candles_up_to_the_cutoff_are_shown(open_page, sample, lang):
    app = fill_in_small(open_page("forecast", lang=lang))
    assert app.get("plotly_chart")
    app.get_by_key(keys.MODE).set_value("replay").run()
    app.get_by_key(state.FORECAST_CUTOFF_DATE).set_value(sample.candles.timestamps[199].to_pydatetime()).run()
    expected = translate("The last {shown} of {count} candles.", lang).format(shown=150, count=200)
    assert expected in [caption.value for caption in app.caption]
