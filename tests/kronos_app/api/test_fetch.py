"""Candles fetched through the API, over a market without a network."""

import pytest

from kronos_app.services.desk import Desk
from tests.fake_market import FakeSource, family

AAPL = {"source": "yahoo", "symbol": "AAPL", "start": "2024-01-01"}


@pytest.fixture
def source():
    return FakeSource()


@pytest.fixture
def desk(settings, make_spec, source):
    desk = Desk(settings, {"tiny": make_spec()}, [family(source)])
    desk.start()
    yield desk
    desk.close()


@pytest.fixture
def fetch(client, finished):
    """Return a function that fetches and returns the job at its end."""

    def fetch(**fields):
        answer = client.post("/api/v1/candles/fetch", json=AAPL | fields)
        assert answer.status_code == 202, answer.text
        job = client.get(answer.headers["location"]).json()
        assert job["job_id"] == answer.json()["job_id"]
        finished(job["job_id"])
        return client.get(f"/api/v1/jobs/{job['job_id']}").json()

    return fetch


def test_a_fetch_ends_as_a_candle_set(fetch, client, source):
    job = fetch(options={"adjustment": "none"})
    assert (job["status"], job["forecast_id"]) == ("succeeded", None)
    told = client.get(f"/api/v1/candles/{job['candles_id']}").json()
    assert (told["rows"], told["name"], told["source"], told["timezone"]) == (300, "AAPL", "yahoo", "America/New_York")
    (request,) = source.requests
    assert (request.start.isoformat(), request.interval) == ("2024-01-01T00:00:00+00:00", "1d")
    assert request.options == {"adjustment": "none"}


def test_faults_are_refused_until_a_repair_is_chosen(fetch, client, source):
    source.dirty = True
    refused = fetch()
    assert (refused["status"], refused["candles_id"]) == ("failed", None)
    assert "row 8" in refused["error"]["message"]
    assert client.get(f"/api/v1/candles/{fetch(repair='drop')['candles_id']}").json()["rows"] == 299


@pytest.mark.parametrize(("said", "kept"), [("XLON", "XLON"), ("learned", None)])
def test_a_fetch_takes_the_calendar_that_is_said(fetch, client, said, kept):
    told = client.get(f"/api/v1/candles/{fetch(calendar=said)['candles_id']}").json()
    assert told["calendar"] == kept


def test_a_failure_is_told_in_the_job(fetch, source):
    source.fault = "rate_limited"
    assert fetch()["error"] == {
        "code": "rate_limited",
        "message": "The fake market says 429.",
        "hint": "Wait a minute, then fetch again.",
    }


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"source": "mtgox"}, 404, "unknown_source"),
        ({"symbol": " "}, 422, "no_symbol"),
        ({"end": "2023-01-01"}, 422, "empty_range"),
        ({"start": "soon"}, 422, "invalid_field"),
        ({"options": {"adjustment": 1}}, 422, "invalid_field"),
        ({"repair": "pray"}, 422, "invalid_field"),
        ({"calendar": "MARS"}, 422, "unknown_calendar"),
    ],
)
def test_what_cannot_be_fetched_is_refused_at_once(client, refused, fields, status, code):
    assert refused(client.post("/api/v1/candles/fetch", json=AAPL | fields), status)["code"] == code
