"""Backtests through the API: plan, start, follow, read, resume, delete."""

import io

import pandas as pd
import pytest


@pytest.fixture
def body(upload, make_frame):
    candles = upload(make_frame(60, freq="B"), "AA.csv").json()["id"]
    least = {"model": "tiny", "lookback": 24, "horizon": 4, "every": 5, "samples": 2, "random_signals": 20}
    return {"data": {"kind": "candle_sets", "candle_sets": [candles]}, "rule": "single", **least}


def test_a_backtest_is_planned_started_followed_read_and_deleted(client, body, finished, run_to_end, refused):
    plan = client.post("/api/v1/backtests/plan", json=body).json()
    assert plan == {"instruments": 1, "forecasts": 8, "seconds": None, "notes": []}
    address = run_to_end("/api/v1/backtests", body)
    found = client.get(address).json()
    assert (found["state"], found["progress"], found["request"]["model"]) == ("finished", 1.0, "tiny")
    assert found["verdict"].startswith("Beats ")
    assert client.get("/api/v1/backtests").json()["backtests"] == [found]
    report = client.get(f"{address}/report").json()
    assert report["verdict"] == found["verdict"]
    assert report["figures"] == found["figures"]
    daily = pd.read_csv(io.StringIO(client.get(f"{address}/tables/daily").text))
    assert len(daily) == report["figures"]["days"]
    assert refused(client.get(f"{address}/tables/secrets"), 422)["code"] == "invalid_field"
    assert refused(client.post(f"{address}/resume"), 409)["code"] == "backtest_finished"
    assert client.get(address, headers={"Accept-Language": "zh-CN"}).json()["verdict"] != found["verdict"]
    dealt = pd.read_csv(io.StringIO(client.get(f"{address}/tables/trades").text)).iloc[0]
    asked = {"instrument": dealt["instrument"], "day": dealt["day"]}
    accepted = client.post(f"{address}/behind", json=asked)
    assert accepted.status_code == 202, accepted.text
    assert finished(accepted.json()["job_id"]).status == "succeeded"
    behind = client.post(f"{address}/behind", json=asked).json()
    assert behind["day"] < asked["day"] <= behind["actual"]["timestamps"][0]
    assert (behind["rank"], behind["among"], len(behind["bands"]["low_90"])) == (1, 1, 4)
    unknown = asked | {"instrument": "../AA"}
    assert refused(client.post(f"{address}/behind", json=unknown), 404)["code"] == "no_signal"
    zoned = asked | {"day": "2024-04-01T00:00:00Z"}
    assert refused(client.post(f"{address}/behind", json=zoned), 422)["code"] == "invalid_field"
    assert refused(client.get("/api/v1/backtests/compare"), 422)["code"] == "invalid_field"
    again = client.post("/api/v1/backtests", json=body | {"threshold": 0.01}).json()
    finished(again["job_id"])
    both = {"backtest_id": [found["id"], again["id"]]}
    compared = client.get("/api/v1/backtests/compare", params=both).json()
    assert [one["id"] for one in compared["backtests"]] == both["backtest_id"]
    assert compared["differences"] == [{"field": "threshold", "values": [0.0, 0.01]}]
    assert compared["curves"][found["id"]] == {name: report["curves"][name] for name in ("day", "strategy")}
    assert client.delete(address).status_code == 204
    assert refused(client.get(address), 404)["code"] == "backtest_not_found"


def test_one_is_cancelled_by_its_job_and_resumed(client, body, refused, run_cancelled, check_resume):
    address = run_cancelled("backtest", "/api/v1/backtests", body)
    assert client.get(f"{address}/report").json() is None
    assert "no result" in refused(client.get(f"{address}/tables/trades"), 422)["message"]
    check_resume(address)


def test_what_is_wrong_with_a_request_is_named(client, body, refused):
    address = "/api/v1/backtests"
    assert "topk" in refused(client.post(address, json=body | {"topk": 0}), 422)["message"]
    assert refused(client.post(address, json=body | {"model": "x"}), 404)["code"] == "unknown_model"
    assert refused(client.post(address, json=body | {"signal": "secret"}), 422)["code"] == "invalid_field"
    assert refused(client.post(address, json=body | {"folder": "/"}), 422)["code"] == "invalid_field"
    assert refused(client.post(address, json=body | {"benchmark": "../x"}), 422)["code"] == "unknown_benchmark"
    assert refused(client.post(f"{address}/plan", json=body | {"lookback": 100}), 422)["code"] == "window_too_long"
    for name in ("nobody", "..%2F..", "0123456789ab"):
        assert client.get(f"{address}/{name}").status_code == 404


def test_every_address_asks_for_the_token(statuses_without_token):
    assert statuses_without_token("/v1/backtests") == [401] * 10
