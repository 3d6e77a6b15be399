"""Data sets are named and tagged when saved and later, found by name and tag, and used from the top of their report."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from kronos_app import state
from kronos_app.services.candles.labels import LabelChange
from kronos_app.widgets.candles import keys
from tests.app.conftest import find_button, find_field, labels_of, page_text, take_sample

LONG = "prices_of_a_vendor_" * 4 + "_AAPL_daily.csv"


@pytest.fixture
def many(desk):
    """Save a sample under twelve ids, names and tags: `set 00` to `set 11`, the even ones tagged."""
    saved = take_sample(desk)
    desk.candles.delete(saved.id)
    sets = [
        replace(saved, id=f"id{number:02}", given_name=f"set {number:02}", tags=() if number % 2 else ("even", "a|b"))
        for number in range(12)
    ]
    return desk.candles.labels.put_all(sets)


def listed(app) -> list[str]:
    """Return the names in the list of saved data sets."""
    return [
        text.split("**")[1] for text in (element.value for element in app.main.markdown) if text.startswith("**set")
    ]


def test_the_report_begins_with_name_tags_and_use_and_then_with_the_next_step(open_page, desk):
    app = open_page("data")
    app.segmented_control[0].set_value("sample").run()
    field = (keys.NAME, "sample", "sp500")
    find_field(app, *field).input("Index").run()
    find_field(app, *field, "tags").set_value(["us", "daily"]).run()
    find_button(app, "Use this data set").click().run()
    (info,) = desk.candles.list()
    assert (info.title, info.tags, info.name) == ("Index", ("us", "daily"), "sp500")
    assert app.session_state[state.CANDLES_ID] == info.id
    assert "Make a forecast" in labels_of(app.button)
    assert "Use this data set" not in labels_of(app.button)
    first_of_report = page_text(app).split("Quality of sp500")[1]
    assert "This data set is in use." in first_of_report
    texts = [str(element.value) for element in app.main.markdown]
    in_use = next(number for number, text in enumerate(texts) if "is in use" in text)
    assert in_use < next(number for number, text in enumerate(texts) if text.startswith("Score"))


def dialog(candles_id: str) -> None:
    """Render the dialog of a data set as a page of its own: AppTest runs whole pages, not dialogs alone."""
    from kronos_app.runtime import desk
    from kronos_app.widgets.candles.candle_sets import render_labels

    render_labels(desk().candles.info(candles_id))


def test_a_data_set_is_renamed_and_tagged_in_the_list(open_page, desk, many):
    app = open_page("data")
    find_field(app, "data.edit", "id00").click().run()
    name = f"{keys.LABELS}id00.name"
    assert app.get_by_key(name).value == "set 00"
    app = AppTest.from_function(dialog, args=("id00",), default_timeout=120).run()
    app.get_by_key(name).input("set 10")
    find_field(app, f"{keys.LABELS}id00", "save").click().run()
    assert "Another data set has the name “set 10”." in page_text(app)
    app.get_by_key(name).input("*New* [name]")
    find_field(app, f"{keys.LABELS}id00", "tags").set_value(["mine"])
    find_field(app, f"{keys.LABELS}id00", "save").click().run()
    assert (desk.candles.info("id00").title, desk.candles.info("id00").tags) == ("*New* [name]", ("mine",))
    row = "**\\*New\\* \\[name\\]** :blue-badge[mine]"
    assert any(element.value.startswith(row) for element in open_page("data").main.markdown)


def test_the_list_is_filtered_by_text_and_tags(open_page, many):
    app = open_page("data")
    assert len(listed(app)) == 10
    app.get_by_key(keys.SETS_TAGS).set_value(["even"]).run()
    assert sorted(listed(app)) == [f"set {number:02}" for number in range(0, 12, 2)]
    app.get_by_key(keys.SETS_TEXT).input("SET 1").run()
    assert listed(app) == ["set 10"]
    assert "1 of 12 data sets" in page_text(app)


def test_a_long_name_is_cut_in_sidebar_list_and_pickers_with_the_whole_as_tooltip(open_page, desk):
    saved = take_sample(desk)
    desk.candles.labels.change(saved.id, LabelChange.build({"name": LONG}))
    for page in ("data", "forecast", "evaluate"):
        app = open_page(page, data=saved.id)
        app.session_state[state.CANDLES_ID] = saved.id
        app.run()
        assert LONG not in page_text(app)
        assert LONG in "\n".join(element.help.replace("\\", "") for element in app.sidebar.markdown)
        tips = [element.help for kind in (app.markdown, app.selectbox, app.multiselect) for element in kind]
        assert any(LONG in (tip or "").replace("\\", "") for tip in tips), page
