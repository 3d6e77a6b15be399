"""Doubtful data on the Data page, and what the Forecast and History pages say of it."""

from __future__ import annotations

import pytest

from kronos_app.widgets.candles import keys


@pytest.fixture
def apple(open_page):
    """Return the Data page with the sample that has two splits."""
    page = open_page("data")
    page.segmented_control(key=keys.SOURCE).set_value("sample").run()
    page.selectbox(key=keys.SAMPLE).set_value("AAPL").run()
    assert not page.exception
    return page


def said(page):
    shown = [element.value for element in [*page.markdown, *page.warning, *page.caption]]
    return "\n".join(shown).replace("\\", "")


def test_a_split_lowers_the_score_and_is_adjusted_for_unless_declined(apple, desk):
    assert "78 of 100" in said(apple)
    assert "Not adjusted for a split of 2 for 1 at 2005-02-28" in said(apple)
    box = apple.checkbox(key=f"{keys.FIXES}.adjust_splits")
    assert box.value
    assert "Prices were adjusted for 2 split(s)" in said(apple)
    box.uncheck().run()
    assert "Prices were adjusted" not in said(apple)


def test_what_was_done_is_kept_and_the_interval_is_that_chosen(apple, desk):
    apple.selectbox(key=f"{keys.FIXES}.interval").set_value("1w").run()
    next(button for button in apple.button if button.label == "Use this data set").click().run()
    assert not apple.exception
    (info,) = desk.candles.list()
    saved = desk.candles.get(info.id)
    assert [step["kind"] for step in saved.repair["steps"]] == ["adjust_splits", "resample"]
    assert saved.candles.interval.days == 7
    assert saved.repair["score"] == 100


def test_a_forecast_on_doubtful_data_says_so_before_and_after_and_in_the_history(open_page, desk, forecast):
    saved = desk.candles.keep(desk.candles.sample("AAPL"))
    cutoff = saved.candles.timestamps[1300].to_pydatetime()
    forecast_id = forecast(candles_id=saved.id, cutoff=cutoff, lookback=60)
    page = open_page("forecast", forecast=forecast_id)
    assert "This forecast is from doubtful data" in said(page)
    assert "a split of 2 for 1 at 2005-02-28" in said(page)
    (table,) = open_page("history").dataframe
    assert "doubtful data" in table.value.to_string()
    told = desk.forecasts.doubts(saved.id, None, 60)
    assert told == []
