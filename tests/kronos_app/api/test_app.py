import re
from threading import Event

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from kronos_app.api.app import create_api
from kronos_app.api.routes import status
from kronos_app.settings import Settings, check_settings
from kronos_app.web.responses import language_of


@pytest.fixture
def guarded(desk, tmp_path):
    """Return a client of an API that asks for a token."""
    settings = Settings(home=tmp_path, api_token=SecretStr("gehêim"))
    return TestClient(create_api(lambda: desk, settings))


PARTS = {"status": "ok", "version": "0.1.0", "store": "up", "workers": "up"}
TOKEN = {"Authorization": "Bearer gehêim".encode()}


def test_health_says_which_parts_are_up_and_more_only_with_the_token(client, guarded):
    assert (client.get("/api/v1/health").status_code, client.get("/api/v1/health").json()) == (200, PARTS)
    assert guarded.get("/v1/health").json() == PARTS
    assert guarded.get("/v1/health", headers={"Authorization": "Bearer wrong"}).json() == PARTS
    details = {"store_notice": None, "bundled_model": True}
    assert guarded.get("/v1/health", headers=TOKEN).json() == PARTS | details


def test_health_answers_503_and_names_the_part_that_is_down(guarded, desk, monkeypatch):
    desk.jobs.stop()
    response = guarded.get("/v1/health")
    assert (response.status_code, response.json()) == (503, PARTS | {"status": "failing", "workers": "down"})
    desk.store.close()
    response = guarded.get("/v1/health", headers=TOKEN)
    assert response.status_code == 503
    assert response.json() == PARTS | {
        "status": "failing",
        "store": "down",
        "workers": "down",
        "store_notice": "The database was closed. Start Kronos Desk again.",
        "bundled_model": True,
    }


def test_health_does_not_wait_for_a_store_that_hangs(guarded, desk, monkeypatch):
    hanging = Event()
    monkeypatch.setattr(status, "SECONDS_TO_ANSWER", 0.1)
    monkeypatch.setattr(desk.store.jobs, "list", lambda **_: hanging.wait(30))
    response = guarded.get("/v1/health")
    hanging.set()
    assert (response.status_code, response.json()["store"]) == (503, "down")


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
    assert guarded.get("/v1/models", headers=TOKEN).status_code == 200


def test_a_path_without_a_route_asks_for_the_token_too(guarded, refused):
    refused(guarded.get("/v1/anything"), 401)
    refused(guarded.get("/v1/anything", headers=TOKEN), 404)


def test_with_a_password_and_no_token_the_api_is_closed_and_says_what_to_set(desk, settings, refused):
    client = TestClient(create_api(lambda: desk, settings, lambda: True))
    for headers in ({}, {"Authorization": "Bearer guess"}):
        error = refused(client.get("/v1/models", headers=headers), 401)
        assert error["code"] == "api_closed"
        assert "KRONOS_API_TOKEN" in error["hint"]
    assert client.get("/v1/health").status_code == 200


def test_guessing_the_token_is_logged_without_it_and_refused_for_a_minute(guarded, refused, caplog):
    wrong = {"Authorization": "Bearer hunter2"}
    for _ in range(10):
        assert refused(guarded.get("/v1/models", headers=wrong), 401)["code"] == "unauthorized"
    response = guarded.get("/v1/models", headers=wrong)
    assert refused(response, 429)["code"] == "too_many_attempts"
    assert 1 <= int(response.headers["retry-after"]) <= 60
    refused(guarded.get("/v1/models", headers=TOKEN), 429)  # else the right guess would show all the same
    assert guarded.get("/v1/health", headers=TOKEN).json() == PARTS
    assert caplog.text.count("Wrong API token from") == 10
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("name", ["KRONOS_API_TOKEN", "KRONOS_PASSWORD"])
@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_secret_stops_the_start_and_says_what_to_do(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as caught:
        check_settings()
    assert f"{name}: The value is empty. Set a secret, or remove the variable." in str(caught.value)


def test_names_in_settings_are_written_with_commas(monkeypatch):
    monkeypatch.setenv("KRONOS_ALLOWED_HOSTS", "desk.example.com, *.lan,")
    assert Settings().allowed_hosts == ["desk.example.com", "*.lan"]


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
