import pytest
from starlette.websockets import WebSocketDisconnect

CROSS = [
    {"Origin": "http://evil.example"},
    {"Origin": "http://localhost:3000"},
    {"Origin": "null"},
    {"Origin": "http://[::1"},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://localhost:8501", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://evil.example", "Authorization": "Basic eDp5"},
]
OWN = [
    {},
    {"Origin": "http://localhost:8501"},
    {"Origin": "http://localhost:8501", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "https://desk.example.com", "Sec-Fetch-Site": "same-origin"},  # a proxy changed Host
    {"Origin": "http://evil.example", "Authorization": "Bearer token"},
]


@pytest.mark.parametrize("headers", CROSS)
def test_a_page_of_another_site_changes_nothing(client, refused, headers):
    response = client.post("/api/v1/echo", content=b"x", headers=headers)
    assert refused(response, 403) == "cross_site_request"


@pytest.mark.parametrize("headers", OWN)
def test_own_pages_programs_and_who_has_a_token_may(client, headers):
    assert client.post("/api/v1/echo", content=b"x", headers=headers).json()["bytes"] == 1


@pytest.mark.parametrize("headers", CROSS)
def test_a_page_of_another_site_opens_no_websocket(client, headers):
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("ws://localhost:8501/_stcore/stream", headers=headers),
    ):
        pass


@pytest.mark.parametrize("headers", OWN)
def test_own_pages_and_programs_open_websockets(client, headers):
    with client.websocket_connect("ws://localhost:8501/_stcore/stream", headers=headers) as websocket:
        assert websocket.receive_text()


def test_links_from_other_sites_open_pages(client):
    assert client.get("/data", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
