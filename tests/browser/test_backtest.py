"""A backtest in a real browser: started, left, found again by its address, exported, run again, deleted."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.steps import fill, idle, open_form, start_and_return

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def test_a_backtest_goes_on_without_its_tab_and_ends_with_a_sentence(page, server):
    open_form(page, server, "/backtest", "traded", 4000)
    page.get_by_role("combobox", name="Rule").click()
    page.get_by_role("option", name="One instrument: long or flat").click()
    expect(page.get_by_label("Threshold", exact=True)).to_be_visible()
    values = {"Lookback (candles)": "24", "Horizon (candles)": "4"}
    values |= {"A signal every (days)": "200", "Samples (paths)": "2"}
    for label, value in values.items():
        fill(page, label, value)
    address = start_and_return(page, "backtest")
    expect(page.get_by_text(re.compile("^Beats "))).to_be_visible(timeout=120_000)
    idle(page)
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download trades").click()
    assert download.value.path().read_text().startswith("day,instrument,side")
    page.get_by_role("button", name="Copy with changes").click()
    expect(page.get_by_label("A signal every (days)", exact=True)).to_have_value("200")
    page.goto(address)
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Yes, delete").click()
    expect(page.get_by_role("radio", name="New backtest")).to_be_visible()
