"""Fetching on the Data page, from the choice of a source to a data set in use, over a market without a network."""

from __future__ import annotations

import time

import pytest

from kronos_app import state
from kronos_app.i18n import translate
from kronos_app.jobs import Job
from kronos_app.widgets.candles import keys
from tests.app.conftest import find_button, find_field, page_text
from tests.fake_market import FakeSource, family

LANGUAGES = ("en", "zh_CN")


@pytest.fixture
def source(monkeypatch):
    """Put the fake market in the place of Yahoo Finance, before the desk opens."""
    source = FakeSource()
    monkeypatch.setattr("kronos_app.services.desk.FAMILIES", (family(source),))
    yield source
    source.gate.set()


@pytest.fixture
def desk(source, desk):
    """Return a desk with that market."""
    return desk


@pytest.fixture
def searched(open_page):
    """Return a function that opens the page on the fake market and searches there."""

    def search(query="AAPL", lang="en"):
        app = open_page("data", lang=lang)
        app.segmented_control[0].set_value("yahoo").run()
        return find_field(app, keys.QUERY, "yahoo").set_value(query).run()

    return search


def fetch(app, desk, lang="en"):
    """Press Fetch and wait for the end of the job; the page would notice by itself."""
    find_button(app, translate("Fetch", lang)).click().run()
    deadline = time.monotonic() + 60
    while (job := desk.jobs.list()[0]).active and time.monotonic() < deadline:
        time.sleep(0.02)
    return app.run() if job.id == app.query_params["job"] else pytest.fail("the address names another job")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_series_is_found_fetched_and_used(searched, desk, lang):
    app = fetch(searched("apple", lang), desk, lang)
    assert not app.error
    assert {metric.label: metric.value for metric in app.metric}[translate("Candles", lang)] == "300"
    find_button(app, translate("Use this data set", lang)).click().run()
    assert translate("This data set is in use.", lang) in page_text(app)
    assert [(info.name, info.source) for info in desk.candles.list()] == [("AAPL", "yahoo")]


def test_the_form_says_how_far_back_an_interval_reaches_and_keeps_to_it(searched):
    app = searched()
    assert "No limit on how far back" in page_text(app)
    find_field(app, keys.FETCH_INTERVAL, "yahoo").select("1m").run()
    assert "available for the last 1 wk only" in page_text(app)
    start = find_field(app, keys.FROM, "yahoo", "1m")
    assert (start.max - start.min).days == 6
    assert start.min < start.value <= start.max


def test_what_is_chosen_reaches_the_source(searched, desk, source):
    app = searched("apple")
    find_field(app, keys.SYMBOL, "yahoo", "apple").select("AAPL.MX").run()
    find_field(app, keys.FROM, "yahoo", "1d").set_value(None).run()
    app.get_by_key(state.joined(keys.OPTION, "adjustment")).set_value(False).run()
    fetch(app, desk)
    (request,) = source.requests
    assert (request.symbol, request.interval, request.start, request.end) == ("AAPL.MX", "1d", None, None)
    assert request.options == {"adjustment": "none"}


def test_a_symbol_that_the_search_does_not_find_can_still_be_asked_for(searched, desk):
    app = fetch(searched("NOPE"), desk)
    assert "NOPE has no candles." in app.error[0].value
    assert "Search for it." in app.error[0].value


def test_nothing_is_asked_twice_and_nothing_without_a_symbol(searched, source):
    app = searched("")
    assert find_button(app, "Fetch").disabled
    assert source.searches == 0
    find_field(app, keys.QUERY, "yahoo").set_value("apple").run()
    app.run()
    assert source.searches == 1


def test_a_search_that_fails_says_why_and_is_tried_again_when_asked(searched, source):
    source.fault = "rate_limited"
    app = searched("AAPL")
    assert "says 429" in app.error[0].value
    assert "Wait a minute" in app.error[0].value
    assert not find_button(app, "Fetch").disabled
    source.fault = None
    find_button(app, "Try again").click().run()
    assert not app.error
    assert "AAPL · Apple Inc. · NASDAQ" in find_field(app, keys.SYMBOL, "yahoo", "AAPL").options


def test_after_a_failed_fetch_what_is_stored_can_be_used(searched, desk, sample, source):
    app = searched("AAPL")
    source.fault = "rate_limited"
    app = fetch(app, desk)
    assert "says 429" in app.error[0].value
    assert "The saved data sets below are not affected" in page_text(app)
    app.get_by_key(f"data.use.{sample.id}").click().run()
    assert app.session_state[state.CANDLES_ID] == sample.id


def test_faulty_candles_are_repaired_as_chosen(searched, desk, source):
    source.dirty = True
    app = fetch(searched(), desk)
    assert "in row 8 high" in page_text(app)
    assert desk.candles.list() == []
    app.get_by_key(keys.REPAIR).set_value("keep").run()
    find_button(app, "Use this data set").click().run()
    assert len(desk.candles.get(desk.candles.list()[0].id).candles) == 300


def test_a_fetch_under_way_counts_candles_and_can_be_cancelled(searched, desk, source):
    source.gate.clear()
    app = searched()
    find_button(app, "Fetch").click().run()
    assert source.reached.wait(60)
    app.run()
    assert "AAPL · 1d · 100 candles so far" in page_text(app)
    job_id = app.query_params["job"][0] if isinstance(app.query_params["job"], list) else app.query_params["job"]
    app.get_by_key(f"fetch.cancel.{job_id}").click().run()
    source.gate.set()
    while desk.jobs.get(job_id).active:
        time.sleep(0.02)
    app.run()
    assert "The fetch was cancelled" in page_text(app)
    assert desk.candles.list() == []


def test_a_closed_tab_loses_nothing(searched, open_page, desk, source):
    source.dirty = True
    first = fetch(searched(), desk)
    job_id = desk.jobs.list()[0].id
    del first
    app = open_page("data", job=job_id)
    assert app.segmented_control[0].value == "yahoo"
    assert find_field(app, keys.QUERY, "yahoo").value == "AAPL"
    assert "in row 8 high" in page_text(app)


def test_addresses_of_other_work_say_so(open_page, desk):
    app = open_page("data", job="nothing")
    assert not app.error
    app.segmented_control[0].set_value("yahoo").run()
    assert "There is no job nothing." in app.error[0].value
    desk.store.jobs.put(Job("f" * 32, "forecast", {}, status="succeeded", result_id="e" * 32))
    app = open_page("data", job="f" * 32)
    app.segmented_control[0].set_value("yahoo").run()
    assert "is not a fetch" in app.error[0].value
