import asyncio

import httpx
import pytest
from itsdangerous import URLSafeTimedSerializer
from starlette.websockets import WebSocketDisconnect

from kronos_app.web.browser import SECONDS, signing_key

HTML = {"Accept": "text/html"}
FILE = "/_stcore/upload_file/session/file"


@pytest.fixture
def locked(client, desk_state):
    desk_state.password = "correct horse"
    return client


def enter(client, password, **fields):
    return client.post("/enter", data={"password": password, **fields})


def stream(client, **headers):
    with client.websocket_connect("ws://localhost:8501/_stcore/stream", headers=headers) as websocket:
        return websocket.receive_text()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "path", ["/", "/data", FILE, "/media/x.csv", "/component/x", "/_stcore/metrics", "/_stcore/health2"]
)
def test_without_the_password_nothing_is_reached(locked, refused, method, path):
    assert refused(locked.request(method, path), 401) == "password_needed"


@pytest.mark.parametrize("path", ["/_stcore/health", "/api/v1/echo"])
def test_the_api_and_health_have_no_password(locked, path):
    assert locked.get(path).status_code == 200


def test_a_websocket_is_refused_before_the_password(locked):
    with pytest.raises(WebSocketDisconnect):
        stream(locked)


def test_a_page_asks_for_the_password_and_leads_to_where_one_wanted_to_go(locked):
    page = locked.get("/data", params={"lang": "zh_CN", "x": '"><b>'}, headers=HTML)
    assert page.status_code == 200
    assert 'action="/enter?lang=zh_CN"' in page.text
    assert "密码" in page.text
    assert 'value="/data?lang=zh_CN&amp;x=%22%3E%3Cb%3E"' in page.text
    assert "let page" not in page.text
    answer = enter(locked, "correct horse", target="/data?lang=zh_CN")
    assert (answer.status_code, answer.headers["location"]) == (303, "/data?lang=zh_CN")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=Lax" in answer.headers["set-cookie"]
    assert "Secure" not in answer.headers["set-cookie"]
    assert "let page" in locked.get("/data", headers=HTML).text
    assert stream(locked)


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_the_way_on_leads_to_no_other_site(locked, target):
    assert enter(locked, "correct horse", target=target).headers["location"] == "/"


def test_a_wrong_password_is_logged_without_it_and_refused_after_ten(locked, caplog):
    for _ in range(10):
        page = enter(locked, "hunter2")
        assert (page.status_code, "This password is not right." in page.text) == (401, True)
    page = enter(locked, "correct horse")
    assert page.status_code == 429
    assert 1 <= int(page.headers["retry-after"]) <= 60
    assert "Too many wrong attempts." in page.text
    assert caplog.text.count("Wrong password from") == 10
    assert "hunter2" not in caplog.text


def test_attempts_that_are_sent_at_once_are_counted_one_by_one(locked):
    async def late():
        await asyncio.sleep(0.05)  # until all have been sent
        yield b"password=guess"

    async def statuses():
        transport = httpx.ASGITransport(locked.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8501") as client:
            return await asyncio.gather(*(client.post("/enter", content=late()) for _ in range(40)))

    assert sorted(answer.status_code for answer in asyncio.run(statuses())) == [401] * 10 + [429] * 30


def test_a_browser_that_was_admitted_before_is_not_locked_out_by_others_at_its_address(serve, locked, desk_state):
    enter(locked, "correct horse")
    stranger = serve()
    stranger.app = locked.app
    for _ in range(11):
        enter(stranger, "guess")
    assert enter(stranger, "correct horse").status_code == 429
    assert enter(locked, "correct horse").status_code == 303


def test_another_password_makes_cookies_invalid(locked, desk_state):
    enter(locked, "correct horse")
    desk_state.password = "battery staple"
    assert locked.get("/").status_code == 401


def test_a_cookie_that_another_key_signed_admits_nobody(locked):
    enter(locked, "correct horse")
    ((name, value),) = locked.cookies.items()
    forged = URLSafeTimedSerializer(b"another key", salt="browser").dumps(["id", "x"])
    signed, dot, signature = value.rpartition(".")  # a compressed payload begins with a dot
    changed = signed + dot + signature[::-1]
    for cookie in (forged, changed, ""):
        locked.cookies.clear()
        assert locked.get("/", headers={"Cookie": f"{name}={cookie}"}).status_code == 401


def test_a_cookie_lasts_a_week(locked, monkeypatch):
    import time

    enter(locked, "correct horse")
    later = time.time() + SECONDS + 60
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: later)
    ((name, value),) = locked.cookies.items()
    assert locked.get("/", headers={"Cookie": f"{name}={value}"}).status_code == 401


def test_behind_tls_the_cookie_is_secure(serve, desk_state):
    desk_state.password = "correct horse"
    client = serve("https://desk.example.com", allowed_hosts="desk.example.com")
    assert "Secure" in enter(client, "correct horse").headers["set-cookie"]


def test_a_form_of_another_site_does_not_enter(locked, refused):
    response = locked.post("/enter", data={"password": "correct horse"}, headers={"Origin": "http://evil.example"})
    assert refused(response, 403) == "cross_site_request"


def test_a_long_form_is_not_read_to_its_end(locked):
    assert enter(locked, "x" * 1_000_000).status_code == 401


def test_the_browser_is_named_to_streamlit_by_its_cookie_and_never_by_itself(client):
    named = stream(client, **{"X-Kronos-Browser": "someone else"})
    assert named != "someone else"
    assert stream(client) != named  # without a cookie each connection is another browser
    client.get("/", headers=HTML)
    assert stream(client, **{"X-Kronos-Browser": "someone else"}) == stream(client)


def test_the_key_of_cookies_is_kept_for_its_owner_alone(tmp_path):
    key = signing_key(tmp_path / "home")
    assert signing_key(tmp_path / "home") == key
    assert (tmp_path / "home" / "cookie.key").stat().st_mode & 0o077 == 0


def test_where_the_key_cannot_be_stored_the_server_starts_all_the_same(tmp_path, caplog):
    home = tmp_path / "file"
    home.write_text("no folder")
    assert len(signing_key(home)) == 32
    assert "cannot be saved" in caplog.text
