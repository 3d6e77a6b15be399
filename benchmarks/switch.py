"""How long a click takes: `python -m benchmarks.switch` (needs a Chromium).

A page switch lasts from the click in the sidebar to the last change of the document; a rerun from a key in a field of
the Forecast page that shows a forecast; a shared link from a new browser to its chart. An empty Streamlit app of two
pages is measured in the same way for comparison.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.measure import build_parser, format_verdict, write_record
from kronos_app.data import sample
from kronos_app.nav import ENTRIES
from scripts.server import running

SWITCH, RERUN, LINK = 0.4, 0.2, 3.0  # seconds, the targets
QUIET = 400  # milliseconds without a change after which a page counts as settled
TIMEOUT = 60_000  # milliseconds

# Run in the page. The first tells when the server last sent something; the second resolves to the seconds from the next
# click or key to the last change of the document.
LISTEN = """
    const Plain = WebSocket;
    window.WebSocket = class extends Plain {
        constructor(...args) {
            super(...args);
            this.addEventListener("message", () => { window.answered = performance.now(); });
        }
    };
"""
WATCH = """quiet => {
    window.settled = new Promise((done, fail) => {
        let from, last;
        const running = () => document.querySelector("[data-testid=stApp]").dataset.testScriptState !== "notRunning";
        const begin = () => { from ??= performance.now(); };
        for (const kind of ["click", "keydown"]) addEventListener(kind, begin, {capture: true, once: true});
        const observer = new MutationObserver(() => { last = performance.now(); });
        observer.observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
        setTimeout(() => fail("not settled after a minute"), 60000);
        const look = setInterval(() => {
            const begun = window.answered > from && !running();
            if (!begun || performance.now() - Math.max(last ?? 0, window.answered) < quiet) return;
            clearInterval(look);
            observer.disconnect();
            done(((last ?? from) - from) / 1000);
        }, 20);
    });
}"""
CHART = """() => new Promise(done => {
    const look = () => document.querySelector(".js-plotly-plot .cartesianlayer .trace")
        ? done(performance.now() / 1000) : requestAnimationFrame(look);
    look();
})"""
EMPTY = """import streamlit as st
pages = [st.Page(lambda: (st.title("One"), st.number_input("Horizon", 1)), title="One", url_path="one"),
         st.Page(lambda: st.title("Two"), title="Two", url_path="two")]
st.navigation(pages).run()
"""


def main() -> None:
    """Print the median and the slowest of each kind of waiting time."""
    options = build_parser(__doc__, rounds=5).parse_args()
    program = os.environ.get("KRONOS_CHROMIUM") or shutil.which("chromium")
    seconds: dict[str, list[float]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        with _running_empty() as address:
            seconds["empty app, switch"] = _switch(_open(browser, address), ["One", "Two"], options.rounds)
            seconds["empty app, rerun"] = _rerun(_open(browser, address), options.rounds)
        with running() as address:
            forecast = _make_forecast(address)
            page = _open(browser, f"{address}/forecast?forecast={forecast}")
            titles = [entry.title.msgid for entry in ENTRIES.values()]
            for title in titles:  # the first visit loads what the browser then keeps
                _time_click(page, title)
            for title in titles:
                seconds[f"to {title}"] = _switch(page, [title], options.rounds)
            page = _open(browser, f"{address}/forecast?forecast={forecast}")
            seconds["rerun of Forecast"] = _rerun(page, options.rounds)
            seconds["shared link"] = [_time_link(browser, address, forecast) for _ in range(options.rounds)]
        browser.close()
    _print(seconds)
    write_record(options, seconds)


def _print(seconds: dict[str, list[float]]) -> None:
    targets = {"rerun of Forecast": RERUN, "shared link": LINK}
    for name, values in seconds.items():
        target = targets.get(name, SWITCH if name.startswith("to ") else None)
        verdict = "" if target is None else format_verdict(median(values) <= target, f"{target} s")
        print(f"{name:20}{median(values):7.2f} s, slowest{max(values):6.2f} s  {verdict}")


@contextmanager
def _running_empty() -> Iterator[str]:
    """Serve an empty Streamlit app and yield its address."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "app.py").write_text(EMPTY, encoding="utf-8")
        (folder / ".streamlit").mkdir()
        (folder / ".streamlit" / "config.toml").write_text("[server]\nheadless = true\n", encoding="utf-8")
        with running(root=folder, script="app.py") as address:
            yield address


def _open(browser: Browser, address: str) -> Page:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(TIMEOUT)
    page.add_init_script(LISTEN)
    page.goto(address)
    page.locator("h1").first.wait_for()
    page.wait_for_timeout(2000)
    return page


def _make_forecast(address: str) -> str:
    api = f"{address}/api/v1"
    content = sample.load("sp500").frame.to_csv(index=False).encode()
    candles = httpx.post(f"{api}/candles", files={"file": ("sp500.csv", content)}).raise_for_status().json()
    job = httpx.post(f"{api}/forecasts", json={"candles_id": candles["id"]}).raise_for_status().json()
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        listed = httpx.get(f"{api}/forecasts").raise_for_status().json()["forecasts"]
        if listed:
            return str(listed[0]["id"])
        time.sleep(0.2)
    raise TimeoutError(f"job {job['job_id']} made no forecast")


def _switch(page: Page, titles: list[str], rounds: int) -> list[float]:
    """Return the seconds to each page; before each visit another page is open."""
    values = []
    for _ in range(rounds):
        for title in titles:
            if len(titles) == 1:
                _time_click(page, "History" if title != "History" else "Models")
            values.append(_time_click(page, title))
    return values


def _time_click(page: Page, title: str) -> float:
    page.evaluate(WATCH, QUIET)
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=title, exact=True).click()
    return float(page.evaluate("() => window.settled"))


def _rerun(page: Page, rounds: int) -> list[float]:
    field = page.get_by_role("spinbutton", name="Horizon")
    values = []
    for _ in range(rounds + 1):
        field.focus()
        page.evaluate(WATCH, QUIET)
        field.press("ArrowUp")
        values.append(float(page.evaluate("() => window.settled")))
    return values[1:]


def _time_link(browser: Browser, address: str, forecast: str) -> float:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{address}/forecast?forecast={forecast}", wait_until="commit")
    seconds = float(page.evaluate(CHART))
    context.close()
    return seconds


if __name__ == "__main__":
    main()
