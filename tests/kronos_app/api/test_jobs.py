import pytest
from starlette.testclient import TestClient

from kronos_app.api.app import create_api
from kronos_app.jobs import JobRunner
from kronos_app.services.desk import Desk
from kronos_app.services.forecast.service import ForecastService


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


def test_a_failed_job_tells_why_in_the_callers_language(queued, idle):
    client, address = queued
    idle.candles.delete(idle.candles.list()[0].id)
    idle.start()
    while client.get(address).json()["status"] in {"queued", "running"}:
        pass
    error = client.get(address).json()["error"]
    assert error["code"] == "candles_not_found"
    assert "deleted" in error["hint"]


def test_one_address_fills_half_of_the_queue_and_all_of_it_says_when_to_try_again(idle, settings, make_frame, refused):
    settings = settings.model_copy(update={"max_queued_jobs": 4})
    idle.jobs = JobRunner(idle.store, {"forecast": lambda request, on_step: ""}, settings.max_queued_jobs)
    idle.forecasts = ForecastService(idle.store, idle.jobs, idle.candles, idle.models)
    api = create_api(lambda: idle, settings)
    first, second, third = (TestClient(api, client=(f"10.0.0.{number}", 1)) for number in range(3))
    content = make_frame(60).to_csv(index=False).encode()
    candles_id = first.post("/v1/candles", files={"file": ("a.csv", content)}).json()["id"]

    def submit(client, seed):
        body = {"candles_id": candles_id, "model": "tiny", "lookback": 40, "horizon": 8, "samples": 2, "seed": seed}
        return client.post("/v1/forecasts", json=body)

    assert [submit(first, seed).status_code for seed in (1, 2)] == [202, 202]
    response = submit(first, 3)
    assert (refused(response, 429)["code"], response.headers["retry-after"]) == ("too_many_jobs", "10")
    assert [submit(second, seed).status_code for seed in (4, 5)] == [202, 202]
    response = submit(third, 6)
    assert (refused(response, 409)["code"], response.headers["retry-after"]) == ("queue_full", "10")
