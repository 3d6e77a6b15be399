"""Take the pictures of docs/images from the running product: `.venv/bin/python -m scripts.screenshots`."""

from __future__ import annotations

import os
import shutil

import httpx
import pandas as pd
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from scripts.rest import await_state, connect, wait_until
from scripts.server import ROOT, running
from tests.servers.yahoo import serve

IMAGES = ROOT / "docs" / "images"
PATIENCE = 120_000  # milliseconds
# For the ledger: one forecast a week, after the training data of kronos-nano ends.
WEEKS = pd.date_range("2018-06-29", "2018-11-23", freq="W-FRI")
TUNING = {
    "name": "SP500 first try",
    "predictor": {"steps": 100, "batch": 16, "log_every": 2, "validate_every": 10, "validation_windows": 64},
    "judge": {"cutoffs": 16, "final_cutoffs": 60},
}
EVALUATION = {"n_windows": 48, "samples": 40}
BACKTEST = {
    "every": 5,
    "samples": 20,
    "driftless": False,
    "topk": 2,
    "n_drop": 1,
    "start": "2011-01-03",
    "end": "2013-03-01",
}
SHARES = ("AAPL", "GOOG", "IBM", "MSFT")
CUTOFFS = ("2018-06-29", "2017-10-12", "2018-11-23")  # after the training data of kronos-nano ends


def main() -> None:
    """Make a few forecasts, an evaluation, a backtest and a fine-tune on fresh servers, and photograph every page."""
    with serve() as yahoo:
        os.environ["KRONOS_YAHOO_URL"] = yahoo.url
        with running() as address:
            forecasts = [_forecast(address, cutoff) for cutoff in CUTOFFS]
            _photograph(address, forecasts[-1])
        with running() as address:
            photograph_live(address)
        with running() as address:
            photograph_evaluate(address)
        with running() as address:
            photograph_backtest(address)
        with running() as address:
            photograph_finetune(address)


def photograph_live(address: str) -> None:
    """Photograph the Live page with a followed series and the grades of some replays."""
    api = connect(address)
    api.post("/follows", json={"source": "yahoo", "symbol": "AAPL", "horizon": 10, "samples": 50}).raise_for_status()
    for week in WEEKS:
        _forecast(address, f"{week:%Y-%m-%d}", horizon=5)
    wait_until(
        lambda: (
            api.get("/ledger/summary").json()["waiting"] <= 1 and len(api.get("/ledger").json()["entries"]) > len(WEEKS)
        ),
        "the ledger has graded every forecast but one",
    )
    with sync_playwright() as playwright:
        browser = _launch(playwright)
        page = _open(browser, "light")
        page.goto(f"{address}/live")
        page.get_by_role("radio", name="All", exact=True).click()
        expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=PATIENCE)
        _save(page, "live")
        browser.close()


def photograph_evaluate(address: str) -> None:
    """Photograph the Evaluate page with an evaluation that has finished."""
    api = connect(address)
    request = {"data": {"kind": "candle_sets", "candle_sets": [_sample(api)]}, "models": ["kronos-nano"]}
    evaluation = api.post("/evaluations", json=request | EVALUATION).raise_for_status().json()["id"]
    await_state(api, f"/evaluations/{evaluation}")
    _shoot_long(f"{address}/evaluate?evaluation={evaluation}", "evaluate")


def photograph_backtest(address: str) -> None:
    """Photograph the Backtest page with a backtest that has finished."""
    api = connect(address)
    data = {"kind": "candle_sets", "candle_sets": [_sample(api), *(_sample(api, name, name) for name in SHARES)]}
    request = {"data": data, "model": "kronos-nano", "benchmark": "S&P-500", **BACKTEST}
    backtest = api.post("/backtests", json=request).raise_for_status().json()["id"]
    await_state(api, f"/backtests/{backtest}")
    _shoot_long(f"{address}/backtest?backtest={backtest}", "backtest")


def photograph_finetune(address: str) -> None:
    """Photograph the Fine-tune page with a run that has finished."""
    api = connect(address)
    data = {"kind": "candle_sets", "candle_sets": [_sample(api)]}
    run = api.post("/runs", json={"data": data, "config": TUNING}).raise_for_status().json()["id"]
    await_state(api, f"/runs/{run}")
    _shoot_long(f"{address}/finetune?run={run}", "finetune")


def _shoot_long(url: str, name: str) -> None:
    with sync_playwright() as playwright:
        browser = _launch(playwright)
        _shoot(browser.new_page(viewport={"width": 1440, "height": 1500}), url, name, chart=True)
        browser.close()


def _sample(api: httpx.Client, name: str = "sp500", title: str = "S&P 500") -> str:
    """Upload a sample, that of the S&P 500 unless another is named, and return the id of the data set."""
    from kronos_app.data import sample

    content = sample.load(name).frame.to_csv(index=False).encode()
    candles = api.post("/candles", files={"file": (f"{title}.csv", content)}).raise_for_status().json()
    return str(candles["id"])


def _forecast(address: str, cutoff: str, horizon: int = 24) -> str:
    """Upload the S&P 500 sample and return the id of a forecast from `cutoff`."""
    api = connect(address)
    request = {"candles_id": _sample(api), "horizon": horizon, "cutoff": f"{cutoff}T00:00:00", "seed": 1}
    job = api.post("/forecasts", json=request).raise_for_status().json()["job_id"]
    return str(await_state(api, f"/jobs/{job}")["forecast_id"])


def _photograph(address: str, forecast: str) -> None:
    with sync_playwright() as playwright:
        browser = _launch(playwright)
        page = _open(browser, "light")
        for name, path in {"home": "/", "models": "/models", "history": "/history"}.items():
            _shoot(page, address + path, name)
        page.goto(f"{address}/data")
        page.get_by_role("radio", name="Take a sample").click()
        expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=PATIENCE)
        _save(page, "data")
        result = f"{address}/forecast?forecast={forecast}"
        _shoot(page, result, "forecast", chart=True)
        _shoot(_open(browser, "light"), f"{result}&lang=zh_CN", "forecast_zh", chart=True)
        _shoot(_open(browser, "dark"), result, "forecast_dark", chart=True)
        browser.close()


def _launch(playwright: Playwright) -> Browser:
    program = os.environ.get("KRONOS_CHROMIUM") or shutil.which("chromium")
    IMAGES.mkdir(exist_ok=True)
    return playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])


def _open(browser: Browser, scheme: str) -> Page:
    return browser.new_page(viewport={"width": 1440, "height": 1000}, color_scheme=scheme)


def _shoot(page: Page, address: str, name: str, *, chart: bool = False) -> None:
    page.goto(address)
    expect(page.locator("h1").first).to_be_visible(timeout=PATIENCE)
    if chart:
        expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=PATIENCE)
    _save(page, name)


def _save(page: Page, name: str) -> None:
    expect(page.locator('[data-testid="stApp"]')).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=PATIENCE
    )
    page.wait_for_timeout(2500)  # let figures and fonts settle
    page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
