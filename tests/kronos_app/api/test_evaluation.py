"""Evaluation through the API: plan, start, follow, read, resume, delete."""

import io

import pandas as pd
import pytest


@pytest.fixture
def body(upload, make_frame):
    candles = upload(make_frame(220)).json()["id"]
    least = {"models": ["tiny"], "lookback": 24, "horizon": 4, "n_windows": 20, "samples": 4, "fitted": False}
    return {"data": {"kind": "candle_sets", "candle_sets": [candles]}, **least}


def test_an_evaluation_is_planned_started_followed_read_and_deleted(client, body, run_to_end, refused):
    plan = client.post("/api/v1/evaluations/plan", json=body).json()
    setup = {"lookback": 24, "horizon": 4, "samples": 4, "temperature": 1.0, "top_p": 1.0, "top_k": 0}
    assert plan.pop("setups") == {"tiny": setup | {"driftless": False}}
    assert plan == {"series": 1, "cutoffs": 20, "forecasts": 20, "seconds": None, "notes": []}
    address = run_to_end("/api/v1/evaluations", body)
    found = client.get(address).json()
    assert (found["state"], found["progress"], found["request"]["models"]) == ("finished", 1.0, ["tiny"])
    assert "tiny" in found["verdicts"]["tiny"]
    assert client.get("/api/v1/evaluations").json()["evaluations"] == [found]
    scores = client.get(f"{address}/scores").json()
    assert scores["verdicts"] == found["verdicts"]
    assert set(scores["forecasters"]["tiny"]) == {"figures", "skill", "diebold_mariano"}
    assert "files" not in scores
    table = pd.read_csv(io.StringIO(client.get(f"{address}/cutoffs").text))
    assert len(table) == 20 * len(scores["forecasters"])
    assert refused(client.post(f"{address}/resume"), 409)["code"] == "evaluation_finished"
    assert client.delete(address).status_code == 204
    assert refused(client.get(address), 404)["code"] == "evaluation_not_found"


def test_one_is_cancelled_by_its_job_and_resumed(client, body, run_cancelled, check_resume):
    address = run_cancelled("evaluation", "/api/v1/evaluations", body)
    assert client.get(f"{address}/scores").json() is None
    assert client.get(f"{address}/cutoffs").text == ""
    check_resume(address)


def test_what_is_wrong_with_a_request_is_named(client, body, refused):
    assert "samples" in refused(client.post("/api/v1/evaluations", json=body | {"samples": 0}), 422)["message"]
    assert refused(client.post("/api/v1/evaluations", json=body | {"models": ["x"]}), 404)["code"] == "unknown_model"
    assert refused(client.post("/api/v1/evaluations", json=body | {"models": []}), 422)["code"] == "invalid_field"
    assert refused(client.post("/api/v1/evaluations", json=body | {"folder": "/"}), 422)["code"] == "invalid_field"
    long = client.post("/api/v1/evaluations/plan", json=body | {"lookback": 100})
    assert refused(long, 422)["code"] == "window_too_long"
    for address in ("nobody", "..%2F..", "0123456789ab"):
        assert client.get(f"/api/v1/evaluations/{address}").status_code == 404


def test_every_address_asks_for_the_token(statuses_without_token):
    assert statuses_without_token("/v1/evaluations") == [401] * 8
