"""A connection on which a request's head does not arrive, on a real uvicorn."""

import socket
import threading
import time

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from websockets.sync.client import connect

from kronos_app.web import protocol

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def answer_late(request):
    import asyncio

    await asyncio.sleep(0.6)
    return PlainTextResponse("late")


async def echo(websocket):
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())
    await websocket.close()


@pytest.fixture
def port(monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    routes = [
        Route("/", lambda request: PlainTextResponse("ok")),
        Route("/late", answer_late),
        WebSocketRoute("/stream", echo),
    ]
    config = uvicorn.Config(Starlette(routes=routes), port=0, log_level="error", http=protocol.TimedH11Protocol)
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


def ended(connection):
    connection.settimeout(10)
    return connection.recv(1000) == b""


@pytest.mark.parametrize("head", [b"", b"GET / HTTP/1.1\r\nHost: loc"])
def test_a_connection_without_a_whole_head_is_closed(port, head):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head)
        assert ended(connection)


def test_so_is_one_whose_second_head_does_not_come(port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(REQUEST)
        assert b"200 OK" in connection.recv(1000)
        connection.sendall(REQUEST[:10])
        assert ended(connection)


def test_an_answer_and_a_websocket_may_take_longer(port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(REQUEST.replace(b"/ ", b"/late "))
        assert b"late" in connection.recv(1000)
    with connect(f"ws://localhost:{port}/stream") as websocket:
        time.sleep(0.6)
        websocket.send("still here")
        assert websocket.recv(10) == "still here"
