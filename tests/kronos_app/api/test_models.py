"""Models made here, through the API."""

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient


@pytest.fixture
def client(tuned_desk):
    from kronos_app.api.app import create_api

    api = create_api(lambda: tuned_desk, tuned_desk.settings)
    return TestClient(Starlette(routes=[Mount("/api", app=api)]), raise_server_exceptions=False)


@pytest.fixture
def run(client):
    [run] = client.get("/api/v1/runs").json()["runs"]
    return run


def register(client, run, name="mine", **fields):
    return client.post(f"/api/v1/runs/{run['id']}/register", json={"name": name, **fields})


def test_a_finished_run_has_scores_a_report_and_a_log(client, run):
    assert (run["state"], run["progress"]) == ("finished", 1.0)
    assert {"tuned", "base"} <= set(run["scores"])
    assert isinstance(run["verdict"], str)
    report = client.get(f"/api/v1/runs/{run['id']}/report").json()
    assert isinstance(report["validation"]["verdict"], str)
    rows = client.get(f"/api/v1/runs/{run['id']}/log").json()["stages"]["predictor"]
    assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3, 4, 5, 6]
    assert all(None not in row.values() for row in rows)


def test_a_model_is_registered_and_forecast_with(client, run, tuned_desk):
    made = register(client, run, note="a first try")
    assert made.status_code == 201, made.text
    assert made.json()["model"] == "mine@1"
    assert made.json()["note"] == "a first try"
    models = {one["name"]: one for one in client.get("/api/v1/models").json()["models"]}
    assert models["mine"]["registered"] == "mine@1"
    assert models["tiny"]["registered"] is None
    [candles] = tuned_desk.candles.list()
    wanted = {"candles_id": candles.id, "model": "mine@1", "lookback": 30, "horizon": 4, "samples": 3}
    accepted = client.post("/api/v1/forecasts", json=wanted)
    assert accepted.status_code == 202, accepted.text
    job = tuned_desk.jobs.wait(accepted.json()["job_id"], 60)
    forecast = client.get(f"/api/v1/forecasts/{job.result_id}").json()
    assert forecast["provenance"]["digest"] == made.json()["digest"]


def test_versions_are_promoted_retired_restored_compared_and_deleted(client, run):
    for _ in range(2):
        register(client, run)
    at = "/api/v1/registry/mine"
    assert client.post(f"{at}/1/promote").json()["state"] == "promoted"
    assert client.get(f"{at}/1").json()["state"] == "promoted"
    assert client.post(f"{at}/1/retire").json()["state"] == "retired"
    assert client.post(f"{at}/1/promote").status_code == 409
    assert client.post(f"{at}/1/restore").json()["state"] == "candidate"
    compared = client.get(f"{at}/1/compare/mine/2").json()
    assert [one["model"] for one in compared["models"]] == ["mine@1", "mine@2"]
    assert "created" in {one["field"] for one in compared["differences"]}
    assert [one["version"] for one in client.get("/api/v1/registry").json()["models"]] == [2, 1]
    assert client.delete(f"{at}/1").status_code == 204
    assert client.get(f"{at}/1").status_code == 404


def test_what_cannot_be_registered_is_refused_in_words(client, run, refused):
    assert refused(register(client, run, "../x"), 422)["code"] == "model_name"
    assert refused(register(client, run, "tiny"), 422)["code"] == "model_name_taken"
    assert refused(register(client, run, "x" * 41), 422)["code"] == "invalid_field"
    assert refused(client.get("/api/v1/registry/mine/0"), 422)["code"] == "invalid_field"
    assert refused(client.post("/api/v1/registry/nobody/1/promote"), 404)["code"] == "model_version_not_found"


def test_a_run_can_be_compared_with_itself_and_not_with_nobody(client, run, refused):
    compared = client.get("/api/v1/runs/compare", params={"run_id": [run["id"], run["id"]]}).json()
    assert compared["differences"] == []
    assert refused(client.get("/api/v1/runs/compare", params={"run_id": ["x"]}), 404)["code"] == "run_not_found"
