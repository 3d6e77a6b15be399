from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from kronos_app.data import sample
from tests.browser.steps import fill, find_row, idle

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]


def test_a_file_is_named_tagged_used_renamed_and_still_in_use_after_a_reload(page, tmp_path):
    workbook, prices = tmp_path / "prices.xlsx", tmp_path / "prices.csv"
    workbook.write_bytes(b"PK\x03\x04 xl/workbook.xml")
    sample.load("IBM").frame.tail(321).to_csv(prices, index=False)
    page.goto("/data")
    upload = page.locator("input[type=file]")
    upload.set_input_files(workbook)
    expect(page.get_by_text("is a workbook of Excel (.xlsx), which is not read.")).to_be_visible()
    expect(page.get_by_text("the type CSV UTF-8")).to_be_visible()
    upload.set_input_files(prices)
    report = page.get_by_role("heading", name="Quality of prices.csv")
    expect(report).to_be_visible()
    fill(page, "Name", "Blue chip")
    tags = page.get_by_label("Tags", exact=True).first
    tags.fill("blue")
    tags.press("Enter")
    page.keyboard.press("Escape")
    idle(page)
    use = page.get_by_role("button", name="Use this data set")
    below = use.bounding_box()["y"] - report.bounding_box()["y"]
    assert below < 150, "the button is at the top of the report"
    use.click()
    sidebar = page.get_by_test_id("stSidebar")
    expect(sidebar.get_by_text("Blue chip")).to_be_visible()
    expect(page).to_have_url(re.compile("data="))

    find_row(page, "Blue chip", "Edit").get_by_role("button", name="Edit", exact=True).click()
    dialog = page.get_by_role("dialog")
    name = dialog.get_by_label("Name", exact=True)
    name.fill("IBM, end of the sample")
    name.press("Enter")
    idle(page)
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(sidebar.get_by_text("IBM, end of the sample")).to_be_visible()

    page.reload()
    expect(sidebar.get_by_text("IBM, end of the sample")).to_be_visible()
    sidebar.get_by_role("link", name="Forecast").click()
    expect(page).to_have_url(re.compile("/forecast.*data="))
    page.reload()
    expect(sidebar.get_by_text("IBM, end of the sample")).to_be_visible()
    page.goto("/data?data=nothing")
    expect(page.get_by_text("The data set nothing of this address does not exist")).to_be_visible()


def test_the_sample_of_the_home_page_is_forecast_in_two_clicks(page):
    page.goto("/")
    page.get_by_role("button", name="Start with a sample").click()
    page.get_by_role("button", name="Run forecast").click()
    expect(page).to_have_url(re.compile("(forecast|job)="))
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=60_000)
