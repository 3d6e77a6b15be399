"""The waiting times of a user: from the command to the first page, and from the click to the chart.

`.venv/bin/python -m benchmarks.page` (needs a Chromium) uses the app as a user does: the S&P 500 sample, 392 candles of
history and a horizon of 120. Every click has another seed, so none is answered from the cache. The first click may wait
for the model to load and does not count in the median. The engine's time comes from the stored forecast; the rest is
the page: queue, store, chart, browser.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import count, islice
from pathlib import Path
from statistics import median

import httpx
from playwright.sync_api import Locator, Page, expect, sync_playwright

from benchmarks.measure import build_parser, write_record
from benchmarks.shapes import SHAPES, build_predictor
from kronos_app.data import sample
from scripts.server import running

TIMEOUT = 600_000  # milliseconds
LOOKBACK, HORIZON = 392, 120  # all that the context holds

# Runs in the page, since polling from outside keeps the browser busy. The second frame comes after the chart.
WATCH = """() => {
    window.drawn = new Promise(done => {
        let clicked;
        const there = () => [...document.querySelectorAll(".js-plotly-plot .legendtext")]
            .some(entry => entry.textContent.startsWith("Representative path"));
        const look = now => {
            if (clicked === undefined || !there()) requestAnimationFrame(look);
            else requestAnimationFrame(() => done((performance.now() - clicked) / 1000));
        };
        addEventListener("click", () => { clicked = performance.now(); look(); }, {capture: true, once: true});
    });
}"""


@dataclass(frozen=True)
class Wait:
    """Seconds from the click to the chart, and the engine's part of them."""

    chart: float
    engine: float

    @property
    def page(self) -> float:
        """Return the seconds outside the engine."""
        return self.chart - self.engine


def main() -> None:
    """Measure both waiting times and print them."""
    # clicks: forecasts for each number of samples; seed: of the first click, the next is one more
    parser = build_parser(__doc__, model="kronos-nano", clicks=5, seed=0)
    parser.add_argument("--random", action="store_true", help="the model's shape with random weights: no download")
    parser.add_argument("--home", type=Path, help="the app's folder; default: a new one")
    parser.add_argument("--samples", type=int, nargs="+", default=[30], metavar="N", help="paths of a forecast")
    options = parser.parse_args()
    expect.set_options(timeout=TIMEOUT)
    with tempfile.TemporaryDirectory() as name:
        home = options.home or Path(name)
        if options.random:
            _save_random_weights(home, options.model)
        write_record(options, _measure(home, options))


def _save_random_weights(home: Path, model: str) -> None:
    """Save a model of this shape where the app finds it before it asks the Hub."""
    predictor = build_predictor(SHAPES[model.removeprefix("kronos-")])
    predictor.model.save_pretrained(home / "models" / model / "model")
    predictor.tokenizer.save_pretrained(home / "models" / model / "tokenizer")


def _measure(home: Path, options: argparse.Namespace) -> list[dict[str, float]]:
    program = os.environ.get("KRONOS_CHROMIUM") or shutil.which("chromium")
    waits: dict[int, list[Wait]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(TIMEOUT)
        started = time.perf_counter()
        with running(home) as address:
            page.goto(address)
            expect(page.locator("h1").first).to_be_visible()
            print(f"command to first page: {time.perf_counter() - started:.1f} s")
            content = sample.load("sp500").frame.to_csv(index=False).encode()
            httpx.post(f"{address}/api/v1/candles", files={"file": ("sp500.csv", content)}).raise_for_status()
            print(f"{'samples':>7}{'seed':>6}{'chart s':>9}{'engine s':>10}{'page s':>8}  {options.model}")
            seeds = count(options.seed)
            for samples in options.samples:
                clicks = waits[samples] = []
                for seed in islice(seeds, options.clicks):
                    clicks.append(_click(page, address, options.model, samples, seed))
                    _print_wait(samples, str(seed), clicks[-1])
                warm = clicks[1:] if samples == options.samples[0] else clicks
                if warm:
                    middle = Wait(median(w.chart for w in warm), median(w.engine for w in warm))
                    _print_wait(samples, "", middle, f"median of {len(warm)} warm")
        browser.close()
    return [{"samples": samples, **asdict(wait)} for samples, clicks in waits.items() for wait in clicks]


def _print_wait(samples: int, seed: str, wait: Wait, remark: str = "") -> None:
    print(f"{samples:7}{seed:>6}{wait.chart:9.2f}{wait.engine:10.2f}{wait.page:8.2f}  {remark}", flush=True)


def _click(page: Page, address: str, model: str, samples: int, seed: int) -> Wait:
    page.goto(f"{address}/forecast")
    _choose_model(page, model)
    _fill(page.get_by_label("Lookback", exact=True), LOOKBACK)
    _fill(page.get_by_label("Horizon", exact=True), HORIZON)
    page.get_by_role("button", name="Sampling").click()
    _fill(page.get_by_label("Seed", exact=True), seed)
    _fill(page.get_by_label("Samples", exact=True), samples)
    page.keyboard.press("Escape")
    page.evaluate(WATCH)
    page.get_by_role("button", name="Run forecast").click()
    seconds = page.evaluate("() => window.drawn")
    page.wait_for_url("**forecast=**")
    forecast_id = page.evaluate("() => new URLSearchParams(location.search).get('forecast')")
    forecast = httpx.get(f"{address}/api/v1/forecasts/{forecast_id}").raise_for_status().json()
    assert (forecast["request"]["samples"], forecast["request"]["horizon"]) == (samples, HORIZON), forecast["request"]
    return Wait(seconds, forecast["provenance"]["seconds"])


def _choose_model(page: Page, model: str) -> None:
    field = page.get_by_role("combobox", name="Model")
    expect(field).to_be_visible()
    _wait_idle(page)
    field.click()
    page.get_by_role("option", name=model).first.click()
    _wait_idle(page)


def _fill(field: Locator, value: int) -> None:
    field.fill(str(value))
    field.press("Enter")
    _wait_idle(field.page)


def _wait_idle(page: Page) -> None:
    """Wait until the server has answered the last input."""
    page.wait_for_timeout(700)
    expect(page.locator('[data-testid="stApp"]')).to_have_attribute("data-test-script-state", "notRunning")


if __name__ == "__main__":
    main()
