"""Candles of a real PostgreSQL, read through the page in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.steps import choose, idle
from tests.servers.postgres import serve

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]
PASSWORD = "S3cret/of the:reader"


@pytest.fixture(scope="module")
def postgres(secrets):
    with serve() as server:
        server.execute(
            "CREATE TABLE daily AS SELECT s AS ts_code, date '2022-01-03' + i AS trade_date, 10.5 AS open, "
            "11.0 AS high, 10.0 AS low, 10.75 AS close, i AS vol FROM generate_series(0, 399) i, "
            "unnest(ARRAY['600519', '000001']) s",
            f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'",
            "GRANT SELECT ON daily TO reader",
        )
        secrets.write_text(f'[connections.warehouse]\nurl = "{server.url("reader", PASSWORD)}"\n')
        yield server
        secrets.unlink()


def test_a_table_is_chosen_read_reloaded_and_used(page, postgres):
    page.goto("/data")
    page.get_by_role("radio", name="SQL database").click()
    idle(page)
    choose(page, page.get_by_label("Table or view", exact=True).first, "daily")
    expect(page.get_by_text("The first 20 rows")).to_be_visible()
    idle(page)
    choose(page, page.get_by_label("Instrument", exact=True).first, "600519")
    page.get_by_role("button", name="Read candles").click()
    expect(page.get_by_role("heading", name="Quality of 600519")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Quality of 600519")).to_be_visible()
    page.get_by_role("button", name="Use this data set").click()
    expect(page.get_by_text("This data set is in use.")).to_be_visible()
    assert PASSWORD not in page.content()


def test_a_query_that_would_write_is_refused_and_one_that_reads_is_shown(page, postgres):
    page.goto("/data")
    page.get_by_role("radio", name="SQL database").click()
    idle(page)
    page.get_by_role("radio", name="Query").click()
    idle(page)
    query = page.get_by_role("textbox", name="Query")
    query.fill("DELETE FROM daily")
    query.press("Control+Enter")
    idle(page)
    page.get_by_role("button", name="Show the first rows").click()
    expect(page.get_by_text("“DELETE” is not allowed: it does more than read.")).to_be_visible()
    query.fill("SELECT trade_date, open, high, low, close FROM daily WHERE ts_code = '000001'")
    query.press("Control+Enter")
    idle(page)
    page.get_by_role("button", name="Show the first rows").click()
    expect(page.get_by_text("Roles of the columns")).to_be_visible()
    idle(page)
    page.get_by_role("button", name="Read candles").click()
    expect(page.get_by_role("heading", name="Quality of warehouse")).to_be_visible()
    assert postgres.execute("SELECT count(*) FROM daily") == [(800,)]
