from __future__ import annotations

import pandas as pd
import pytest
from playwright.sync_api import expect

from kronos_app.data import sample
from tests.browser.steps import choose, idle

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]


def test_files_and_a_long_file_are_dropped_repaired_kept_and_compared(page, tmp_path):
    parts = [sample.load(name).frame[:-3].assign(symbol=f"{name}.X") for name in ("AAPL", "IBM")]
    long = pd.concat(parts, ignore_index=True)
    long.loc[9, "high"] = long.loc[9, "low"] / 2
    long.to_csv(tmp_path / "stocks.csv", index=False)
    sample.load("sp500").frame[:-3].to_csv(tmp_path / "several.csv", index=False)
    (tmp_path / "broken.csv").write_text("date,open,high,close\n2024-01-01,1,2,1\n")
    page.goto("/data")
    page.locator("input[type=file]").set_input_files(
        [tmp_path / name for name in ("stocks.csv", "several.csv", "broken.csv")]
    )
    expect(page.get_by_role("heading", name="3 series")).to_be_visible()
    expect(page.get_by_text("lacks the column(s) low")).to_be_visible()
    expect(page.get_by_text("1 of 3 series need one.")).to_be_visible()
    choose(page, page.get_by_label("Show one of them"), "AAPL.X")
    expect(page.get_by_role("heading", name="Quality of AAPL.X")).to_be_visible()
    expect(page.get_by_text("1 rows left out")).to_be_visible()
    page.get_by_role("button", name="Save all 3").click()
    expect(page.get_by_text("3 data sets were saved.")).to_be_visible()
    expect(page.get_by_test_id("stSidebar").get_by_text("AAPL.X")).to_be_visible()

    choose(page, page.get_by_label("Data sets", exact=True), "IBM.X", "several.csv")
    expect(page.get_by_text("Each is 100 at 2000-03-01")).to_be_visible()
    expect(page.locator(".js-plotly-plot .legendtext", has_text="several.csv")).to_be_visible()


def test_instruments_of_a_qlib_folder_are_read_and_kept(page):
    page.goto("/data")
    page.get_by_role("radio", name="Qlib folder").click()
    idle(page)
    choose(page, page.get_by_label("Market", exact=True), "csi300")
    choose(page, page.get_by_label("Instruments", exact=True), "SH600519", "SZ000001")
    page.get_by_role("button", name="Read 2").click()
    expect(page.get_by_role("heading", name="2 series")).to_be_visible()
    page.get_by_role("button", name="Save all 2").click()
    expect(page.get_by_text("2 data sets were saved.")).to_be_visible()
    expect(page.get_by_test_id("stSidebar").get_by_text("SH600519")).to_be_visible()
