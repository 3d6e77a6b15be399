"""Steps that several browser tests take: wait, fill a field, choose an option, upload, start a run."""

from __future__ import annotations

import re
import time
from contextlib import suppress

import httpx
from playwright.sync_api import Error, Locator, Page, expect

from kronos_app.data import sample

SECONDS_TO_OPEN = 15


def idle(page: Page) -> None:
    """Wait until the server has answered what was entered last."""
    page.wait_for_timeout(300)
    expect(page.locator('[data-testid="stApp"]')).to_have_attribute("data-test-script-state", "notRunning")


def fill(page: Page, label: str, value: object) -> None:
    """Enter a value into the field of a label."""
    field = page.get_by_label(label, exact=True)
    field.fill(str(value))
    field.press("Enter")
    idle(page)


def choose(page: Page, field: Locator, *options: str) -> None:
    """Choose by typing, one after another; a list that the page closed while it was drawn anew is opened again."""
    for option in options:
        entry = page.get_by_role("option", name=option).first
        for _ in range(5):
            idle(page)
            field.click()
            field.fill(option)
            with suppress(Error):
                entry.click(timeout=SECONDS_TO_OPEN * 1000)
                break
        else:
            raise AssertionError(f"{option} cannot be chosen")
        idle(page)
    if len(options) > 1:  # the list stays open for more
        page.keyboard.press("Escape")


def find_row(page: Page, title: str, button: str) -> Locator:
    """Return the row of a list whose title has these words and that has this button, whatever other rows there are."""
    blocks = page.get_by_test_id("stVerticalBlock").filter(has_text=title)
    return blocks.filter(has=page.get_by_role("button", name=button, exact=True)).last  # the innermost


def open_form(page: Page, server: str, address: str, name: str, rows: int) -> None:
    """Save the end of a sample under a name and open a page, which begins with it: the newest data set."""
    content = sample.load("sp500").frame.tail(rows).to_csv(index=False)
    httpx.post(f"{server}/api/v1/candles", files={"file": (f"{name}.csv", content)}, timeout=60).raise_for_status()
    page.goto(address)
    expect(page.get_by_label(re.compile(r"^Lookback( \(|$)"))).to_be_visible()
    idle(page)


def make_forecast(api: httpx.Client, body: dict) -> str:
    """Make a forecast over REST and return its id."""
    job_id = api.post("/forecasts", json=body).raise_for_status().json()["job_id"]
    deadline = time.monotonic() + 300
    while (job := api.get(f"/jobs/{job_id}").json())["status"] in {"queued", "running"} and time.monotonic() < deadline:
        time.sleep(0.1)
    assert job["status"] == "succeeded", job
    return job["forecast_id"]


def start_and_return(page: Page, parameter: str) -> str:
    """Press Start, leave the page, open the address of the new record again and return that address."""
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url(re.compile(f"{parameter}="))
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    return address
