"""How long a user waits: from the command to the first page, and from the click to the chart.

`.venv/bin/python -m benchmarks.page` (needs a Chromium): the bundled model, 400 candles of history, of which
392 fit beside a horizon of 120, and 30 samples.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time

import httpx
from playwright.sync_api import Page, expect, sync_playwright

from kronos_app.data import sample
from scripts.server import running

PATIENCE = 300_000  # milliseconds


def main() -> None:
    """Time both waits and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=30)
    parser.add_argument("--clicks", type=int, default=3)
    arguments = parser.parse_args()
    expect.set_options(timeout=PATIENCE)
    program = os.environ.get("KRONOS_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        started = time.perf_counter()
        with running() as address:
            page.goto(address)
            expect(page.locator("h1").first).to_be_visible()
            print(f"command to first page: {time.perf_counter() - started:.1f} s")
            content = sample.load("sp500").frame.to_csv(index=False).encode()
            httpx.post(f"{address}/api/v1/candles", files={"file": ("sp500.csv", content)}).raise_for_status()
            for seed in range(arguments.clicks):
                print(f"click to chart, 30 samples: {_click(page, address, seed):.1f} s")
        browser.close()


def _click(page: Page, address: str, seed: int) -> float:
    page.goto(f"{address}/forecast")
    for label, value in {"Horizon": 120, "Seed": seed}.items():
        field = page.get_by_label(label, exact=True)
        field.fill(str(value))
        field.press("Enter")
        page.wait_for_timeout(1500)
    started = time.perf_counter()
    page.get_by_role("button", name="Run forecast").click()
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
