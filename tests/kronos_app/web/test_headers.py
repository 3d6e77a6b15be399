import base64
import hashlib

import pytest

from kronos_app.web.headers import HEADERS, content_policy


@pytest.mark.parametrize("path", ["/", "/api/v1/echo", "/_stcore/health", "/media/x"])
def test_every_response_has_the_headers(client, path):
    headers = client.get(path).headers
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert headers["content-security-policy"].startswith("default-src 'self'; script-src 'self' 'sha256-")


def test_a_refusal_has_them_too(client):
    headers = client.get("/", headers={"Host": "evil.example"}).headers
    assert headers["x-frame-options"] == "SAMEORIGIN"


def test_only_the_inline_scripts_of_the_page_may_run():
    digest = base64.b64encode(hashlib.sha256(b"let page = 1").digest()).decode()
    policy = dict(part.split(" ", 1) for part in content_policy("<script>let page = 1</script>").split("; "))
    assert policy["script-src"] == f"'self' 'sha256-{digest}'"
    assert policy["frame-ancestors"] == "'self'"
    assert "unsafe-eval" not in content_policy()
