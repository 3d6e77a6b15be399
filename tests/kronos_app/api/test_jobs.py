import pytest
from starlette.testclient import TestClient

from kronos_app.api.app import create_api
from kronos_app.services.desk import Desk


@pytest.fixture
def idle(settings, make_spec):
    """Return a desk that is not started, so that jobs stay queued."""
    desk = Desk(settings, {"tiny": make_spec()})
    yield desk
    desk.close()


@pytest.fixture
def queued(idle, settings, make_frame):
    """Return a client and the address of a job that waits."""
    client = TestClient(create_api(lambda: idle, settings))
    content = make_frame(60).to_csv(index=False).encode()
    candles_id = client.post("/v1/candles", files={"file": ("a.csv", content)}).json()["id"]
    body = {"candles_id": candles_id, "model": "tiny", "lookback": 40, "horizon": 8, "samples": 2}
    accepted = client.post("/v1/forecasts", json=body)
    assert accepted.json()["status"] == "queued"
    return client, f"/v1/jobs/{accepted.json()['job_id']}"


def test_a_waiting_job_is_queued(queued):
    client, address = queued
    job = client.get(address).json()
    assert (job["status"], job["progress"], job["forecast_id"], job["error"]) == ("queued", 0.0, None, None)


def test_a_job_is_cancelled_by_delete(queued):
    client, address = queued
    assert client.delete(address).json()["status"] == "cancelled"
    assert client.get(address).json()["status"] == "cancelled"
    assert client.delete(address).status_code == 200


def test_a_failed_job_tells_why_in_the_callers_language(queued, idle, finished):
    client, address = queued
    idle.candles.delete(idle.candles.list()[0].id)
    idle.start()
    while client.get(address).json()["status"] in {"queued", "running"}:
        pass
    error = client.get(address).json()["error"]
    assert error["code"] == "candles_not_found"
    assert "deleted" in error["hint"]
