from __future__ import annotations

import pandas as pd
import pytest

from kronos_app.widgets.candles.calendar_choice import OPTIONS
from tests.app.conftest import page_text


def calendar(app):
    return next(box for box in app.selectbox if box.label == "When candles are due")


def metric(app, label: str) -> str:
    return next(one.value for one in app.metric if one.label == label)


def use(app) -> None:
    next(button for button in app.button if button.label == "Use this data set").click().run()


def file(days: pd.DatetimeIndex) -> bytes:
    rows = "\n".join(f"{day:%Y-%m-%d},10,11,9,10.5,100" for day in days)
    return f"date,open,high,low,close,volume\n{rows}\n".encode()


@pytest.fixture
def shanghai():
    """Return days of Shanghai, one of them lost, in a file whose name does not tell of where."""
    import exchange_calendars

    sessions = exchange_calendars.get_calendar("XSHG", start="2023-09-01", end="2024-02-01").sessions
    return file(sessions.drop(pd.Timestamp("2023-11-15")))


def test_a_guess_is_shown_with_what_follows_from_it(open_page):
    app = open_page("data")
    app.segmented_control[0].set_value("sample").run()
    assert calendar(app).value == "XNYS"
    assert "100% of the recent candles" in page_text(app)
    assert "Next due: 2019-01-02" in page_text(app), "the sample ends with 2018; the first of January is a holiday"


def test_a_calendar_is_corrected_and_counts_from_then_on(open_page, desk, shanghai):
    app = open_page("data")
    app.file_uploader[0].upload("walk.csv", shanghai, "text/csv").run()
    assert calendar(app).value == "learned"
    assert "Future holidays are not known" in page_text(app)
    assert int(metric(app, "Gaps")) > 1, "the Golden Week looks like a gap"
    calendar(app).select("XSHG").run()
    assert metric(app, "Gaps") == "1"
    assert "by the calendar XSHG" in page_text(app)
    use(app)
    kept = desk.candles.get(desk.candles.list()[0].id).candles
    assert kept.about.calendar == "XSHG"
    calendar(app).select("learned").run()
    use(app)
    assert desk.candles.get(desk.candles.list()[0].id).candles.about.calendar is None


def test_a_calendar_that_is_not_followed_says_so(open_page):
    app = open_page("data")
    app.file_uploader[0].upload("walk.csv", file(pd.date_range("2024-01-01", periods=80)), "text/csv").run()
    calendar(app).select("XTKS").run()
    assert "do not follow this calendar" in page_text(app)


def test_every_calendar_has_a_name_in_both_languages():
    from kronos_app.data.calendars import CALENDARS
    from kronos_app.i18n import translate

    english = [calendar.title.render() for calendar in CALENDARS.values()]
    assert len(set(english)) == len(english)
    assert [name for name in english if translate(name, "zh_CN") == name] in ([], ["NASDAQ"])
    assert OPTIONS[0] == "learned"
