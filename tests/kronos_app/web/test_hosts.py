import pytest
from starlette.websockets import WebSocketDisconnect

from kronos_app.web.hosts import hostname


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8501", "127.0.0.1:8501", "127.9.9.9", "[::1]:8501", "desk.localhost", "localhost."]
)
def test_names_of_this_machine_are_served(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "user@localhost",
        "localhost/x",
        "10.0.0.1",
        "[::2]",
        "",
    ],
)
def test_any_other_host_is_refused_and_the_message_names_the_setting(client, refused, host):
    response = client.get("/", headers={"Host": host})
    assert refused(response, 421) == "unknown_host"
    assert "KRONOS_ALLOWED_HOSTS" in response.text


@pytest.mark.parametrize("host", ["10.0.0.7:8501", "evil.example", ""])
def test_probes_of_a_cluster_learn_under_any_host_whether_the_server_lives(client, host):
    assert client.get("/_stcore/health", headers={"Host": host}).status_code == 200
    assert client.post("/api/v1/health", headers={"Host": host}).status_code == 421
    assert client.get("/_stcore/health/x", headers={"Host": host}).status_code == 421


def test_a_websocket_to_another_host_is_refused(client):
    with client.websocket_connect("ws://localhost:8501/_stcore/stream") as websocket:
        assert websocket.receive_text()
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("ws://evil.example/_stcore/stream"):
        pass


@pytest.mark.parametrize(
    ("allowed", "host", "status"),
    [
        ("desk.example.com", "Desk.Example.com:443", 200),
        ("desk.example.com", "example.com", 421),
        ("desk.example.com", "x.desk.example.com", 421),
        ("*.example.com", "a.b.example.com", 200),
        ("*.example.com", "example.com", 421),
        ("*.example.com", "evilexample.com", 421),
        ("192.168.1.5, desk", "192.168.1.5:8501", 200),
        ("*", "anything", 200),
    ],
)
def test_further_hosts_are_a_setting(serve, allowed, host, status):
    assert serve(allowed_hosts=allowed).get("/", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("host", "name"), [("a:x", None), ("a:99999", None), ("[::1", None), ("a b", "a b"), ("A.b.:80", "a.b")]
)
def test_a_host_is_taken_apart(host, name):
    assert hostname(host) == name
