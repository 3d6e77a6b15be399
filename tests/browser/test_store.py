"""Stored series in a real browser, from a local Yahoo Finance: fetched once, brought up to date, exported, used."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from playwright.sync_api import expect

from tests.browser.steps import find_row, idle
from tests.browser.test_fetch import search

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

SYMBOL = "MSFT"


def test_a_fetched_series_is_stored_refreshed_exported_and_used_while_its_source_is_silent(page, market):
    page.goto("/data")
    search(page, SYMBOL)
    page.get_by_role("button", name="Fetch", exact=True).click()
    expect(page.get_by_role("heading", name=f"Quality of {SYMBOL}")).to_be_visible()

    page.get_by_role("radio", name="Stored series").click()
    idle(page)
    row = find_row(page, f"{SYMBOL} yahoo", "Use")
    expect(row.get_by_role("img", name="of this time span is stored")).to_be_visible()
    before = len(market.asked(f"/v8/finance/chart/{SYMBOL}"))
    page.get_by_role("button", name="Refresh all").click()
    expect(page.get_by_text(re.compile(r"^Up to date: \d+ series\.$"))).to_be_visible()
    asked = market.asked(f"/v8/finance/chart/{SYMBOL}")[before:]
    assert asked
    assert all(int(one["period2"]) - int(one["period1"]) < 60 * 24 * 3600 for one in asked)

    market.fault = "429"
    row.get_by_test_id("stPopover").get_by_role("button").click()
    page.get_by_role("button", name="Refresh", exact=True).click()
    expect(row.get_by_text("rate limit")).to_be_visible()
    expect(row.get_by_text("The stored candles can be used.")).to_be_visible()
    row.get_by_role("button", name="Use", exact=True).click()
    expect(page.get_by_role("heading", name=f"{SYMBOL} as a data set")).to_be_visible()
    page.get_by_role("button", name="Use this data set").click()
    expect(page.get_by_text("This data set is in use.")).to_be_visible()

    idle(page)
    row.get_by_test_id("stPopover").get_by_role("button").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    assert download.value.suggested_filename == f"{SYMBOL}_1d_adjusted.csv"
    table = pd.read_csv(download.value.path())
    assert len(table) > 500
    assert pd.to_datetime(table["timestamp"]).is_monotonic_increasing
