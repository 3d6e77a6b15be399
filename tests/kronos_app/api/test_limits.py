import pytest
from starlette.testclient import TestClient

from kronos_app.api.app import create_api
from kronos_app.services.desk import Desk
from kronos_app.settings import Settings

MB = 1024 * 1024
FORM = {"content-type": "multipart/form-data; boundary=x"}
HEAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="big.csv"\r\n\r\n'


@pytest.fixture
def small(desk, tmp_path):
    """Return a client of an API that takes 2 MB."""
    return TestClient(create_api(lambda: desk, Settings(home=tmp_path, max_upload_mb=2)))


def test_a_declared_length_over_the_limit_is_refused_unread(small, refused):
    headers = {**FORM, "content-length": str(500 * MB)}
    error = refused(small.post("/v1/candles", content=b"x", headers=headers), 413)
    assert error["code"] == "body_too_large"
    assert "2 MB" in error["message"]


async def call(app, path, headers, chunks):
    """Call `app` as a server would, with a body that arrives in chunks; return status and body."""
    sent = []

    async def receive():
        chunk = next(chunks, None)
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "http_version": "1.1",
        "scheme": "http",
    }
    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


@pytest.mark.parametrize(
    ("path", "headers", "head"),
    [("/v1/candles", FORM, HEAD), ("/v1/forecasts", {"content-type": "application/json"}, b'{"candles": [')],
)
def test_a_stream_of_500_mb_is_refused_as_soon_as_it_passes_the_limit(desk, tmp_path, path, headers, head):
    import asyncio

    arrived = []

    def chunks():
        yield head
        for _ in range(500):
            arrived.append(MB)
            yield b"1" * MB

    app = create_api(lambda: desk, Settings(home=tmp_path, max_upload_mb=2))
    status, body = asyncio.run(call(app, path, headers, chunks()))
    assert status == 413
    assert b"body_too_large" in body
    assert len(arrived) <= 4


def test_an_upload_within_the_limit_of_the_form_but_over_that_of_files_is_refused(tmp_path, refused):
    settings = Settings(home=tmp_path, max_upload_mb=2)
    desk = Desk(settings, {})
    client = TestClient(create_api(lambda: desk, settings))
    refused(client.post("/v1/candles", files={"file": ("big.csv", b"1" * (2 * MB + 10))}), 413)
    desk.close()


def test_json_has_a_limit_of_its_own(client, refused):
    refused(
        client.post("/api/v1/forecasts", content=b" " * (17 * MB), headers={"content-type": "application/json"}), 413
    )
