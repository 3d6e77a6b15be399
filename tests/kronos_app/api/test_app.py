import re

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from kronos_app.api.app import create_api
from kronos_app.api.errors import language_of
from kronos_app.settings import Settings


@pytest.fixture
def guarded(desk, tmp_path):
    """Return a client of an API that asks for a token."""
    settings = Settings(home=tmp_path, api_token=SecretStr("gehêim"))
    return TestClient(create_api(lambda: desk, settings))


def test_health_tells_version_store_and_model(client):
    told = client.get("/api/v1/health")
    assert told.status_code == 200
    assert told.json() == {"status": "ok", "version": "0.1.0", "store_notice": None, "bundled_model": True}


def test_the_models_are_listed(client):
    (model,) = client.get("/api/v1/models").json()["models"]
    assert (model["name"], model["context"], model["licence"], model["bundled"]) == ("tiny", 64, "MIT", True)
    assert model["description"] == "A tiny random model."


def routes():
    app = create_api(lambda: None, Settings())
    operations = app.openapi()["paths"].items()
    return [(method, re.sub(r"\{\w+\}", "x", path)) for path, methods in operations for method in methods]


@pytest.mark.parametrize(("method", "path"), routes())
def test_every_route_but_health_asks_for_the_token(guarded, refused, method, path):
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}):
        response = guarded.request(method, path, headers=headers)
        if path == "/v1/health":
            assert response.status_code == 200
        else:
            refused(response, 401)
            assert response.headers["www-authenticate"] == "Bearer"


def test_the_right_token_opens(guarded):
    headers = {"Authorization": "Bearer gehêim".encode()}
    assert guarded.get("/v1/models", headers=headers).status_code == 200


def test_the_documentation_needs_no_network(client):
    page = client.get("/api/docs")
    assert page.status_code == 200
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert addresses
    for address in addresses:
        assert address.startswith("/api/"), address
        assert client.get(address).status_code == 200
    assert "/api/openapi.json" in page.text


def test_the_documentation_describes_the_routes_that_forecasts_need(client):
    paths = client.get("/api/openapi.json").json()["paths"]
    assert {(method.upper(), path) for path, methods in paths.items() for method in methods} >= {
        ("GET", "/v1/health"),
        ("GET", "/v1/models"),
        ("POST", "/v1/candles"),
        ("POST", "/v1/candles/fetch"),
        ("GET", "/v1/candles/{candles_id}"),
        ("POST", "/v1/forecasts"),
        ("GET", "/v1/forecasts/{forecast_id}"),
        ("GET", "/v1/jobs/{job_id}"),
        ("DELETE", "/v1/jobs/{job_id}"),
    }


def test_something_unexpected_is_told_in_the_one_shape(settings, refused):
    def broken():
        raise RuntimeError("a secret detail")

    client = TestClient(create_api(broken, settings), raise_server_exceptions=False)
    response = client.get("/v1/health")
    assert refused(response, 500)["code"] == "internal_error"
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh_CN"),
        ("zh", "zh_CN"),
        ("zh-Hans-CN", "zh_CN"),
        ("en-GB,en;q=0.9,zh;q=0.1", "en"),
        ("zh;q=0.2, en;q=0.9", "en"),
        ("de-DE,fr;q=0.5", "en"),
        ("zh;q=0", "en"),
        ("*;q=x,,;;;", "en"),
    ],
)
def test_the_language_is_the_one_the_caller_likes_best(header, language):
    assert language_of(header) == language


def test_an_error_is_told_in_chinese_where_the_catalog_has_it(client, refused):
    from kronos_app.i18n import translate

    response = client.get("/api/v1/jobs/x", headers={"accept-language": "zh-CN"})
    assert refused(response, 404)["message"] == translate("There is no job {id}.", "zh_CN").format(id="x")
