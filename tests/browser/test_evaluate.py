"""An evaluation in a real browser: started, left, found again by its address, a bad cutoff opened, deleted."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.steps import fill, idle, open_form, start_and_return

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
