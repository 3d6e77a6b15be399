"""Which addresses the administrator's list allows, however they are written."""

import pytest

from training.errors import ConfigError
from training.run.addresses import Address, AddressPolicy

ALLOWED = ("https://mlflow.example.com", "http://10.0.0.5:5000/team", "http://[::1]:5000")


def refused(address, environment=None, allowed=ALLOWED):
    with pytest.raises(ConfigError, match=r"track\.mlflow_uri"):
        AddressPolicy.of(allowed, environment or {}).check("track.mlflow_uri", address)


@pytest.mark.parametrize(
    "address",
    [
        "https://mlflow.example.com",
        "https://MLFLOW.example.com:443/",
        "https://mlflow.example.com./some/folder",
        "http://10.0.0.5:5000/team",
        "http://10.0.0.5:5000/team/a",
        "http://[::1]:5000",
    ],
)
def test_what_the_list_names_is_allowed(address):
    AddressPolicy.of(ALLOWED, {}).check("track.mlflow_uri", address)


@pytest.mark.parametrize(
    "address",
    [
        "http://mlflow.example.com",
        "https://mlflow.example.com:8443",
        "https://mlflow.example.com.evil.example",
        "https://evil.example/mlflow.example.com",
        "https://mlflow.example.com@evil.example",
        "https://evil.example\\@mlflow.example.com",
        "https://evil.example#@mlflow.example.com",
        "https://evil.example?mlflow.example.com",
        "https://user:secret@mlflow.example.com",
        "https://mlflow.example.com%40evil.example",
        "https://mlflow.example.com\n.evil.example",
        "https://mlflow.ex\u0430mple.com",
        "http://10.0.0.5:5000",
        "http://10.0.0.5:5000/teams",
        "http://10.0.0.5:5000/team/../other",
        "http://10.0.0.5:5000/team/%2e%2e/other",
        "http://10.0.0.5:5000/team/%252e%252e/other",
        "http://167772165:5000/team",
        "http://0x0a.0.0.5:5000/team",
        "http://127.0.0.1:5000",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:10.0.0.5]:5000/team",
        "http://mlflow.example.com:notaport",
        "file:///etc/passwd",
        "ftp://mlflow.example.com",
        "//mlflow.example.com",
        "mlruns",
        "",
    ],
)
def test_everything_else_is_refused(address):
    refused(address)
    refused(address, allowed=())


def test_the_administrators_tracking_server_is_allowed_without_a_list():
    policy = AddressPolicy.of((), {"MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"})
    policy.check("track.mlflow_uri", "http://127.0.0.1:5000/")
    assert policy.gets_credentials("http://127.0.0.1:5000/")
    refused("http://127.0.0.1:5001", {"MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"}, ())


def test_in_a_terminal_every_server_is_allowed():
    policy = AddressPolicy.of(None, {"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"})
    policy.check("track.mlflow_uri", "http://127.0.0.1:5000")
    assert policy.gets_credentials("http://127.0.0.1:5000")
    with pytest.raises(ConfigError):
        policy.check("track.mlflow_uri", "ftp://127.0.0.1")


@pytest.mark.parametrize("written", ["https://mlflow.example.com", '["ftp://x"]', "7"])
def test_a_list_that_cannot_be_read_allows_nothing(monkeypatch, written):
    monkeypatch.setenv("KRONOS_ALLOWED_ADDRESSES", written)
    with pytest.raises(ConfigError, match="KRONOS_ALLOWED_ADDRESSES"):
        AddressPolicy.from_environment()


def test_a_secret_in_an_address_is_not_repeated():
    with pytest.raises(ConfigError) as caught:
        AddressPolicy.of(None, {}).check("track.mlflow_uri", "https://user:secret@mlflow.example.com")
    assert "secret" not in str(caught.value)
    assert Address.parse("https://a.example/b").path == ("b",)
