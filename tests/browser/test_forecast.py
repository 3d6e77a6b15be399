"""The Forecast page as a user meets it: above the fold, by keyboard, with wrong settings, on a phone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.steps import fill, idle, open_form

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]
MOST_TABS = 12
FOLD = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


def bottom(locator) -> float:
    box = locator.bounding_box()
    return box["y"] + box["height"]


def press_run_by_keyboard(page) -> None:
    """Reach Run from the beginning of the page with few presses of Tab, and press it; its focus is visible."""
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to main content")
    page.keyboard.press("Enter")
    for _ in range(MOST_TABS - 1):
        page.keyboard.press("Tab")
        if page.locator(":focus").inner_text() == "Run forecast":
            break
    focused = page.locator(":focus")
    expect(focused).to_have_text("Run forecast")
    assert focused.evaluate("element => getComputedStyle(element).outlineStyle") != "none"
    page.keyboard.press("Enter")


def fits_above_the_fold(page, mode: str) -> None:
    """Expect the result of a mode, and see bar, figures and chart in the first screen."""
    expect(page.get_by_role("heading", name=re.compile(f"· {mode}$"))).to_be_visible()
    chart = page.locator(".js-plotly-plot").first
    expect(chart).to_be_visible()
    idle(page)
    run, figures = page.get_by_role("button", name="Run forecast"), page.get_by_test_id("stMetric")
    assert bottom(run) < figures.first.bounding_box()["y"] < bottom(figures.first) < chart.bounding_box()["y"]
    assert bottom(chart) <= FOLD["height"]


def test_a_forecast_is_run_by_keyboard_fits_above_the_fold_and_comes_first_on_a_phone(page, server):
    page.set_viewport_size(FOLD)
    open_form(page, server, "/forecast", "fold", 580)
    page.get_by_role("radio", name="Replay").click()
    idle(page)

    fill(page, "Horizon", 600)
    run = page.get_by_role("button", name="Run forecast")
    expect(run).to_be_disabled()
    expect(page.get_by_text("horizon: 600 candles are outside the range 1–112.")).to_be_visible()
    fill(page, "Horizon", 12)
    expect(run).to_be_enabled()

    page.goto(page.url)  # the keyboard begins where a new visitor's does
    expect(run).to_be_enabled()
    idle(page)
    press_run_by_keyboard(page)
    page.wait_for_url(re.compile("forecast="))
    fits_above_the_fold(page, "Future")
    page.get_by_role("radio", name="Replay").click()
    idle(page)
    expect(page.get_by_text("The forecast below was made with other settings: Cutoff.")).to_be_visible()
    run.click()
    fits_above_the_fold(page, "Replay")

    page.set_viewport_size(PHONE)
    expect(run).to_be_hidden()
    assert page.get_by_test_id("stMetric").first.bounding_box()["y"] < PHONE["height"]
    switch = page.get_by_text("Settings", exact=True)
    assert bottom(switch) < PHONE["height"] / 2
    switch.click()
    expect(run).to_be_visible()
