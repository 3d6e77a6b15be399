"""Two setups in one run, shared by its address, and a forecast that is calibrated, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.steps import fill, idle, open_form

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def test_two_setups_are_compared_shared_and_one_of_them_is_calibrated(page, server):
    open_form(page, server, "/forecast", "setups", 700)
    fill(page, "Lookback", 96)
    fill(page, "Horizon", 5)
    page.get_by_role("button", name=re.compile("Compare")).click()
    page.get_by_role("button", name="Add a setup").click()
    expect(page.get_by_text("Setup B")).to_be_visible()
    idle(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Run forecast").click()
    page.wait_for_url(re.compile("compare=[0-9a-f]+&compare=[0-9a-f]+"))

    address = page.url
    page.goto("about:blank")
    page.goto(address)
    table = page.locator('[data-testid="stTable"]')
    for words in ("Temperature", "0.6"):
        expect(table.get_by_text(words).first).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    expect(page.get_by_role("button", name="Compare 2")).to_be_visible()
    page.get_by_role("link", name="Open B").click()
    page.wait_for_url(re.compile("forecast="))

    page.get_by_role("button", name="Calibrate now").click()
    expect(page.get_by_text("from 30 forecasts of this series in an evaluation")).to_be_visible()
    expect(page.get_by_role("switch", name="Calibrated bands")).to_be_checked()
    page.get_by_role("link", name="See the evaluation").click()
    expect(page.get_by_text(re.compile("candles up to 20")).first).to_be_visible()
