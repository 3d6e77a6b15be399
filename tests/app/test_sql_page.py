"""Candles from a database on the Data page, from the choice of a table to a data set in use."""

from __future__ import annotations

import sqlite3
import time

import pandas as pd
import pytest

from kronos_app.i18n import translate
from kronos_app.widgets.candles import keys
from tests.app.conftest import find_field, page_text

LANGUAGES = ("en", "zh_CN")


@pytest.fixture
def secrets(tmp_path, monkeypatch):
    """Name a SQLite database with two instruments in secrets of the test's own."""
    path = tmp_path / "market.db"
    times = pd.date_range("2024-01-01", periods=300)
    rows = [(s, str(t.date()), 10, 11, 9, 10.5, 100) for s in ("AAPL", "600519") for t in times]
    rows[7] = ("AAPL", "2024-01-08", 10, 1, 9, 10.5, 100)
    with sqlite3.connect(path) as opened:
        opened.execute("CREATE TABLE candles (ticker, trade_date, open, high, low, close, vol)")
        opened.executemany("INSERT INTO candles VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    opened.close()
    file = tmp_path / "named.toml"
    file.write_text(
        f'[connections.market]\nurl = "sqlite:///{path}"\n'
        '[connections.gone]\nurl = "postgresql://reader:s3cret@127.0.0.1:1/market"\n'
    )
    monkeypatch.setenv("STREAMLIT_SECRETS_FILES", str(file))
    return file


def button(app, label: str, lang="en"):
    return next(element for element in app.button if element.label == translate(label, lang))


@pytest.fixture
def page(secrets, open_page):
    """Return a function that opens the Data page on its databases."""

    def open_(lang="en", **query):
        app = open_page("data", lang=lang, **query)
        return app if query else app.segmented_control[0].set_value("sql").run()

    return open_


def read(app, desk, lang="en"):
    """Press the button and wait for the end of the job; the page would notice by itself."""
    button(app, "Read candles", lang).click().run()
    deadline = time.monotonic() + 60
    while (job := desk.jobs.list()[0]).active and time.monotonic() < deadline:
        time.sleep(0.02)
    assert job.kind == "query"
    return app.run()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_table_is_chosen_looked_at_read_and_used(page, desk, lang):
    app = page(lang)
    assert button(app, "Read candles", lang).disabled
    find_field(app, keys.SQL_TABLE, "market").select("candles").run()
    assert len(app.dataframe[0].value) == 20
    assert find_field(app, keys.SQL_COLUMN, "market", "candles", "volume").value == "vol"
    assert button(app, "Read candles", lang).disabled
    find_field(app, keys.SQL_SYMBOL, "market", "candles", "ticker").select("600519").run()
    app = read(app, desk, lang)
    assert not app.error
    assert {metric.label: metric.value for metric in app.metric}[translate("Candles", lang)] == "300"
    button(app, "Use this data set", lang).click().run()
    assert translate("This data set is in use.", lang) in page_text(app)
    (info,) = desk.candles.list()
    assert (info.name, info.source) == ("600519", "sql")


def test_a_query_runs_when_asked_and_its_faults_are_repaired_as_chosen(page, desk):
    app = page()
    find_field(app, keys.SQL_WAY, "market").set_value("query").run()
    query = "SELECT trade_date AS moved, open, high, low, close FROM candles WHERE ticker = 'AAPL'"
    find_field(app, keys.SQL_QUERY, "market").set_value(query).run()
    assert not app.dataframe
    button(app, "Show the first rows").click().run()
    assert len(app.dataframe[0].value) == 20
    assert button(app, "Read candles").disabled
    find_field(app, keys.SQL_COLUMN, "market", query, "timestamp").select("moved").run()
    app = read(app, desk)
    assert "in row 8 high" in page_text(app)
    assert desk.candles.list() == []


def test_a_range_and_a_zone_are_kept_to(page, desk):
    app = page()
    find_field(app, keys.SQL_TABLE, "market").select("candles").run()
    find_field(app, keys.SQL_SYMBOL, "market", "candles", "ticker").select("600519").run()
    find_field(app, keys.SQL_FROM, "market", "candles").set_value(pd.Timestamp("2024-02-01").date()).run()
    find_field(app, keys.SQL_TO, "market", "candles").set_value(pd.Timestamp("2024-03-31").date()).run()
    find_field(app, keys.SQL_ZONE, "market", "candles").select("Asia/Shanghai").run()
    app = read(app, desk)
    (info,) = desk.candles.list()
    saved = desk.candles.get(info.id).candles
    assert (len(saved), saved.timezone, str(saved.timestamps[-1].date())) == (60, "Asia/Shanghai", "2024-03-31")


@pytest.mark.parametrize("query", ["DELETE FROM candles", "SELECT nosuch FROM candles"])
def test_a_query_that_is_refused_says_why(page, query):
    app = page()
    find_field(app, keys.SQL_WAY, "market").set_value("query").run()
    find_field(app, keys.SQL_QUERY, "market").set_value(query).run()
    button(app, "Show the first rows").click().run()
    assert query.split()[1] in app.error[0].value or query.split()[0] in app.error[0].value


def test_a_database_that_does_not_answer_is_told_without_its_address(page):
    app = page()
    find_field(app, keys.SQL_CONNECTION).select("gone").run()
    assert "“gone” cannot be opened" in app.error[0].value
    shown = page_text(app) + "".join(str(one.proto) for one in app.main)
    assert "s3cret" not in shown
    assert "127.0.0.1" not in shown
    assert button(app, "Try again")


def test_without_a_named_database_the_page_says_how_to_name_one(open_page):
    app = open_page("data").segmented_control[0].set_value("sql").run()
    assert "No database is connected" in page_text(app)
    assert "secrets.toml" in page_text(app)


def test_a_link_opens_on_its_database(page, desk):
    first = page()
    find_field(first, keys.SQL_TABLE, "market").select("candles").run()
    find_field(first, keys.SQL_SYMBOL, "market", "candles", "ticker").select("AAPL").run()
    read(first, desk)
    app = page(job=desk.jobs.list()[0].id)
    assert app.segmented_control[0].value == "sql"
    assert find_field(app, keys.SQL_TABLE, "market").value == "candles"
    assert "in row 8 high" in page_text(app)
    app.segmented_control[0].set_value("yahoo").run()
    assert not app.error


def test_a_cancelled_reading_keeps_nothing(page, desk):
    app = page()
    find_field(app, keys.SQL_WAY, "market").set_value("query").run()
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000000) "
        "SELECT i AS time, 1 AS open, 1 AS high, 1 AS low, 1 AS close FROM n"
    )
    find_field(app, keys.SQL_QUERY, "market").set_value(endless).run()
    button(app, "Show the first rows").click().run()
    button(app, "Read candles").click().run()
    job_id = desk.jobs.list()[0].id
    assert "rows so far" in page_text(app)
    desk.jobs.cancel(job_id)
    assert desk.jobs.wait(job_id, 30).status == "cancelled"
    app.run()
    assert "was cancelled" in page_text(app)
    assert desk.candles.list() == []
