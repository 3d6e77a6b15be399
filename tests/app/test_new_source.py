"""A source that is one object and one entry of the registry: every form offers it, no form knows its name."""

from __future__ import annotations

import time

import pytest

from kronos_app import state
from kronos_app.data.source import Instrument, SourceOption
from kronos_app.data.sources import SourceFamily
from kronos_app.i18n import text
from kronos_app.widgets.candles import keys
from kronos_app.widgets.live import keys as live_keys
from tests.fake_market import FakeSource

SESSION = SourceOption("session", "regular", "extended", text("Regular hours"), text("Off: extended hours."))


class ListedSource(FakeSource):
    """The fake market with lists of its instruments."""

    def markets(self):
        return ["all"]

    def instruments(self, market):
        return [Instrument("AAPL", market, "")]


def register(monkeypatch, source, **fields):
    family = SourceFamily(source.key, text("Bourse"), lambda _: (source.key,), lambda *_: source, (SESSION,), **fields)
    monkeypatch.setattr("kronos_app.services.desk.FAMILIES", (family,))
    return source


@pytest.fixture
def source(monkeypatch):
    return register(monkeypatch, FakeSource("bourse"), placeholder="AIR, Airbus", always_open=True)


@pytest.fixture
def listed(monkeypatch):
    return register(monkeypatch, ListedSource("bourse"), listed=True)


def press(app, label):
    return next(button for button in app.button if button.label.startswith(label)).click().run()


def choose(app):
    assert "Bourse" in app.segmented_control[0].options
    return app.segmented_control[0].set_value("bourse").run()


def switch_off(app, key):
    toggle = app.get_by_key(state.joined(key, "session"))
    assert (toggle.label, toggle.help) == ("Regular hours", "Off: extended hours.")
    return toggle.set_value(False).run()


def test_the_data_page_fetches_from_it_with_its_option(source, desk, open_page):
    app = choose(open_page("data"))
    query = app.get_by_key(state.joined(keys.QUERY, "bourse"))
    assert query.placeholder == "AIR, Airbus"
    query.set_value("AAPL").run()
    press(switch_off(app, keys.OPTION), "Fetch")
    deadline = time.monotonic() + 60
    while (job := desk.jobs.list()[0]).active and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (job.status, source.requests[0].options) == ("succeeded", {"session": "extended"})
    (info,) = desk.series.list()
    assert (info.key.source, info.state.options) == ("bourse", {"session": "extended"})


def test_a_source_with_lists_gets_the_form_with_lists(listed, desk, open_page):
    app = choose(open_page("data"))
    app.get_by_key(state.joined(keys.LISTED_SYMBOLS, "bourse", "all")).set_value(["AAPL"]).run()
    app = press(switch_off(app, keys.OPTION), "Read")
    assert [request.options for request in listed.requests] == [{"session": "extended"}]
    assert "Quality of AAPL" in [element.value for element in app.subheader]


def test_the_live_page_follows_it_with_its_option(source, desk, open_page):
    app = open_page("live")
    app.get_by_key(state.joined(live_keys.QUERY, "bourse")).set_value("AAPL").run()
    press(switch_off(app, live_keys.OPTION), "Follow")
    (follow,) = desk.following.list()
    assert (follow.source, follow.options) == ("bourse", {"session": "extended"})
