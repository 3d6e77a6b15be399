"""The chart of a forecast under mouse, wheel, finger and keyboard, in light and dark."""

from __future__ import annotations

import re
import time

import httpx
import pytest
from playwright.sync_api import expect

from kronos_app.data import sample
from tests.browser.steps import idle
from tests.kronos_app.charts.test_style import contrast

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
LAYOUT = "document.querySelector('.js-plotly-plot')._fullLayout"
SCROLLED = "document.querySelector('[data-testid=stMain]').scrollTop"
COLOURS = """() => [
    getComputedStyle(document.querySelector('.js-plotly-plot .xtick text')).fill,
    getComputedStyle(document.querySelector('.js-plotly-plot .ytick text')).fill,
    getComputedStyle(document.querySelector('.js-plotly-plot .main-svg')).backgroundColor,
    getComputedStyle(document.querySelector('.stApp')).backgroundColor,
]"""


@pytest.fixture(scope="module")
def address(server):
    """Return the address of the page of a forecast of 12 candles after 200."""
    content = sample.load("sp500").frame.tail(300).to_csv(index=False)
    with httpx.Client(base_url=f"{server}/api/v1", timeout=60) as client:
        candles = client.post("/candles", files={"file": ("drawn.csv", content)}).raise_for_status().json()
        body = {"candles_id": candles["id"], "lookback": 200, "horizon": 12, "samples": 10, "seed": 5}
        job = client.post("/forecasts", json=body).raise_for_status().json()["job_id"]
        deadline = time.monotonic() + 120
        while (state := client.get(f"/jobs/{job}").json())["status"] in ("queued", "running"):
            assert time.monotonic() < deadline, state
            time.sleep(0.2)
    return f"/forecast?forecast={state['forecast_id']}"


def open_chart(page, address: str) -> dict[str, float]:
    """Open the page and return the place of the chart's axes."""
    page.goto(address)
    expect(page.locator(".kronos-readout").first).to_contain_text("90 % band")
    idle(page)
    chart = page.locator(".js-plotly-plot").first
    chart.scroll_into_view_if_needed()
    return chart.locator(".nsewdrag").first.bounding_box()


def wait_until(page, condition: str) -> None:
    """Wait for a condition in JavaScript; Playwright's own way needs `eval`, which the pages forbid."""
    deadline = time.monotonic() + 60
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(50)


def rgb(colour: str) -> str:
    return "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", colour)[:3])


def test_values_under_the_pointer_are_read_out_in_a_corner_and_on_the_axes(page, address):
    axes = open_chart(page, address)
    chart = page.locator(".js-plotly-plot").first
    readout = chart.locator(".kronos-readout")
    expect(readout).to_contain_text("Representative path")
    page.mouse.move(axes["x"] + axes["width"] * 0.3, axes["y"] + axes["height"] / 2)
    expect(readout).to_contain_text(re.compile(r"\d{4}-\d\d-\d\d.*History.*O [\d,.]+.*H [\d,.]+.*L [\d,.]+.*C [\d,.]+"))
    expect(chart.locator(".kronos-time")).to_have_text(re.compile(r"^\d{4}-\d\d-\d\d$"))
    expect(chart.locator(".kronos-price")).to_have_text(re.compile(r"^[\d,]+\.\d\d$"))
    expect(chart.locator(".hoverlayer g")).to_have_count(0)


def test_the_wheel_scrolls_the_page_and_zooms_with_control(page, address):
    axes = open_chart(page, address)
    first = page.evaluate(f"{LAYOUT}.xaxis.range")
    middle = axes["x"] + axes["width"] / 2
    page.mouse.move(middle, axes["y"] + axes["height"] - 20)
    scrolled = page.evaluate(SCROLLED)
    page.mouse.wheel(0, 120)
    wait_until(page, f"{SCROLLED} > {scrolled + 50}")
    assert page.evaluate(f"{LAYOUT}.xaxis.range") == first
    axes = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    page.mouse.move(middle, max(axes["y"], 0) + 100)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -150)
    page.keyboard.up("Control")
    wait_until(page, f"{LAYOUT}.xaxis.range[0] > {first[0]}")
    page.wait_for_timeout(500)  # Plotly draws a moment after the last turn of the wheel
    page.get_by_role("button", name="Reset", exact=True).click()
    wait_until(page, f"{LAYOUT}.xaxis.range[0] === {first[0]}")


def test_ranges_and_kinds_of_candles_are_chosen_and_the_chart_is_saved(page, address):
    open_chart(page, address)
    page.get_by_role("radio", name="All", exact=True).click()
    wait_until(page, f"{LAYOUT}.xaxis.range[0] === -0.5")
    page.get_by_role("radio", name="Horizon", exact=True).click()
    wait_until(page, f"{LAYOUT}.xaxis.range[0] > 100")
    page.get_by_role("combobox", name="Forecast candles").click()
    page.get_by_role("option", name="Mean").click()
    expect(page.locator(".legendtext", has_text="Mean")).to_be_visible()
    assert page.evaluate(f"{LAYOUT}.xaxis.range[0]") > 100
    for name, start in (("Download PNG", b"\x89PNG"), ("Download SVG", b"<svg")):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        assert download.value.path().read_bytes().startswith(start)
        assert download.value.suggested_filename == f"forecast-{address[-32:]}.{name[-3:].lower()}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axes_are_readable_in_light_and_dark(page, address, scheme):
    page.emulate_media(color_scheme=scheme)
    open_chart(page, address)
    x, y, drawn, behind = (rgb(colour) for colour in page.evaluate(COLOURS))
    assert drawn == behind
    assert min(contrast(x, behind), contrast(y, behind)) >= 4.5


def test_a_finger_on_the_chart_scrolls_the_page(server, browser, address):
    size = {"width": 390, "height": 844}
    with browser.new_context(base_url=server, viewport=size, has_touch=True, is_mobile=True) as context:
        page = context.new_page()
        axes = open_chart(page, address)
        first, scrolled = page.evaluate(f"{LAYOUT}.xaxis.range"), page.evaluate(SCROLLED)
        touch = context.new_cdp_session(page)
        for _ in range(3):  # Chromium does not always deliver the first emulated swipe
            swipe_up(page, touch, axes["x"] + 100, axes["y"] + 150)
        assert page.evaluate(SCROLLED) > scrolled + 100
        assert page.evaluate(f"{LAYOUT}.xaxis.range") == first


def swipe_up(page, touch, x: float, y: float) -> None:
    """Move a finger up by 120 pixels."""
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 7):
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y - 20 * step}]})
        page.wait_for_timeout(20)
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(500)
