"""Stored series and watchlists through the API, over a vendor without a network."""

from io import BytesIO, StringIO

import pandas as pd
import pytest

from kronos_app.data.source import FetchRequest
from kronos_app.services.desk import Desk
from tests.fake_market import family
from tests.vendor import HOUR, Vendor

ABC = {"source": "vendor", "symbol": "ABC", "interval": "1h", "adjustment": "none"}


@pytest.fixture
def vendor():
    return Vendor()


@pytest.fixture
def desk(settings, make_spec, vendor):
    desk = Desk(settings, {"tiny": make_spec()}, [family(vendor)], vendor)
    desk.start()
    yield desk
    desk.close()


@pytest.fixture
def stored(desk):
    desk.series.fetch("vendor", FetchRequest("ABC", "1h"))


def listed(client):
    return client.get("/api/v1/series").json()


def test_the_list_says_what_is_stored_and_how_large_it_is(client, stored):
    told = listed(client)
    (one,) = told["series"]
    assert {name: one[name] for name in ABC} == ABC
    assert (one["rows"], one["first"], one["error"], one["note"]) == (1440, "2024-01-01T00:00:00+00:00", None, None)
    assert one["about"]["currency"] == "USD"
    assert told["size_bytes"] == one["size_bytes"] == 1440 * 6 * 8
    assert told["limit_bytes"] == 4_000 * 10**6


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_series_is_exported(client, stored, form, vendor):
    answer = client.get("/api/v1/series/export", params=ABC | {"format": form})
    assert answer.status_code == 200
    assert f"ABC_1h_none.{form}" in answer.headers["content-disposition"]
    table = pd.read_csv(StringIO(answer.text)) if form == "csv" else pd.read_parquet(BytesIO(answer.content))
    assert len(table) == 1440
    assert list(table) == ["timestamp", "open", "high", "low", "close", "volume"]


def test_a_name_that_no_header_carries_is_written_with_other_letters(client, desk):
    desk.series.fetch("vendor", FetchRequest("贵州茅台", "1h"))
    answer = client.get("/api/v1/series/export", params=ABC | {"symbol": "贵州茅台"})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="_____1h_none.csv"'


def test_what_is_not_stored_cannot_be_exported_and_is_deleted_already(client, refused):
    assert refused(client.get("/api/v1/series/export", params=ABC), 404)["code"] == "series_not_found"
    assert client.delete("/api/v1/series", params=ABC).status_code == 204
    refused(client.get("/api/v1/series/export", params={"source": "vendor"}), 422)
    refused(client.get("/api/v1/series/export", params=ABC | {"format": "exe"}), 422)


def test_a_series_is_deleted(client, stored):
    assert client.delete("/api/v1/series", params=ABC).status_code == 204
    assert listed(client)["series"] == []


def test_all_or_some_are_refreshed_in_a_job(client, stored, finished, vendor):
    for body in ({}, {"series": [ABC]}):
        vendor.present += 5 * HOUR
        answer = client.post("/api/v1/series/refresh", json=body)
        assert answer.status_code == 202, answer.text
        assert finished(answer.json()["job_id"]).status == "succeeded"
        job = client.get(answer.headers["location"]).json()
        assert (job["done"], job["total"], job["candles_id"]) == (1, 1, None)
        assert listed(client)["series"][0]["checked"] == vendor.present.isoformat()


def test_a_failed_refresh_is_told_by_its_job_and_by_the_list(client, stored, finished, vendor):
    vendor.fault = "rate_limited"
    job_id = client.post("/api/v1/series/refresh", json={}).json()["job_id"]
    finished(job_id)
    assert client.get(f"/api/v1/jobs/{job_id}").json()["error"]["code"] == "rate_limited"
    error = listed(client)["series"][0]["error"]
    assert (error["code"], error["hint"]) == ("rate_limited", "Wait.")


def test_nothing_and_unknown_series_are_not_refreshed(client, refused):
    assert refused(client.post("/api/v1/series/refresh", json={}), 422)["code"] == "nothing_to_refresh"
    assert refused(client.post("/api/v1/series/refresh", json={"series": [ABC]}), 404)["code"] == "series_not_found"
    unknown = client.post("/api/v1/series/refresh", json={"watchlist": "nobody's"})
    assert refused(unknown, 404)["code"] == "watchlist_not_found"


def test_a_watchlist_is_kept_listed_refreshed_and_deleted(client, finished):
    entry = {"source": "vendor", "symbol": "ABC", "interval": "1h", "options": {}}
    for name in ("沪深", "a/b"):
        kept = client.put(f"/api/v1/watchlists/{name}", json={"entries": [entry, entry]})
        assert kept.status_code == 200, kept.text
        assert kept.json()["entries"] == [entry]
    assert [one["name"] for one in client.get("/api/v1/watchlists").json()["watchlists"]] == ["a/b", "沪深"]
    finished(client.post("/api/v1/series/refresh", json={"watchlist": "沪深"}).json()["job_id"])
    assert len(listed(client)["series"]) == 1
    for name in ("沪深", "a/b", "never"):
        assert client.delete(f"/api/v1/watchlists/{name}").status_code == 204
    assert client.get("/api/v1/watchlists").json() == {"watchlists": []}


def test_a_watchlist_that_cannot_be_is_refused(client, refused):
    wrong = {"source": "mtgox", "symbol": "A", "interval": "1h"}
    assert refused(client.put("/api/v1/watchlists/a", json={"entries": [wrong]}), 404)["code"] == "unknown_source"
    refused(client.put("/api/v1/watchlists/a", json={}), 422)
    refused(client.put("/api/v1/watchlists/" + "x" * 61, json={"entries": []}), 422)
