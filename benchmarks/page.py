"""How long a user waits: from the command to the first page, and from the click to the chart.

`.venv/bin/python -m benchmarks.page` (needs a Chromium) uses the app as a reader does: the S&P 500 sample, 400 candles
of history, of which 392 fit beside a horizon of 120. Every click asks with another seed, so none is answered from the
cache. The first is the first forecast of its process, and may wait for the model to load; medians are those of
the others. What the engine took is what the stored forecast says; the rest is the page: queue, store, chart, browser.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx
from playwright.sync_api import Locator, Page, expect, sync_playwright

from benchmarks.shapes import SHAPES, build
from kronos_app.data import sample
from scripts.server import running

PATIENCE = 600_000  # milliseconds
HORIZON = 120

# In the page itself, since asking from outside keeps the browser busy. The second frame is drawn after the chart was.
WATCH = """() => {
    window.drawn = new Promise(done => {
        let clicked;
        const there = () => [...document.querySelectorAll(".js-plotly-plot .legendtext")]
            .some(entry => entry.textContent === "Median forecast");
        const look = now => {
            if (clicked === undefined || !there()) requestAnimationFrame(look);
            else requestAnimationFrame(() => done((performance.now() - clicked) / 1000));
        };
        addEventListener("click", () => { clicked = performance.now(); look(); }, {capture: true, once: true});
    });
}"""


@dataclass(frozen=True)
class Wait:
    """Seconds from the click to the chart, and those of the engine among them."""

    chart: float
    engine: float

    @property
    def page(self) -> float:
        """Return the seconds that were not the engine's."""
        return self.chart - self.engine


def main() -> None:
    """Time both waits and print them."""
    arguments = _parser().parse_args()
    expect.set_options(timeout=PATIENCE)
    with tempfile.TemporaryDirectory() as fresh:
        home = arguments.home or Path(fresh)
        if arguments.random:
            _random_weights(home, arguments.model)
        _measure(home, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.page", description=__doc__)
    parser.add_argument("--model", default="kronos-nano", help="as the page offers it")
    parser.add_argument("--random", action="store_true", help="its shape with random weights: nothing is downloaded")
    parser.add_argument("--home", type=Path, help="the app's folder; default a fresh one")
    parser.add_argument("--samples", type=int, nargs="+", default=[30], metavar="N", help="paths of a forecast")
    parser.add_argument("--clicks", type=int, default=5, help="forecasts for each number of samples, cold one included")
    parser.add_argument("--seed", type=int, default=0, help="of the first click; the next is one more")
    return parser


def _random_weights(home: Path, model: str) -> None:
    """Put a model of this shape where the app looks before it asks the Hub."""
    predictor = build(SHAPES[model.removeprefix("kronos-")])
    predictor.model.save_pretrained(home / "models" / model / "model")
    predictor.tokenizer.save_pretrained(home / "models" / model / "tokenizer")


def _measure(home: Path, arguments: argparse.Namespace) -> None:
    program = os.environ.get("KRONOS_CHROMIUM") or shutil.which("chromium")
    seed = arguments.seed
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(PATIENCE)
        started = time.perf_counter()
        with running(home) as address:
            page.goto(address)
            expect(page.locator("h1").first).to_be_visible()
            print(f"command to first page: {time.perf_counter() - started:.1f} s")
            content = sample.load("sp500").frame.to_csv(index=False).encode()
            httpx.post(f"{address}/api/v1/candles", files={"file": ("sp500.csv", content)}).raise_for_status()
            print(f"{'samples':>7}{'seed':>6}{'chart s':>9}{'engine s':>10}{'page s':>8}  {arguments.model}")
            for samples in arguments.samples:
                waits = []
                for _ in range(arguments.clicks):
                    waits.append(_click(page, address, arguments.model, samples, seed))
                    _report(samples, str(seed), waits[-1])
                    seed += 1
                warm = waits if samples != arguments.samples[0] else waits[1:]
                if warm:
                    middle = Wait(median(w.chart for w in warm), median(w.engine for w in warm))
                    _report(samples, "", middle, f"median of {len(warm)} warm")
        browser.close()


def _report(samples: int, seed: str, wait: Wait, remark: str = "") -> None:
    print(f"{samples:7}{seed:>6}{wait.chart:9.2f}{wait.engine:10.2f}{wait.page:8.2f}  {remark}", flush=True)


def _click(page: Page, address: str, model: str, samples: int, seed: int) -> Wait:
    page.goto(f"{address}/forecast")
    _choose_model(page, model)
    _fill(page.get_by_label("Horizon", exact=True), HORIZON)
    _fill(page.get_by_label("Seed", exact=True), seed)
    _slide(page, samples)
    page.evaluate(WATCH)
    page.get_by_role("button", name="Run forecast").click()
    seconds = page.evaluate("() => window.drawn")
    page.wait_for_url("**forecast=**")
    made = page.evaluate("() => new URLSearchParams(location.search).get('forecast')")
    forecast = httpx.get(f"{address}/api/v1/forecasts/{made}").raise_for_status().json()
    assert (forecast["request"]["samples"], forecast["request"]["horizon"]) == (samples, HORIZON), forecast["request"]
    return Wait(seconds, forecast["provenance"]["seconds"])


def _choose_model(page: Page, model: str) -> None:
    field = page.get_by_role("combobox", name="Model")
    expect(field).to_be_visible()
    _idle(page)
    field.click()
    page.get_by_role("option", name=model).first.click()
    _idle(page)


def _fill(field: Locator, value: int) -> None:
    field.fill(str(value))
    field.press("Enter")
    _idle(field.page)


def _slide(page: Page, samples: int) -> None:
    """Move the slider to this number of samples by its keys, as its value cannot be typed."""
    thumb = page.get_by_role("slider", name="Samples")
    away = samples - int(thumb.get_attribute("aria-valuenow") or thumb.input_value())
    for _ in range(abs(away)):
        thumb.press("ArrowRight" if away > 0 else "ArrowLeft")
    _idle(page)


def _idle(page: Page) -> None:
    """Wait until the server has answered what was entered last."""
    page.wait_for_timeout(700)
    expect(page.locator('[data-testid="stApp"]')).to_have_attribute("data-test-script-state", "notRunning")


if __name__ == "__main__":
    main()
