"""HTTP servers on this machine, each on a free port and in a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, TypeVar


class LocalServer(ThreadingHTTPServer):
    """A server on a free port; its handlers read and change `state`."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler], state: Any = None) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.state = state
        self.url = f"http://127.0.0.1:{self.server_port}"


AnyServer = TypeVar("AnyServer", bound=LocalServer)


@contextmanager
def run_server(server: AnyServer, released: Event | None = None) -> Iterator[AnyServer]:
    """Yield a server that answers; at the end set `released`, which ends hanging answers, and stop the server."""
    with server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            if released is not None:
                released.set()
            server.shutdown()
            thread.join()
