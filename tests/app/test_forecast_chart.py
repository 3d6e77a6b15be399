"""The chart of a forecast: what is drawn as candles, its range and scale, and the colours of all charts."""

from __future__ import annotations

import json

import pytest

from kronos_app import state
from kronos_app.charts.style import MARKET_COLOURS
from kronos_app.widgets.forecast import chart, keys

SWITCH = state.MARKET_COLOURS + "_switch"


@pytest.fixture
def opened(open_page, forecast, desk):
    """Return a function that opens the page of a forecast, and the view of that forecast."""
    forecast_id = forecast()

    def open_(lang: str = "en", **query: str):
        return open_page("forecast", lang=lang, forecast=forecast_id, **query), desk.forecasts.get(forecast_id)

    return open_


def figure(app) -> dict:
    return json.loads(app.get("plotly_chart")[0].proto.spec)


def candle_names(app) -> list[str]:
    return [trace["name"] for trace in figure(app)["data"] if trace.get("meta") == {"read": "candle"}]


def table(app):
    return app.dataframe[0].value


def test_a_forecast_is_first_drawn_as_its_representative_path(opened):
    app, view = opened()
    name = f"Representative path ({view.representative_path})"
    assert candle_names(app) == ["History", name, "Actual"]
    assert f"Open, high, low and close: {name}." in [caption.value for caption in app.caption]
    assert table(app)["Close price"].tolist() == view.candles("representative")["close"].tolist()


@pytest.mark.parametrize(("kind", "name"), [("median", "Median"), ("mean", "Mean")])
def test_median_and_mean_can_be_drawn_instead(opened, kind, name):
    app, view = opened()
    app.get_by_key(keys.CANDLE_KIND).set_value(kind).run()
    assert candle_names(app)[1] == name
    assert table(app)["High price"].tolist() == view.candles(kind)["high"].tolist()
    assert table(app)["Median close"].tolist() == view.candles("median")["close"].tolist()


def test_any_path_can_be_drawn_by_its_number(opened):
    app, view = opened()
    app.get_by_key(keys.CANDLE_KIND).set_value("path").run()
    field = app.get_by_key(keys.PATH)
    assert (field.min, field.max) == (1, len(view.stored.paths))
    field.set_value(3).run()
    assert candle_names(app)[1] == "Path 3"
    assert table(app)["Close price"].tolist() == view.stored.paths[2, :, 3].tolist()


def test_the_choice_of_candles_remains_while_other_pages_are_visited(opened):
    app, _view = opened()
    app.get_by_key(keys.CANDLE_KIND).set_value("mean").run()
    app.switch_page("../../pages/home.py").run()
    app.switch_page("../../pages/forecast.py")
    app.run()
    assert app.session_state[keys.CANDLE_KIND] == "mean"


def test_three_horizons_of_the_history_are_shown_first_and_all_of_it_is_there(opened):
    app, view = opened()
    drawn, horizon = figure(app), len(view.stored.timestamps)
    slots = len(drawn["layout"]["xaxis"]["categoryarray"])
    assert slots == len(view.history) + horizon
    assert drawn["layout"]["xaxis"]["range"][0] == slots - 4 * horizon - 0.5
    ranges = app.get_by_key("forecast.chart.range")
    ranges.set_value("all").run()
    assert figure(app)["layout"]["xaxis"]["range"][0] == -0.5
    ranges.set_value("0").run()
    assert figure(app)["layout"]["xaxis"]["range"][0] == slots - 2 * horizon - 0.5


def test_the_price_axis_can_be_logarithmic(opened):
    app, _view = opened()
    assert figure(app)["layout"]["yaxis"]["type"] == "linear"
    app.get_by_key("forecast.chart.log").set_value(True).run()
    assert figure(app)["layout"]["yaxis"]["type"] == "log"


def test_a_rerun_does_not_build_an_unchanged_figure_again(opened, monkeypatch):
    built = []

    def build(*args, **options):
        built.append(options)
        return build_figure(*args, **options)

    build_figure = chart.forecast_chart
    monkeypatch.setattr(chart, "forecast_chart", build)
    app, _view = opened(lang="zh_CN", colours="colour_blind")  # a style that no other test has drawn
    assert len(built) == 1
    app.run()
    assert len(built) == 1
    app.get_by_key(keys.CANDLE_KIND).set_value("mean").run()
    assert len(built) == 2
    app.get_by_key(keys.CANDLE_KIND).set_value("representative").run()
    assert len(built) == 2


@pytest.mark.parametrize(("lang", "usual"), [("en", "green_up"), ("zh_CN", "red_up")])
def test_rising_candles_are_red_in_chinese_and_green_in_english_unless_chosen(opened, lang, usual):
    app, _view = opened(lang)
    assert app.get_by_key(SWITCH).value == usual
    assert _up(app) == MARKET_COLOURS[usual].up


def test_chosen_colours_are_in_the_address_and_hold_for_links_and_other_languages(opened):
    app, _view = opened()
    app.get_by_key(SWITCH).set_value("colour_blind").run()
    assert app.query_params["colours"] == "colour_blind"
    assert _up(app) == MARKET_COLOURS["colour_blind"].up
    app.get_by_key(state.LANGUAGE + "_switch").set_value("zh_CN").run()
    assert _up(app) == MARKET_COLOURS["colour_blind"].up
    linked, _view = opened(colours="colour_blind")
    assert _up(linked) == MARKET_COLOURS["colour_blind"].up


def test_colours_that_do_not_exist_are_the_usual_ones(opened):
    app, _view = opened(colours="pink")
    assert _up(app) == MARKET_COLOURS["green_up"].up


def _up(app) -> str:
    return next(trace for trace in figure(app)["data"] if trace["type"] == "candlestick")["increasing"]["line"]["color"]
