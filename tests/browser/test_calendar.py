from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import expect

from tests.browser.steps import idle

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

LAST = pd.Timestamp("2026-09-30 11:00")
HOLIDAYS_OVER = "2026-10-08 10:00"


@pytest.fixture
def shanghai(tmp_path):
    """Return a file of half hours of Shanghai, told by their ends, up to the last morning before the National Day."""
    import exchange_calendars

    schedule = exchange_calendars.get_calendar("XSHG", start="2026-06-01", end="2026-09-30").schedule
    parts = [(row.open, row.break_start) for row in schedule.itertuples()]
    parts += [(row.break_end, row.close) for row in schedule.itertuples()]
    ends = sorted(end for part in parts for end in pd.date_range(*part, freq="30min", inclusive="right"))
    times = pd.DatetimeIndex(ends).tz_convert("Asia/Shanghai").tz_localize(None)
    times = times[times <= LAST]
    close = 100 + np.sin(np.arange(len(times)) / 9)
    frame = pd.DataFrame({"time": times, "open": close, "high": close + 1, "low": close - 1, "close": close})
    path = tmp_path / "prices.csv"
    frame.drop(index=[300, 301]).to_csv(path, index=False)
    return path


def test_a_calendar_is_chosen_and_the_forecast_keeps_clear_of_the_holidays(page, shanghai):
    page.goto("/data")
    page.locator('input[type="file"]').first.set_input_files(shanghai)
    expect(page.get_by_role("heading", name="Quality of prices.csv")).to_be_visible()
    expect(page.get_by_text("Future holidays are not known.")).to_be_visible()
    choice = page.get_by_role("combobox", name="When candles are due")
    choice.click()
    page.keyboard.type("XSHG")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 gap(s) where 2 candle(s) are missing by the calendar XSHG")).to_be_visible()
    expect(page.get_by_text("Next due: 2026-09-30 11:30")).to_be_visible()
    page.get_by_role("button", name="Use this data set").click()
    expect(page.get_by_text("This data set is in use.")).to_be_visible()
    page.get_by_role("button", name="Make a forecast").click()
    page.get_by_role("button", name="Run forecast").click()
    expect(page.get_by_text("Provenance")).to_be_visible()
    idle(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    times = pd.read_csv(download.value.path())["timestamp"].tolist()
    assert [time[:16] for time in times[:6]] == [
        "2026-09-30 11:30", "2026-09-30 13:30", "2026-09-30 14:00", "2026-09-30 14:30", "2026-09-30 15:00",
        HOLIDAYS_OVER,
    ]  # fmt: skip
    page.get_by_text("Provenance").click()
    expect(page.get_by_text("XSHG · Shanghai")).to_be_visible()
