from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.steps import fill, find_row

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

SYMBOL = "9988.HK"


def ledger(page) -> list[dict]:
    return page.request.get(f"/api/v1/ledger?symbol={SYMBOL}").json()["entries"]


def test_a_series_is_followed_forecast_and_entered_into_the_ledger(page, yahoo):
    page.goto("/live")
    fill(page, "Symbol or name", "Alibaba")
    expect(page.get_by_role("button", name="Follow", exact=True)).to_be_enabled()
    fill(page, "Horizon", 3)
    page.get_by_role("button", name="Follow", exact=True).click()

    # The page notices by itself that a check has ended.
    row = find_row(page, f"{SYMBOL} ·", "Delete")
    expect(row.get_by_text("forecasts: 1")).to_be_visible()
    assert yahoo.asked(f"/v8/finance/chart/{SYMBOL}")
    assert [entry["state"] for entry in ledger(page)] == ["pending"]

    page.reload()
    expect(row.get_by_text("forecasts: 1")).to_be_visible()
    row.get_by_role("link", name="Open", exact=True).click()
    expect(page.get_by_text(f"{SYMBOL} (live) · Future")).to_be_visible()

    page.goto("/live")
    row.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Yes, delete").click()
    expect(row).to_have_count(0)
    assert len(ledger(page)) == 1
