"""Forecasts on the History page: found, sorted, tagged, compared, exported and deleted."""

from __future__ import annotations

import csv

import httpx
import pytest
from playwright.sync_api import Page, expect

from kronos_app.data import sample
from tests.browser.steps import choose, fill, idle, make_forecast

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]
NAME = "journey of picked rows"
HEIGHT = 35  # of a row of the table, in pixels


@pytest.fixture
def api(server):
    with httpx.Client(base_url=f"{server}/api/v1", timeout=60) as client:
        yield client


@pytest.fixture
def forecasts(api):
    """Return the ids of two forecasts of a series of their own, made one after the other with the seeds 1 and 2."""
    content = sample.load("sp500").frame.tail(200).to_csv(index=False)
    candles = api.post("/candles", files={"file": (f"{NAME}.csv", content)}).raise_for_status().json()
    body = {"candles_id": candles["id"], "lookback": 64, "horizon": 6, "samples": 8}
    return [make_forecast(api, body | {"seed": seed}) for seed in (1, 2)]


def click_table(page: Page, x: float, row: int) -> None:
    """Click in the table, `x` pixels from its left; row 0 has the titles."""
    page.get_by_test_id("stDataFrame").first.click(position={"x": x, "y": (row + 0.5) * HEIGHT})
    idle(page)


def test_picked_rows_are_tagged_compared_exported_and_deleted(page, api, forecasts):
    page.goto("/history?lang=en")
    fill(page, "Search", NAME)
    expect(page.get_by_text("2 of ")).to_be_visible()
    click_table(page, 16, 1)
    expect(page.get_by_text("1 picked")).to_be_visible()
    choose(page, page.get_by_label("Sort by"), "Seed")
    page.get_by_text("Ascending", exact=True).click()
    idle(page)

    page.get_by_role("button", name="Tags and note").click()
    page.get_by_label("Note", exact=True).fill("seen <b>before</b>")
    page.get_by_role("button", name="Save").click()
    idle(page)
    notes = {line["seed"]: line["note"] for line in api.get("/forecasts", params={"text": NAME}).json()["forecasts"]}
    assert notes == {1: "", 2: "seen <b>before</b>"}, "the newest was the first row when it was picked"
    page.keyboard.press("Escape")

    click_table(page, 16, 1)
    expect(page.get_by_text("2 picked")).to_be_visible()
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    expect(page.get_by_test_id("stTable").get_by_text("Lookback", exact=True)).to_be_visible()
    assert page.url.count("compare=") == 2
    page.reload()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.locator(".js-plotly-plot")).to_have_count(0)

    fill(page, "Search", NAME)
    expect(page.get_by_text("2 of ")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export CSV").click()
    rows = list(csv.DictReader(download.value.path().read_text().splitlines()))
    assert {row["id"] for row in rows} == set(forecasts)

    click_table(page, 16, 1)
    click_table(page, 16, 2)
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Yes, delete").click()
    expect(page.get_by_text("2 picked")).to_have_count(0)
    assert api.get("/forecasts", params={"text": NAME}).json()["total"] == 0
