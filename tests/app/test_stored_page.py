"""Stored series on the Data page: looked at, brought up to date, taken as a data set, deleted; and watchlists."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from kronos_app.data.source import FetchRequest
from kronos_app.i18n import translate
from kronos_app.store.series import SeriesKey
from kronos_app.store.watchlists import Watched
from kronos_app.widgets.candles import keys
from tests.app.conftest import page_text
from tests.fake_market import family
from tests.vendor import Vendor

LANGUAGES = ("en", "zh_CN")
KEY = SeriesKey("vendor", "ABC", "1h", "none")
NAME = "data.stored.vendor|ABC|1h|none"


@pytest.fixture
def vendor(monkeypatch):
    vendor = Vendor()
    monkeypatch.setattr("kronos_app.services.desk.FAMILIES", (family(vendor),))
    return vendor


@pytest.fixture
def desk(vendor, desk):
    return desk


@pytest.fixture
def stored(desk):
    desk.series.fetch("vendor", FetchRequest("ABC", "1h"))


@pytest.fixture
def opened(open_page):
    """Return a function that opens the page on the stored series."""

    def open_(lang="en", **query):
        app = open_page("data", lang=lang, **query)
        return app.segmented_control[0].set_value("stored").run()

    return open_


def press(app, key):
    app = app.get_by_key(key).click().run()
    assert not app.exception, app.exception
    return app


def named(app):
    """Return the id of the work that the address names."""
    value = app.query_params["refresh"]
    return value if isinstance(value, str) else value[0]


def ended(desk, app):
    """Wait for the job that the page began; the page would notice by itself."""
    job_id = named(app)
    deadline = time.monotonic() + 60
    while desk.jobs.get(job_id).active and time.monotonic() < deadline:
        time.sleep(0.01)
    return app.run()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_before_anything_is_stored_the_page_says_so(opened, lang):
    app = opened(lang)
    assert ("Nothing is stored yet" if lang == "en" else "尚无存储的数据") in page_text(app)
    assert [button.key for button in app.button if button.key and button.key.endswith("refresh_all")] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_stored_series_is_taken_as_a_data_set(opened, stored, desk, lang):
    app = opened(lang)
    assert "ABC" in page_text(app)
    app = press(app, f"{NAME}.use")
    field = next(one for one in app.number_input if one.key.startswith(keys.STORED_LAST))
    assert field.value == 1440
    app = field.set_value(100).run()
    label = translate("Use this data set", lang)
    app = next(one for one in app.button if one.label == label).click().run()
    (info,) = desk.candles.list()
    assert (info.name, info.rows) == ("ABC", 100)


def test_all_are_brought_up_to_date_and_the_address_names_the_work(opened, stored, desk, vendor):
    vendor.present = vendor.present.replace(day=2)
    app = ended(desk, press(opened(), "data.stored.refresh_all"))
    assert "Up to date: 1 series." in page_text(app)
    again = opened(refresh=named(app))
    assert "Up to date: 1 series." in page_text(again)


def test_a_link_to_the_work_opens_on_the_stored_series(open_page, stored, desk):
    app = open_page("data", refresh=desk.series.refresh())
    assert app.segmented_control[0].value == "stored"


def test_a_series_that_could_not_be_brought_up_to_date_says_why_and_can_be_used(opened, stored, desk, vendor):
    vendor.fault = "rate_limited"
    app = ended(desk, press(opened(), f"{NAME}.refresh"))
    assert "Not up to date: The vendor is busy. Wait. The stored candles can be used." in page_text(app)
    assert "The vendor is busy." in str(app.error[0].value)
    assert not press(app, f"{NAME}.use").exception


def test_what_a_vendor_changed_is_noted(opened, stored, desk, vendor):
    vendor.factors.append((vendor.present, 0.5))
    app = ended(desk, press(opened(), f"{NAME}.refresh"))
    assert "Vendor had changed 10 of 8" in page_text(app) or "Vendor had changed 8 of 8" in page_text(app)


def test_a_series_is_deleted_after_a_question(opened, stored, desk):
    app = press(opened(), f"{NAME}.use")
    app = press(app, f"{NAME}.delete")
    app = press(app, "app.confirm")
    assert desk.series.list() == []
    assert "Nothing is stored yet" in page_text(app)


def test_a_series_is_put_on_a_watchlist_and_the_list_is_refreshed_and_deleted(opened, stored, desk, vendor):
    vendor.present = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    desk.series.save_watchlist("Mine", [Watched("vendor", "XYZ", "1h")])
    app = press(opened(), f"{NAME}.watch.0")
    assert [entry.symbol for entry in desk.series.watchlist("Mine").entries] == ["XYZ", "ABC"]
    app = ended(desk, press(app, "data.watchlist.refresh"))
    assert {info.key.symbol for info in desk.series.list()} == {"ABC", "XYZ"}
    app = press(press(app, "data.watchlist.delete"), "app.confirm")
    assert desk.series.watchlists() == []


def test_a_new_watchlist_needs_a_name(opened, desk):
    app = press(opened(), "data.watchlist.save")
    assert "needs a name" in page_text(app)
    app.get_by_key(keys.WATCHLIST_NEW).set_value("Megacaps").run()
    app = press(app, "data.watchlist.save")
    assert app.get_by_key(keys.WATCHLIST).value == "Megacaps"
    assert [one.name for one in desk.series.watchlists()] == ["Megacaps"]


def test_where_series_are_many_they_are_searched_and_paged(opened, desk, vendor):
    for number in range(12):
        desk.series.fetch("vendor", FetchRequest(f"S{number:02}", "1h"))
    app = opened()
    assert "**S09**" in page_text(app)
    assert "**S10**" not in page_text(app)
    app.get_by_key(keys.STORED_TEXT).set_value("s1 vendor").run()
    assert "**S10**" in page_text(app)
    assert "**S09**" not in page_text(app)


def test_a_job_of_another_kind_in_the_address_is_said(opened, stored, desk):
    job_id = desk.fetching.submit("vendor", FetchRequest("ABC", "1h"))
    app = opened(refresh=job_id)
    assert "is not a refresh" in page_text(app)
