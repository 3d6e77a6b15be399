"""The History page: its table, and what is done with the picked rows."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from kronos_app.i18n import translate
from kronos_app.services.candles.labels import LabelChange
from kronos_app.services.forecast.listing import Annotation
from kronos_app.widgets.forecast.history import keys
from tests.app.conftest import find_button, find_field, page_text

LANGUAGES = ("en", "zh_CN")


def click(app, *rows: int, column: str | None = None):
    """Tick these rows of the table and no others, or click the title of a column, and draw the page again."""
    table, ids = app.session_state[keys.DRAWN]
    assert app.dataframe[0].key == table
    assert len(ids) == len(app.dataframe[0].value)
    app.session_state[table] = {"selection": {"rows": list(rows), "columns": [column] if column else [], "cells": []}}
    return app.run()


def shown(app, column: str) -> list:
    return list(app.dataframe[0].value[column])


@pytest.fixture
def three(forecast):
    """Return the ids of three forecasts, in the order they were made."""
    return [forecast(), forecast(seed=2, temperature=0.6, top_p=0.9), forecast(seed=3, cutoff=None)]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_without_forecasts_the_page_says_so(open_page, lang):
    app = open_page("history", lang=lang)
    assert app.info[0].value == translate("No forecasts yet.", lang)
    assert not app.dataframe


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_table_shows_settings_scores_tags_and_notes(open_page, desk, three, lang):
    assert not desk.ledger.sweep()
    note = "=1+1 <b>bold</b> **x**"
    desk.forecasts.annotate(three[0], Annotation.build({"tags": ["gold", "多头"], "note": note}))
    app = open_page("history", lang=lang)
    row = app.dataframe[0].value.iloc[2]
    request = desk.forecasts.get(three[0]).stored.request
    assert all(row[name] == request[name] for name in ("horizon", "lookback", "samples", "seed"))
    assert (list(row["tags"]), row["note"]) == (["gold", "多头"], note)
    assert row["crps_ratio"] == desk.forecasts.get(three[0]).comparison.crps_ratio
    assert 0 <= row["coverage"] <= 100
    assert shown(app, "sampling")[1] == translate("Conservative", lang)
    assert shown(app, "replay") == [translate(name, lang) for name in ("Future", "Replay", "Replay")]
    assert not any(shown(app, "marks")), "nothing was repaired"


def test_a_forecast_of_the_sample_of_home_is_not_called_repaired(open_page, desk, forecast):
    app = open_page("home")
    find_button(app, "Start with a sample").click().run()
    forecast(candles_id=desk.candles.list()[0].id)
    assert "repaired data" not in page_text(open_page("home"))
    assert shown(open_page("history"), "marks") == [""]


def test_the_list_is_searched_filtered_and_sorted_in_the_database(open_page, desk, three):
    desk.forecasts.annotate(three[1], Annotation.build({"tags": ["gold"], "note": "Fed meeting"}))
    app = open_page("history")
    for key, value, found in [
        (keys.TEXT, "fed M", [2]),
        (keys.TAG, "gold", [2]),
        (keys.MODE, False, [3]),
        (keys.TEXT, "no such name", []),
    ]:
        before = app.get_by_key(key).value
        app.get_by_key(key).set_value(value).run()
        assert (shown(app, "seed") if found else list(app.dataframe)) == found
        assert f"{len(found)} of 3 forecasts" in page_text(app)
        app.get_by_key(key).set_value(before).run()
    click(app, column="seed")
    assert shown(app, "seed") == [3, 2, 1]
    click(app, column="seed")
    assert (shown(app, "seed"), app.get_by_key(keys.SORT).value) == ([1, 2, 3], "seed")
    click(app, column="marks")
    assert "cannot be sorted" in app.toast[0].value


def test_picked_rows_stay_picked_on_another_page_and_in_another_order(open_page, desk, three, monkeypatch):
    from kronos_app.widgets.kit import paging

    monkeypatch.setattr(paging, "PAGE_SIZE", 2)
    monkeypatch.setattr(paging.first_row, "__defaults__", (2,))
    app = click(open_page("history"), 1)
    app.get_by_key(keys.PAGE).set_value(2).run()
    assert shown(app, "seed") == [1]
    click(app, 0)
    assert "2 picked" in page_text(app)
    click(app, 0, column="seed")
    assert app.session_state[keys.PICKED] == [three[1], three[0]]
    find_button(app, "Clear").click().run()
    assert "picked" not in page_text(app)


def test_forecasts_are_compared_by_click_and_by_address(open_page, desk, three):
    app = click(open_page("history"), 1)
    assert find_button(app, "Compare").disabled
    click(app, 0, 1, 2)
    find_button(app, "Compare").click().run()
    assert app.query_params["compare"] == [three[1], three[2], three[0]], "in the order they were picked"
    table = app.table[0].value
    assert list(table.columns) == ["A", "B", "C"]
    assert list(table.loc["Seed"]) == ["2", "3", "1"]
    close = app.get_by_key("history.compare.close").click()
    del app.query_params["compare"]  # as a click before it has done
    close.run()
    assert not app.table
    assert not app.exception
    linked = open_page("history", compare=three[:2])
    assert list(linked.table[0].value.loc["Temperature"])[1] == "0.6"
    assert "There is no forecast gone." in page_text(open_page("history", compare=[three[0], "gone"]))


def test_a_data_set_that_was_renamed_is_compared_with_itself_in_prices(open_page, desk, sample, three, forecast):
    desk.candles.labels.change(sample.id, LabelChange.build({"name": "Renamed"}))
    renamed = forecast(seed=4)
    figure = open_page("history", compare=[three[0], renamed]).get("plotly_chart")[0].proto.spec
    assert "Change since the last close" not in figure
    assert "Price" in figure


@pytest.mark.parametrize("lang", LANGUAGES)
def test_tags_and_a_note_are_written_beside_the_table(open_page, desk, three, lang):
    app = click(open_page("history", lang=lang), 0)
    find_field(app, keys.TAGS, three[2]).set_value(["gold", "x" * 31])
    find_field(app, keys.NOTE, three[2]).set_value("seen")
    app.get_by_key("history.save").click().run()
    assert app.error, "a tag is too long"
    find_field(app, keys.TAGS, three[2]).set_value(["gold"])
    app.get_by_key("history.save").click().run()
    assert not app.error
    assert (shown(app, "note")[0], list(shown(app, "tags")[0])) == ("seen", ["gold"])
    click(app, 0, 1)
    app.get_by_key(keys.ADDED).set_value(["both"])
    app.get_by_key(keys.REMOVED).set_value(["gold"])
    app.get_by_key("history.save").click().run()
    assert [item.tags for item in desk.forecasts.list()] == [("both",), ("both",), ()]
    assert desk.forecasts.list()[0].note == "seen"


def test_picked_forecasts_are_deleted_once_confirmed(open_page, desk, three):
    app = click(open_page("history"), 0, 2)
    find_button(app, "Delete").click().run()
    app.get_by_key("app.decline").click().run()
    assert desk.forecasts.count() == 3
    find_button(app, "Delete").click().run()
    assert "Delete these 2 forecasts?" in page_text(app)
    app.get_by_key("app.confirm").click().run()
    assert [item.id for item in desk.forecasts.list()] == [three[1]]
    assert "1 of 1 forecasts" in page_text(app)


@pytest.fixture
def on_sqlite(tmp_path, monkeypatch):
    """Let the desk use SQLite: DuckDB's JSON type accepts no damaged text."""
    monkeypatch.setenv("KRONOS_DATABASE_URL", f"sqlite:///{tmp_path / 'desk.db'}")


@pytest.mark.usefixtures("on_sqlite")
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_damaged_forecast_is_listed_with_the_reason_and_deletable(open_page, desk, three, lang):
    damage = sa.text("UPDATE forecasts SET provenance = '{' WHERE id = :id").bindparams(id=three[0])
    desk.store._database.execute(damage)
    app = click(open_page("history", lang=lang), 2)
    assert shown(app, "candles_name")[2].startswith("⚠")
    reason = translate(
        "This record is damaged and cannot be read. Delete it, or restore the database from a backup.", lang
    )
    assert reason in app.warning[0].value
    assert find_button(app, translate("Open", lang)).disabled
    find_button(app, translate("Delete", lang)).click().run()
    app.get_by_key("app.confirm").click().run()
    assert [item.id for item in desk.forecasts.list()] == [three[2], three[1]]
