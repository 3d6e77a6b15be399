import pytest
from starlette.testclient import TestClient


@pytest.fixture
def api(desk, settings):
    from kronos_app.api.app import create_api

    return create_api(lambda: desk, settings)


@pytest.fixture
def client(api):
    """Return a client of the API as it is served: mounted under /api."""
    return _mounted(api)


@pytest.fixture
def serve(desk):
    """Return a function that makes a client of the API with other settings than usual."""
    from kronos_app.api.app import create_api

    return lambda settings: _mounted(create_api(lambda: desk, settings))


def _mounted(api):
    from starlette.applications import Starlette
    from starlette.routing import Mount

    return TestClient(Starlette(routes=[Mount("/api", app=api)]), raise_server_exceptions=False)


@pytest.fixture
def upload(client):
    """Return a function that uploads bytes, or a frame as CSV."""

    def upload(content, filename="walk.csv", **fields):
        body = content if isinstance(content, bytes) else content.to_csv(index=False).encode()
        return client.post("/api/v1/candles", files={"file": (filename, body)}, data=fields)

    return upload


@pytest.fixture
def run_to_end(client, finished):
    """Return a function that starts a record at an address, waits for its job and returns the address of the record."""

    def run_to_end(address, body):
        started = client.post(address, json=body)
        assert started.status_code == 202, started.text
        job_id = started.json()["job_id"]
        assert client.get(f"/api/v1/jobs/{job_id}").status_code == 200
        finished(job_id)
        return f"{address}/{started.json()['id']}"

    return run_to_end


@pytest.fixture
def run_cancelled(client, desk, finished, monkeypatch):
    """Return a function that starts a record whose handler hangs, cancels its job and returns the record's address."""

    def hang(_job, on_step):
        while True:
            on_step(1, 8)

    def run_cancelled(kind, address, body):
        with monkeypatch.context() as patch:
            patch.setitem(desk.jobs._handlers, kind, hang)
            started = client.post(address, json=body).json()
            client.delete(f"/api/v1/jobs/{started['job_id']}")
            finished(started["job_id"])
        record = f"{address}/{started['id']}"
        assert client.get(record).json()["state"] == "cancelled"
        return record

    return run_cancelled


@pytest.fixture
def check_resume(client, finished):
    """Return a function that resumes the record at an address and checks that it finishes."""

    def check_resume(address):
        resumed = client.post(f"{address}/resume").json()
        assert finished(resumed["job_id"]).status == "succeeded"
        assert client.get(address).json()["state"] == "finished"

    return check_resume


@pytest.fixture
def statuses_without_token(desk, settings):
    """Return a function that sends every request below some paths without the token and returns the statuses."""
    from pydantic import SecretStr

    from kronos_app.api.app import create_api

    api = create_api(lambda: desk, settings.model_copy(update={"api_token": SecretStr("secret")}))
    client = TestClient(api, raise_server_exceptions=False)

    def statuses(*prefixes):
        return [
            client.request(method, path.replace("{version}", "1").replace("{other_version}", "2")).status_code
            for path, methods in api.openapi()["paths"].items()
            if path.startswith(prefixes)
            for method in methods
        ]

    return statuses


@pytest.fixture
def refused():
    """Return a function that checks an answer for the one shape of errors and returns what is in it."""

    def refused(response, status):
        assert response.status_code == status, response.text
        assert set(response.json()) == {"error"}
        error = response.json()["error"]
        assert set(error) == {"code", "message", "hint"}
        assert error["message"]
        assert "Traceback" not in response.text
        return error

    return refused
