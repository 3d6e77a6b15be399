"""Every status that a call is answered with is one that the API's description declares for it."""

import re

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from kronos_app.api.app import REFUSALS, create_api
from kronos_app.settings import Settings
from kronos_app.web.page import Page
from kronos_app.web.stack import create_middleware

JSON = {"content-type": "application/json"}
FORM = {"content-type": "multipart/form-data; boundary=x"}
BODIES = [
    ({}, b""),
    (JSON, b"{}"),
    (JSON, b"[]"),
    (JSON, b"{"),
    (JSON, b"\xff\xfe"),
    (JSON, b'{"name": "x", "source": "x", "symbol": "x", "candles_id": "x", "sql": "x", "data": {}, "series": ["x"]}'),
    (JSON, b'{"candles": {"timestamps": ["x"]}, "seed": 1e999}'),
    (FORM, b"--x"),
    (FORM, b'--x\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\n1\r\n--x--\r\n'),
    ({"content-type": "application/x-www-form-urlencoded"}, b"file=1"),
    ({**JSON, "content-length": str(10**9)}, b"{}"),
]
SENDERS = [
    {},
    {"Authorization": "Bearer wrong"},
    {"Authorization": "Bearer token", "Host": "evil.example"},
    {"Authorization": "Basic x", "Origin": "http://evil.example"},
]


def operations():
    paths = create_api(lambda: None, Settings()).openapi()["paths"].items()
    return [(method, path, operation) for path, methods in paths for method, operation in methods.items()]


@pytest.fixture
def serve(desk, tmp_path):
    """Return a function that makes a client of the API behind all middleware, with no wrong guesses counted yet."""
    settings = Settings(home=tmp_path / "web", api_token=SecretStr("token"))

    def serve():
        middleware = create_middleware(settings, lambda: "", lambda _: None, dict, Page(""))
        app = Starlette(routes=[Mount("/api", app=create_api(lambda: desk, settings))], middleware=middleware)
        return TestClient(app, base_url="http://localhost", raise_server_exceptions=False)

    return serve


def statuses_of(client, method, path):
    """Return the statuses that an operation answers to good and bad senders and to bodies of all kinds."""
    address = "/api" + re.sub(r"\{\w+\}", "x", path)
    bodies = BODIES if method != "get" else BODIES[:1]
    calls = [({**headers, "Authorization": "Bearer token"}, body) for headers, body in bodies]
    calls += [(headers, b"") for headers in SENDERS]
    return {client.request(method, address, headers=headers, content=body).status_code for headers, body in calls}


def test_every_status_of_a_call_is_declared(serve):
    undeclared = {}
    for method, path, operation in operations():
        statuses = statuses_of(serve(), method, path)
        assert {401, 421} <= statuses or path == "/v1/health"
        assert 500 not in statuses, (method, path)
        if missing := {str(status) for status in statuses} - set(operation["responses"]):
            undeclared[f"{method} {path}"] = missing
    assert undeclared == {}


def test_every_call_declares_what_any_call_may_be_answered():
    for method, path, operation in operations():
        assert {str(status) for status in REFUSALS} <= set(operation["responses"]), (method, path)
