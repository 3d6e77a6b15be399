"""The Live page: a series followed from the form to its forecasts and grades, over a market whose clock stands."""

from __future__ import annotations

import time
from functools import partial

import pytest

from kronos_app.errors import Unavailable
from kronos_app.i18n import text, translate
from kronos_app.services.desk import Desk
from kronos_app.services.live.views import FollowRequest
from kronos_app.widgets.ledger import keys as ledger_keys
from kronos_app.widgets.live import keys
from tests.app.conftest import find_button, find_field, page_text
from tests.growing_market import Clock, GrowingSource, family

LANGUAGES = ("en", "zh_CN")
UNREACHABLE = Unavailable("unreachable", text("Binance cannot be reached."), text("Try again later."))
BTC = {"source": "binance", "symbol": "BTC/USDT", "interval": "1h", "lookback": 40, "horizon": 2, "samples": 4}


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def source(monkeypatch, clock):
    """Put the growing market in the place of all sources, and its clock in the place of the machine's."""
    source = GrowingSource(clock)
    monkeypatch.setattr("kronos_app.services.desk.Desk", partial(Desk, sources=[family(source)], clock=clock))
    return source


@pytest.fixture
def desk(source, desk):
    """Return a desk that looks at follows when the test says so."""
    desk.keeper.stop()
    return desk


@pytest.fixture
def look(desk):
    """Return a function that lets everything be looked at that is due."""

    def look():
        while True:
            known = {job.id for job in desk.jobs.list()}
            desk.following.tick()
            new = [job for job in desk.jobs.list() if job.id not in known]
            if not new:
                return
            deadline = time.monotonic() + 60
            while desk.jobs.wait(new[0].id, 5).active and time.monotonic() < deadline:
                pass

    return look


@pytest.fixture
def follow(desk):
    def follow(**fields):
        return desk.following.add(FollowRequest.build(BTC | fields))

    return follow


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_series_is_searched_for_and_followed(open_page, desk, lang):
    app = open_page("live", lang=lang)
    assert find_button(app, translate("Follow", lang)).disabled
    find_field(app, keys.QUERY, "binance").set_value("btc").run()
    app.get_by_key("live.horizon").set_value(3).run()
    find_button(app, translate("Follow", lang)).click().run()
    assert not app.error
    (status,) = desk.following.list()
    assert (status.symbol, status.interval, status.cadence) == ("BTC/USDT", "1h", 900)
    assert status.settings["horizon"] == 3
    assert "BTC/USDT" in page_text(app)


def test_a_source_that_does_not_answer_is_asked_again_when_told_to(open_page, source, monkeypatch):
    def unreachable():
        raise UNREACHABLE

    with monkeypatch.context() as broken:
        broken.setattr(source, "intervals", unreachable)
        app = open_page("live")
        assert "cannot be reached" in app.error[0].value
        assert not [element for element in app.button if element.label == "Follow"]
    app.run()
    assert app.error  # the answer is kept until someone asks again
    find_button(app, "Try again").click().run()
    assert not app.error
    assert find_button(app, "Follow").disabled


def test_what_is_followed_already_is_refused_with_a_remedy(open_page, desk, follow):
    follow(lookback=400, horizon=24, samples=None, model="kronos-nano")
    app = open_page("live")
    app.session_state[keys.FORM] = True
    app.run()
    find_field(app, keys.QUERY, "binance").set_value("BTC/USDT").run()
    find_button(app, "Follow").click().run()
    assert "already followed with these settings" in app.error[0].value
    assert len(desk.following.list()) == 1


def test_a_followed_series_says_how_it_stands(open_page, look, follow):
    one = follow()
    app = open_page("live")
    assert "forecasts: 0" in page_text(app)
    look()
    app.run()
    shown_text = page_text(app)
    assert "forecasts: 1" in shown_text
    assert "last cutoff 2026-03-09 11:00" in shown_text
    assert "next check 2026-03-09 12:15 UTC" in shown_text
    assert not app.error
    assert app.get_by_key(f"live.look.{one.follow_id}")


def test_a_failure_is_shown_with_its_remedy(open_page, look, follow, source):
    follow()
    source.fault = "offline"
    look()
    app = open_page("live")
    assert "The growing market is closed. Try again later. (consecutive failures: 1)" in page_text(app)


def test_a_follow_is_paused_resumed_looked_at_and_deleted(open_page, desk, follow, clock):
    one = follow()
    app = open_page("live")
    app.get_by_key(f"live.switch.{one.follow_id}").click().run()
    assert desk.following.get(one.follow_id).state == "off"
    app.get_by_key(f"live.switch.{one.follow_id}").click().run()
    clock.forward(minutes=1)
    app.get_by_key(f"live.look.{one.follow_id}").click().run()
    assert desk.following.get(one.follow_id).next_run == clock.present
    app.get_by_key(f"live.delete.{one.follow_id}").click().run()
    app.get_by_key("app.confirm").click().run()
    assert desk.following.list() == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_ledger_fills_as_candles_come(open_page, look, follow, clock, lang):
    follow()
    look()
    app = open_page("live", lang=lang)
    assert translate("Forecasts waiting for their actual candles: {count}. None is graded yet.", lang).format(
        count=1
    ) in page_text(app)
    for _ in range(12):
        clock.forward(hours=1)
        look()
    app.run()
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics[translate("Graded", lang)] == "11"
    assert metrics[translate("Not overlapping", lang)] == "6"
    assert metrics[translate("Waiting", lang)] == "2"
    groups, entries = (element.value for element in app.dataframe)
    assert groups[translate("Symbol", lang)].to_list() == ["BTC/USDT"]
    assert len(entries) == 13
    assert entries["open"].iloc[-1].startswith("/forecast?forecast=")
    assert app.get("plotly_chart")
    find_field(app, ledger_keys.LEVEL).set_value(0.5).run()
    assert not app.exception


def test_the_ledger_is_filtered(open_page, desk, forecast):
    forecast()
    while desk.ledger.sweep():
        pass
    app = open_page("live")
    assert {metric.label: metric.value for metric in app.metric}["Graded"] == "1"
    app.get_by_key(ledger_keys.KIND).set_value("ahead").run()
    assert not app.metric
    app.get_by_key(ledger_keys.KIND).set_value("replay").run()
    app.get_by_key(ledger_keys.SYMBOL).select("sp500").run()
    assert {metric.label: metric.value for metric in app.metric}["Graded"] == "1"


def test_an_alarm_is_told(open_page, desk):
    from tests.kronos_app.services.ledger.test_record import entry

    for number in range(60):
        desk.store.ledger.put(entry(number, coverage=0.8 if number < 40 else 0.4))
    app = open_page("live")
    assert "Recent coverage of the 80 % band is 40 %" in page_text(app).replace("40%", "40 %")


def test_a_deleted_forecast_is_told_and_not_linked(open_page, desk):
    from tests.kronos_app.services.ledger.test_record import entry

    desk.store.ledger.put(entry(1, state="lost", matched=0, grade=None))
    app = open_page("live")
    (entries,) = (element.value for element in app.dataframe)
    assert entries["State"].iloc[0] == "deleted before it was graded"
    assert entries["open"].iloc[0] is None or entries["open"].isna().iloc[0]


def test_the_form_takes_the_setup_of_a_forecast_but_its_seed(open_page, desk, forecast):
    app = open_page("live", forecast=forecast(temperature=0.8, top_k=7, driftless=False, seed=5))
    fields = ("lookback", "horizon", "samples", "temperature", "top_k", "driftless")
    assert [app.get_by_key(f"live.{name}").value for name in fields] == [64, 6, 8, 0.8, 7, False]
    assert "forecast" not in app.query_params


def test_the_form_is_rendered_only_while_it_is_open(open_page, follow):
    follow()
    app = open_page("live")
    assert not app.error
    assert not [button for button in app.button if button.label == "Follow"]
    app.session_state[keys.FORM] = True
    assert find_button(app.run(), "Follow")
