from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.steps import fill

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]


def search(page, query: str) -> None:
    page.get_by_role("radio", name="Yahoo Finance").click()
    fill(page, "Symbol or name", query)


def test_a_series_is_searched_fetched_reloaded_and_used(page, market):
    page.goto("/data")
    search(page, "Tencent")
    page.get_by_role("button", name="Fetch", exact=True).click()
    expect(page.get_by_role("heading", name="Quality of 0700.HK")).to_be_visible()
    expect(page.get_by_text("Prices in HKD, adjusted for splits and dividends.")).to_be_visible()
    assert market.asked("/v8/finance/chart/0700.HK")

    address = page.url
    assert "job=" in address
    page.reload()
    expect(page.get_by_role("heading", name="Quality of 0700.HK")).to_be_visible()
    page.get_by_role("button", name="Use this data set").click()
    expect(page.get_by_text("This data set is in use.")).to_be_visible()
    expect(page.get_by_test_id("stSidebar").get_by_text("0700.HK")).to_be_visible()


def test_a_failed_fetch_says_why_and_can_be_tried_again(page, market):
    page.goto("/data")
    search(page, "AAPL")
    market.fault = "429"
    page.get_by_role("button", name="Fetch", exact=True).click()
    expect(page.get_by_text("too many were sent (rate limit)")).to_be_visible()
    market.fault = None
    page.get_by_role("button", name="Fetch", exact=True).click()
    expect(page.get_by_role("heading", name="Quality of AAPL")).to_be_visible()


def test_coins_are_fetched_from_an_exchange_that_is_chosen_by_name(page, exchange):
    page.goto("/data")
    page.get_by_role("radio", name="Crypto exchange").click()
    expect(page.get_by_role("combobox", name="Exchange")).to_have_value("binance")
    fill(page, "Symbol or name", "eth btc")
    page.get_by_role("button", name="Fetch", exact=True).click()
    expect(page.get_by_role("heading", name="Quality of ETH/BTC")).to_be_visible()
    expect(page.get_by_role("combobox", name="When candles are due")).to_have_value("24/7 · Round the clock, every day")
    assert exchange.asked("klines")
    page.get_by_role("button", name="Use this data set").click()
    expect(page.get_by_test_id("stSidebar").get_by_text("ETH/BTC")).to_be_visible()
