from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]


def ledger(page) -> list[dict]:
    return page.request.get("/api/v1/ledger?symbol=0700.HK").json()["entries"]


def test_a_series_is_followed_forecast_and_entered_into_the_ledger(page, yahoo):
    page.goto("/live")
    field = page.get_by_label("Symbol or name", exact=True)
    field.fill("Tencent")
    field.press("Enter")
    expect(page.get_by_role("button", name="Follow", exact=True)).to_be_enabled()
    horizon = page.get_by_label("Horizon", exact=True)
    horizon.fill("3")
    horizon.press("Enter")
    page.get_by_role("button", name="Follow", exact=True).click()

    # The page notices by itself that a look has ended.
    expect(page.get_by_text("forecasts: 1")).to_be_visible()
    assert yahoo.asked("/v8/finance/chart/0700.HK")
    assert [entry["state"] for entry in ledger(page)] == ["pending"]

    page.reload()
    expect(page.get_by_text("forecasts: 1")).to_be_visible()
    page.get_by_role("link", name="Open", exact=True).first.click()
    expect(page.get_by_text("0700.HK (live) · Future")).to_be_visible()

    page.goto("/live")
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Yes, delete").click()
    expect(page.get_by_text("None yet. Follow one below.")).to_be_visible()
    assert len(ledger(page)) == 1
