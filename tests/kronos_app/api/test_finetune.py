"""Fine-tuning through the API: plan, start, follow, end, register."""

import pytest


@pytest.fixture
def body(upload, make_frame, make_config):
    candles = upload(make_frame(300)).json()["id"]
    return {"data": {"kind": "candle_sets", "candle_sets": [candles]}, "config": make_config()}


def test_a_run_is_started_followed_paused_and_discarded(client, desk, body):
    started = client.post("/api/v1/runs", json=body)
    assert started.status_code == 201, started.text
    run = started.json()
    assert (run["name"], run["base"], run["method"], run["stages"]) == ("a run", "tiny", "full", ["predictor"])
    assert set(run) == {
        "id", "name", "created", "request", "state", "phase", "step", "steps", "progress", "loss", "rate", "remaining",
        "queue_position", "base", "method", "stages", "stopped", "notes", "error", "worse", "verdict", "scores",
        "registered",
    }  # fmt: skip
    assert run["state"] in {"running", "queued"}
    assert client.get("/api/v1/runs").json()["runs"][0]["id"] == run["id"]
    assert client.post(f"/api/v1/runs/{run['id']}/pause").status_code == 200
    log = client.get(f"/api/v1/runs/{run['id']}/log").json()
    assert set(log) == {"stages", "looks", "words"}
    assert client.get(f"/api/v1/runs/{run['id']}/report").json() is None
    config = client.get(f"/api/v1/runs/{run['id']}/config")
    assert "lookback: 20" in config.text
    assert str(desk.settings.home) not in config.text
    assert client.post(f"/api/v1/runs/{run['id']}/resume").status_code == 200
    assert client.delete(f"/api/v1/runs/{run['id']}").status_code == 204
    assert client.get(f"/api/v1/runs/{run['id']}").status_code == 404


def test_what_a_run_would_learn_from_is_told_before(client, desk, body):
    plan = client.post("/api/v1/runs/preflight", json=body).json()
    assert plan["preflight"]["splits"]["train"]["windows"] > 0
    assert plan["advice"]["predictor"]["learning_rate"] <= 1e-5
    assert plan["config"]["predictor"]["steps"] == 6
    assert all(isinstance(note, str) for note in plan["notes"])
    assert str(desk.settings.home) not in str(plan)
    assert client.get("/api/v1/runs").json() == {"total": 0, "runs": [], "unreadable": []}


def test_words_of_the_trainer_are_in_the_readers_language(client, body):
    body["config"]["window"] = {"lookback": 200, "horizon": 8}
    answer = client.post("/api/v1/runs/preflight", json=body, headers={"Accept-Language": "zh-CN"})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "window_too_long"


def test_what_is_wrong_with_a_request_is_named(client, body, refused):
    body["config"]["predictor"]["learning_rate"] = 10
    assert "learning_rate" in refused(client.post("/api/v1/runs", json=body), 422)["message"]
    assert refused(client.post("/api/v1/runs", json={}), 422)["code"] == "invalid_field"
    assert refused(client.post("/api/v1/runs", json={"data": {"kind": "magic"}}), 422)["message"].startswith(
        "data.kind"
    )
    assert refused(client.post("/api/v1/runs", json=body | {"folder": "/etc"}), 422)["message"].startswith("folder")
    for way in ("pause", "resume", "stop"):
        assert refused(client.post(f"/api/v1/runs/nobody/{way}"), 404)["code"] == "run_not_found"
    assert refused(client.post("/api/v1/runs/nobody/register", json={"name": "x"}), 404)["code"] == "run_not_found"


def test_a_trial_is_a_job_and_then_an_answer(client, desk, body):
    accepted = client.post("/api/v1/runs/estimate", json=body)
    assert accepted.status_code == 202, accepted.text
    assert accepted.headers["location"].endswith(accepted.json()["job_id"])
    job = desk.jobs.wait(accepted.json()["job_id"], 120)
    assert job.status == "succeeded", job.error
    measured = client.post("/api/v1/runs/estimate", json=body)
    assert measured.status_code == 200
    low, high = measured.json()["total_seconds"]
    assert 0 < low < high
    assert measured.json()["parts"].keys() == {"start", "training", "scoring"}
    assert measured.json()["stages"]["predictor"]["trained"] > 0


def test_every_address_asks_for_the_token(statuses_without_token):
    statuses = statuses_without_token("/v1/runs", "/v1/registry")
    assert len(statuses) > 15
    assert set(statuses) == {401}
