"""A small hub on this machine: the part of the Hugging Face protocol that downloading a checkpoint speaks.

It answers HEAD and GET of /{namespace}/{name}/resolve/{revision}/{file} with commit, ETag, length and ranges; 404
and 401 carry the hub's error codes. A test may make it break off a download, or answer everything with one status.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

RESOLVE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")


@dataclass
class Repository:
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    gated: bool = False

    def push(self, files: Mapping[str, bytes], branch: str = "main") -> str:
        content = b"".join(name.encode() + data for name, data in sorted(files.items()))
        commit = hashlib.sha1(content).hexdigest()
        self.commits[commit] = dict(files)
        self.branches[branch] = commit
        return commit


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    range: str | None
    token: str | None


class Hub:
    """What the server serves, and what it was asked."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[Request] = []
        self.cut_after: dict[str, int] = {}  # file: bytes to send before the connection breaks, once
        self.status: int | None = None  # answer everything so
        self.after: Callable[[Request], object] = lambda request: None  # called when a request has been answered
        self.commit_header = True
        self.url = ""

    def create(self, name: str, files: Mapping[str, bytes], **options: object) -> Repository:
        self.repositories[name] = Repository(**options)  # type: ignore[arg-type]
        self.repositories[name].push(files)
        return self.repositories[name]

    def asked(self, method: str, file: str) -> list[Request]:
        return [request for request in self.requests if request.method == method and request.path.endswith(file)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_request(self, *args: object) -> None:
        pass

    def _answer(self, body: bool) -> None:
        hub = self.server.hub
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
        request = Request(self.command, self.path, self.headers.get("Range"), token)
        hub.requests.append(request)
        if hub.status is not None:
            self._refuse(hub.status)
        else:
            self._resolve(token, body)
        hub.after(request)

    def _resolve(self, token: str | None, body: bool) -> None:
        hub = self.server.hub
        match = RESOLVE.fullmatch(urlsplit(self.path).path)
        repository = hub.repositories.get(match["repo"]) if match else None
        if match is None or repository is None:
            # The real hub does not tell a stranger whether a repository exists.
            return self._refuse(404 if token else 401, "RepoNotFound")
        if repository.token is not None and token != repository.token:
            return self._refuse(401, "GatedRepo" if repository.gated else "RepoNotFound")
        revision = unquote(match["revision"])
        commit = repository.branches.get(revision, revision)
        if commit not in repository.commits:
            return self._refuse(404, "RevisionNotFound")
        content = repository.commits[commit].get(match["file"])
        if content is None:
            return self._refuse(404, "EntryNotFound", commit)
        return self._send(content, match["file"], commit, body)

    def _refuse(self, status: int, code: str | None = None, commit: str | None = None) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        if commit:
            self.send_header("X-Repo-Commit", commit)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, content: bytes, file: str, commit: str, body: bool) -> None:
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.server.hub.commit_header:
            self.send_header("X-Repo-Commit", commit)
        checksum = hashlib.sha256(content).hexdigest()
        self.send_header("ETag", f'"{checksum}"')
        self.send_header("X-Linked-Etag", f'"{checksum}"')
        self.send_header("X-Linked-Size", str(len(content)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if not body:
            return
        cut = self.server.hub.cut_after.pop(file, None)
        self.wfile.write(content[start:][:cut])
        self.close_connection = cut is not None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, hub: Hub) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hub = hub


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Serve `hub` on a free port; at the end nobody answers there any more."""
    with _Server(hub) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
