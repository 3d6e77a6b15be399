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
