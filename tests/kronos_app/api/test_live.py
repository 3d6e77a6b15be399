"""Follows and the ledger over REST."""

import pytest
from pydantic import SecretStr

from tests.growing_market import GrowingSource, family

BTC = {"source": "binance", "symbol": "BTC/USDT", "interval": "1h", "model": "tiny"}
SMALL = {"lookback": 40, "horizon": 4, "samples": 4}
FOLLOWS, LEDGER = "/api/v1/follows", "/api/v1/ledger"


@pytest.fixture
def source(clock):
    return GrowingSource(clock)


@pytest.fixture
def desk(open_desk, settings, make_spec, clock, source):
    desk = open_desk(settings, {"tiny": make_spec()}, [family(source)], clock=clock)
    desk.jobs.start()
    return desk


@pytest.fixture
def look(desk, finished):
    """Return a function that lets one follow be looked at."""

    def look():
        desk.following.tick()
        return finished(desk.jobs.list()[0].id)

    return look


def follow(client, **fields):
    answer = client.post(FOLLOWS, json=BTC | SMALL | fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_follow_is_added_looked_at_and_told(client, look):
    added = follow(client)
    assert (added["state"], added["made"], added["cadence"]) == ("on", 0, 900)
    job = look()
    told = client.get(f"{FOLLOWS}/{added['follow_id']}").json()
    assert (told["made"], told["forecast_id"], told["last_candle"]) == (1, job.result_id, "2026-03-09T11:00:00")
    assert told["next_run"] == "2026-03-09T12:15:15Z"
    assert client.get(FOLLOWS).json()["follows"] == [told]
    assert client.get(f"/api/v1/forecasts/{job.result_id}").status_code == 200


def test_a_failure_is_told_in_the_callers_language(client, look, source):
    added = follow(client)
    source.fault = "offline"
    look()
    told = client.get(f"{FOLLOWS}/{added['follow_id']}", headers={"Accept-Language": "zh-CN"}).json()
    assert (told["state"], told["failures"], told["error"]["code"]) == ("failing", 1, "offline")
    assert told["error"]["hint"]


def test_a_follow_is_switched_off_on_and_deleted(client, refused):
    address = f"{FOLLOWS}/{follow(client)['follow_id']}"
    assert client.patch(address, json={"active": False}).json()["state"] == "off"
    assert refused(client.post(f"{address}/look"), 409)["code"] == "follow_is_off"
    assert client.patch(address, json={"active": True}).json()["state"] == "on"
    assert client.post(f"{address}/look").status_code == 202
    assert client.delete(address).status_code == 204
    assert refused(client.get(address), 404)["code"] == "follow_not_found"
    assert refused(client.delete(address), 404)["code"] == "follow_not_found"


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"source": "nowhere"}, 404, "unknown_source"),
        ({"model": "none"}, 404, "unknown_model"),
        ({"cadence": 1}, 422, "cadence_too_short"),
        ({"cadence": 10**9}, 422, "invalid_field"),
        ({"cutoff": "2026-01-01T00:00:00"}, 422, "invalid_field"),
        ({"candles_id": "x"}, 422, "invalid_field"),
        ({"symbol": ""}, 422, "invalid_field"),
    ],
)
def test_what_cannot_be_followed_is_refused(client, refused, fields, status, code):
    assert refused(client.post(FOLLOWS, json=BTC | SMALL | fields), status)["code"] == code


def test_the_ledger_lists_what_was_made_and_what_it_was_worth(client, look, clock):
    added = follow(client)
    for _ in range(6):
        look()
        clock.forward(hours=1)
    told = client.get(LEDGER, params={"follow_id": added["follow_id"], "limit": 2}).json()
    assert told["count"] == 6
    assert [entry["state"] for entry in told["entries"]] == ["pending", "partial"]
    graded = client.get(LEDGER, params={"state": ["graded"]}).json()["entries"]
    assert [entry["matched"] for entry in graded] == [4, 4]
    one = client.get(f"{LEDGER}/{graded[0]['forecast_id']}").json()
    assert one == graded[0]
    assert one["grade"]["scores"]["model"]["crps"] > 0


def test_the_summary_has_the_record_of_each_model_and_symbol(client, look, clock):
    follow(client, horizon=1)
    for _ in range(8):
        look()
        clock.forward(hours=1)
    told = client.get(f"{LEDGER}/summary").json()
    assert told["waiting"] == 1
    assert told["total"]["forecasts"] == told["total"]["apart"] == 7
    assert [(group["model"], group["symbol"]) for group in told["groups"]] == [("tiny", "BTC/USDT")]
    assert set(told["total"]["skill"]) == {"last_close", "drift", "ewma"}
    assert told["total"]["verdict"]
    assert len(told["running"]) == 7
    assert set(told["running"][-1]["coverage"]["0.8"]) == {"share", "low", "high"}
    chinese = client.get(f"{LEDGER}/summary", headers={"Accept-Language": "zh"}).json()
    assert chinese["total"]["verdict"] != told["total"]["verdict"]


def test_an_empty_ledger_is_an_answer(client, refused):
    assert client.get(LEDGER).json() == {"count": 0, "entries": []}
    empty = {"waiting": 0, "static": 0, "total": None, "groups": [], "running": []}
    assert client.get(f"{LEDGER}/summary").json() == empty
    assert refused(client.get(f"{LEDGER}/nothing"), 404)["code"] == "ledger_entry_not_found"
    assert refused(client.get(LEDGER, params={"state": "other"}), 422)["code"] == "invalid_field"
    assert refused(client.get(LEDGER, params={"limit": 0}), 422)["code"] == "invalid_field"


def test_every_address_asks_for_the_token(settings, desk, serve, refused):
    client = serve(settings.model_copy(update={"api_token": SecretStr("secret")}))
    for method, path in [
        ("GET", FOLLOWS), ("POST", FOLLOWS), ("GET", f"{FOLLOWS}/x"), ("PATCH", f"{FOLLOWS}/x"),
        ("POST", f"{FOLLOWS}/x/look"), ("DELETE", f"{FOLLOWS}/x"), ("GET", LEDGER), ("GET", f"{LEDGER}/summary"),
        ("GET", f"{LEDGER}/x"),
    ]:  # fmt: skip
        assert refused(client.request(method, path), 401)["code"] == "unauthorized"


def test_hostile_ids_are_unknown_ones(client, refused):
    for name in ("%00", "é", "'", "a" * 5000):
        refused(client.get(f"{FOLLOWS}/{name}"), 404)
        refused(client.get(f"{LEDGER}/{name}"), 404)
    assert client.get(LEDGER, params={"symbol": "' OR '1'='1"}).json()["count"] == 0
