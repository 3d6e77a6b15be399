"""The middleware as `st.App` puts it together, before a small application that says what reached it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient

from kronos_app.settings import Settings
from kronos_app.web.browser import HEADER
from kronos_app.web.page import Page
from kronos_app.web.stack import create_middleware

PAGE = Page(
    '<html lang="en"><head><script>let page = 1</script></head></html>', frozenset({"/", "/forecast"}), "./chart.js"
)


async def _page(request: Request) -> HTMLResponse:
    return HTMLResponse(PAGE.html)


async def _echo(request: Request) -> JSONResponse:
    body = await request.body()
    return JSONResponse({"bytes": len(body), "browser": request.headers[HEADER]})


async def _stream(websocket):
    await websocket.accept()
    await websocket.send_text(websocket.headers[HEADER])
    await websocket.close()


@pytest.fixture
def desk_state():
    """Return what the middleware asks Streamlit for: password, owners of sessions, bytes that pages keep."""
    return SimpleNamespace(password="", owners={}, held={})


@pytest.fixture
def serve(tmp_path, desk_state):
    """Return a function that makes a client of the middleware with other settings than usual."""

    def serve(base_url="http://localhost:8501", **values):
        settings = Settings(home=tmp_path / "home", **values)
        routes = [
            Route("/api/v1/echo", _echo, methods=["GET", "POST"]),
            Route("/_stcore/health", _echo),
            Route("/_stcore/upload_file/{session}/{file}", _echo, methods=["PUT", "DELETE", "OPTIONS"]),
            WebSocketRoute("/_stcore/stream", _stream),
            Route("/{path:path}", _page, methods=["GET", "POST"]),
        ]
        middleware = create_middleware(
            settings,
            password=lambda: desk_state.password,
            owner=desk_state.owners.get,
            held=lambda: desk_state.held,
            page=PAGE,
        )
        app = Starlette(routes=routes, middleware=middleware)
        return TestClient(app, base_url=base_url, follow_redirects=False)

    return serve


@pytest.fixture
def client(serve):
    return serve()


@pytest.fixture
def refused():
    """Return a function that checks an answer for the one shape of errors and returns its code."""

    def refused(response, status):
        assert response.status_code == status, response.text
        error = response.json()["error"]
        assert set(error) == {"code", "message", "hint"}
        assert error["message"]
        assert error["hint"]
        return error["code"]

    return refused
