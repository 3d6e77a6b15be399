"""A small hub on this machine: the part of the Hugging Face protocol that fetching and pushing a checkpoint speak.

It answers HEAD and GET of /{namespace}/{name}/resolve/{revision}/{file} with commit, ETag, length and ranges; 404
and 401 carry the hub's error codes. A test may make it break off a download, or answer everything with one status.

Whoever holds a token of `accounts` may create repositories in that namespace and commit to them: regular files within
the commit, weights before it by Git LFS. Xet, which the real hub prefers, is not spoken: tests turn it off.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.servers.local import LocalServer, run_server

PREUPLOAD = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/preupload/main")
LFS_BATCH = re.compile(r"/(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects/batch")
COMMIT = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/commit/main")
SUFFIX = ".safetensors"
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
        self.accounts: dict[str, str] = {}  # token: namespace it may write to
        self.objects: dict[str, bytes] = {}  # what came by Git LFS, by its SHA-256
        self.broken_uploads = False  # refuse what comes by Git LFS
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
    server: LocalServer

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_PUT(self) -> None:
        self.server.state.requests.append(request := self._request())
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.state.broken_uploads:
            self._reply(400, {"error": "as the test wants it"})
        else:
            self.server.state.objects[hashlib.sha256(content).hexdigest()] = content
            self._reply(200, {})
        self.server.state.after(request)

    def do_POST(self) -> None:
        hub = self.server.state
        hub.requests.append(request := self._request())
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        if hub.status is not None:
            self._reply(hub.status, {"error": "as the test wants it"})
        elif path == "/api/validate-yaml":
            self._reply(200, {"errors": [], "warnings": []})
        elif request.token not in hub.accounts:
            self._reply(401, {"error": "Invalid username or password."})
        elif path == "/api/repos/create":
            self._create(json.loads(content), hub.accounts[request.token])
        else:
            self._take(path, content, hub.accounts[request.token])
        hub.after(request)

    def log_request(self, *args: object) -> None:
        pass

    def _request(self) -> Request:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
        return Request(self.command, self.path, self.headers.get("Range"), token)

    def _create(self, wish: dict[str, Any], namespace: str) -> None:
        hub = self.server.state
        repo = f"{wish['organization'] or namespace}/{wish['name']}"
        if not repo.startswith(f"{namespace}/"):
            return self._reply(403, {"error": "You don't have the rights to create a model under this namespace"})
        known = repo in hub.repositories
        if not known:
            hub.repositories[repo] = Repository(
                token=self._request().token if wish["visibility"] == "private" else None
            )
        return self._reply(409 if known else 200, {"url": f"{hub.url}/{repo}"})

    def _take(self, path: str, content: bytes, namespace: str) -> None:
        match = PREUPLOAD.fullmatch(path) or LFS_BATCH.fullmatch(path) or COMMIT.fullmatch(path)
        if match is None or match["repo"] not in self.server.state.repositories:
            return self._refuse(404, "RepoNotFound")
        if not match["repo"].startswith(f"{namespace}/"):
            return self._reply(403, {"error": "You are not authorized to write to this repository"})
        if match.re is PREUPLOAD:
            files = [{"path": file["path"], "shouldIgnore": False} for file in json.loads(content)["files"]]
            modes = {True: "lfs", False: "regular"}
            return self._reply(200, {"files": [f | {"uploadMode": modes[f["path"].endswith(SUFFIX)]} for f in files]})
        if match.re is LFS_BATCH:
            url = self.server.state.url
            wanted = [
                {**one, "actions": {"upload": {"href": f"{url}/lfs/{one['oid']}"}}}
                for one in json.loads(content)["objects"]
            ]
            return self._reply(200, {"transfer": "basic", "objects": wanted})
        return self._commit(match["repo"], [json.loads(line) for line in content.splitlines()])

    def _commit(self, name: str, lines: list[dict[str, Any]]) -> None:
        hub = self.server.state
        repository = hub.repositories[name]
        files = dict(repository.commits.get(repository.branches.get("main", ""), {}))
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = hub.objects[value["oid"]]
        commit = repository.push(files)
        self._reply(200, {"commitUrl": f"{hub.url}/{name}/commit/{commit}", "commitOid": commit})

    def _reply(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _answer(self, body: bool) -> None:
        hub = self.server.state
        request = self._request()
        hub.requests.append(request)
        if hub.status is not None:
            self._refuse(hub.status)
        else:
            self._resolve(request.token, body)
        hub.after(request)

    def _resolve(self, token: str | None, body: bool) -> None:
        hub = self.server.state
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
        if self.server.state.commit_header:
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
        cut = self.server.state.cut_after.pop(file, None)
        self.wfile.write(content[start:][:cut])
        self.close_connection = cut is not None


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Serve `hub` on a free port; at the end nobody answers there any more."""
    with run_server(LocalServer(_Handler, hub)) as server:
        hub.url = server.url
        yield hub
