from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from kronos_app.data import sample
from tests.browser.steps import fill, idle

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]
LOOKBACK, HORIZON = 120, 12


@pytest.fixture(scope="session")
def csv(tmp_path_factory):
    """Write the last years of a real series as a file that a user might have."""
    frame = sample.load("sp500").frame.tail(600)
    path = tmp_path_factory.mktemp("upload") / "指数 daily.csv"
    frame.rename(columns={"timestamp": "日期", "volume": "成交量"}).to_csv(path, index=False)
    return path


def test_a_file_is_uploaded_forecast_in_replay_reloaded_and_downloaded(page, csv):
    page.goto("/data")
    page.locator('input[type="file"]').set_input_files(csv)
    expect(page.get_by_role("heading", name="Quality of 指数 daily.csv")).to_be_visible()
    page.get_by_role("button", name="Use this data set").click()
    page.get_by_role("button", name="Make a forecast").click()

    expect(page.get_by_role("button", name="Run forecast")).to_be_visible()
    page.get_by_role("radio", name="Replay").click()
    idle(page)
    fill(page, "Horizon", HORIZON)
    fill(page, "Lookback", LOOKBACK)
    page.get_by_role("button", name="Run forecast").click()

    shows_the_result(page)
    address = page.url
    assert "forecast=" in address
    page.reload()
    shows_the_result(page)
    assert page.url == address

    with page.expect_download() as download:
        page.get_by_role("button", name="Download JSON").click()
    told = json.loads(download.value.path().read_text())
    assert told["candles_name"] == "指数 daily.csv"
    assert len(told["timestamps"]) == HORIZON
    assert told["provenance"]["history_rows"] == LOOKBACK
    assert set(told["quantiles"]) >= {"0.05", "0.25", "0.5", "0.75", "0.95"}
    assert told["comparison"]["matched"] == len(told["actual"]["timestamps"]) > 0


def shows_the_result(page) -> None:
    """Expect bands in the chart and the table of errors against the baselines."""
    chart = page.locator(".js-plotly-plot").first
    expect(chart).to_be_visible()
    for name in ("90 %", "50 %", "Median"):
        expect(chart.locator("text", has_text=re.compile(f"^{name}$"))).to_be_visible()
    expect(chart.locator(".legendtext", has_text="Actual")).to_be_visible()
    errors = page.locator('[data-testid="stTable"]').filter(has_text="CRPS").first
    for name in ("Model", "Last close", "Drift", "EWMA random walk"):
        expect(errors.get_by_text(name, exact=True)).to_be_visible()


def test_the_same_address_opens_in_chinese_and_unknown_ones_say_so(page):
    page.goto("/forecast?lang=zh_CN&forecast=0000")
    expect(page.get_by_text("没有编号为 0000 的预测")).to_be_visible()
    page.get_by_role("link", name="模型").click()
    expect(page.get_by_role("heading", name="模型")).to_be_visible()


def test_a_page_entered_by_its_address_still_has_the_frame_around_it(page):
    for name in ("data", "models", "forecast", "history"):
        page.goto(f"/{name}")
        expect(page.get_by_text("For research.")).to_be_visible()
