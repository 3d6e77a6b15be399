"""Evaluations in a real browser: one started, left, found again, deleted; the setup of a forecast carried over."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import expect

from kronos_app.data import sample
from tests.browser.steps import fill, idle, make_forecast, open_form, start_and_return

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def test_an_evaluation_goes_on_without_its_tab_and_ends_with_a_verdict(page, server):
    open_form(page, server, "/evaluate", "evaluated", 1500)
    expect(page.get_by_text("evaluated.csv ·").first).to_be_visible()
    for label, value in {"Lookback": "24", "Horizon": "4", "Cutoffs of each series": "12", "Samples": "4"}.items():
        fill(page, label, value)
    start_and_return(page, "evaluation")
    expect(page.get_by_text(re.compile("^On this data, kronos-nano "))).to_be_visible()
    idle(page)
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    expect(page.get_by_text("The worst cutoffs")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download all scores").click()
    assert download.value.path().read_text().startswith("group,symbol,time")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Yes, delete").click()
    expect(page.get_by_role("radio", name="New evaluation")).to_be_visible()


def test_the_setup_of_a_forecast_is_carried_to_evaluate_backtest_and_live(page, server):
    content = sample.load("sp500").frame.tail(300).to_csv(index=False)
    with httpx.Client(base_url=f"{server}/api/v1", timeout=60) as api:
        saved = api.post("/candles", files={"file": ("carried.csv", content)}).raise_for_status().json()
        setup = {"lookback": 77, "horizon": 5, "samples": 8, "top_k": 9, "driftless": False, "seed": 3}
        forecast = make_forecast(api, {"candles_id": saved["id"], **setup})
    for link, title, labels in (
        ("Evaluate this setup", "Evaluate", ("Lookback", "Horizon", "Samples")),
        ("Backtest this setup", "Backtest", ("Lookback (candles)", "Horizon (candles)", "Samples (paths)")),
        ("Follow live", "Live", ("Lookback", "Horizon", "Samples")),
    ):
        page.goto(f"/forecast?forecast={forecast}")
        page.get_by_role("link", name=link).click()
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
        expect(page.get_by_text(f"Setup of forecast {forecast[:8]} loaded.")).to_be_visible()
        for label, value in zip(labels, ("77", "5", "8"), strict=True):
            expect(page.get_by_label(label, exact=True)).to_have_value(value)
        idle(page)
        assert "forecast=" not in page.url
