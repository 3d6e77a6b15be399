"""The gate of bodies, called as a server calls it."""

import asyncio
import json

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse

from kronos_app.web.bodies import BodyGate, BodyTimes
from kronos_app.web.transfers import Transfers

QUICK = BodyTimes(total=1.0, idle=0.2, grace=0.4, rate=1000.0, linger=0.3)
FOREVER = 3600.0


async def read_all(scope, receive, send):
    body = await Request(scope, receive).body()
    await JSONResponse({"bytes": len(body)})(scope, receive, send)


async def refuse_unread(scope, receive, send):
    await JSONResponse({"error": "no"}, 401)(scope, receive, send)


class Exchange:
    """One request whose body arrives in chunks after pauses, as pairs of seconds and bytes."""

    def __init__(self, chunks, declared=None):
        self.chunks = list(chunks)
        self.declared = sum(len(chunk) for _, chunk in self.chunks) if declared is None else declared
        self.sent = []
        self.received = 0

    async def receive(self):
        if not self.chunks:
            await asyncio.sleep(FOREVER)
        pause, chunk = self.chunks[0]
        await asyncio.sleep(pause)
        self.chunks.pop(0)
        self.received += len(chunk)
        return {"type": "http.request", "body": chunk, "more_body": self.received < self.declared}

    async def send(self, message):
        self.sent.append(message)

    def scope(self):
        length = [(b"content-length", str(self.declared).encode())] if self.declared >= 0 else []
        chunked = [] if length else [(b"transfer-encoding", b"chunked")]
        return {"type": "http", "method": "POST", "path": "/", "headers": length + chunked, "client": ("10.0.0.1", 1)}

    @property
    def status(self):
        return self.sent[0]["status"]

    @property
    def body(self):
        return json.loads(b"".join(message.get("body", b"") for message in self.sent))

    @property
    def closes(self):
        return (b"connection", b"close") in self.sent[0]["headers"]


def run(exchange, app=read_all, *, transfers=None, times=QUICK, stopping=lambda: False):
    gate = BodyGate(app, transfers or Transfers(10_000, 6_000), times, stopping)
    asyncio.run(gate(exchange.scope(), exchange.receive, exchange.send))
    return exchange


def test_a_body_that_arrives_in_time_is_passed_on():
    exchange = run(Exchange([(0, b"x" * 100), (0.05, b"y" * 100)]))
    assert (exchange.status, exchange.body, exchange.closes) == (200, {"bytes": 200}, False)


@pytest.mark.parametrize(
    "chunks",
    [
        [],  # nothing at all
        [(0, b"x" * 900), (FOREVER, b"x")],  # half, then silence
        [(0.05, b"x")] * 100,  # never silent, but too slow
        [(0.1, b"x" * 200)] * 100,  # fast enough, but longer than a body may take
    ],
)
def test_a_body_that_does_not_arrive_in_time_is_answered_and_the_connection_closed(chunks):
    exchange = run(Exchange(chunks, declared=5000))
    assert (exchange.status, exchange.body["error"]["code"], exchange.closes) == (408, "body_timeout", True)
    assert exchange.sent[-1]["more_body"] is False


def test_the_time_that_the_application_takes_is_not_counted():
    async def slow(scope, receive, send):
        async for _ in Request(scope, receive).stream():
            await asyncio.sleep(0.3)
        await JSONResponse({})(scope, receive, send)

    assert run(Exchange([(0, b"x" * 100)] * 4), slow).status == 200


@pytest.mark.parametrize("declared", [7000, -1])
def test_bytes_over_the_limit_are_refused_by_their_length_or_as_they_arrive(declared):
    transfers = Transfers(10_000, 6_000)
    exchange = Exchange([(0, b"x" * 1000)] * 7, declared)
    if declared < 0:
        exchange.receive = endless(exchange)
    run(exchange, transfers=transfers)
    assert exchange.closes
    assert exchange.body["error"]["code"] == ("body_too_large" if declared > 0 else "too_many_uploads")
    assert transfers._bytes == {}


def endless(exchange):
    async def receive():
        exchange.received += 1000
        return {"type": "http.request", "body": b"x" * 1000, "more_body": exchange.received < 20_000}

    return receive


def test_a_body_counts_only_once_it_is_read():
    transfers = Transfers(10_000, 6_000)
    transfers.reserve("10.0.0.1", 6_000)
    assert run(Exchange([(0, b"x" * 100)]), refuse_unread, transfers=transfers).status == 401
    assert run(Exchange([(0, b"x" * 100)]), transfers=transfers).status == 429


def test_what_follows_a_refusal_is_dropped_for_a_short_time_and_the_connection_closed():
    exchange = run(Exchange([(0, b"x" * 1000)] * 5), refuse_unread)
    assert (exchange.status, exchange.closes, exchange.received) == (401, True, 5000)
    silent = run(Exchange([], declared=5000), refuse_unread)
    assert (silent.status, silent.closes) == (401, True)


def test_a_body_without_progress_is_refused_when_the_server_stops():
    exchange = run(Exchange([], declared=100), times=BodyTimes(), stopping=lambda: True)
    assert (exchange.status, exchange.body["error"]["code"]) == (503, "stopping")


def test_a_client_that_leaves_is_no_error():
    exchange = Exchange([], declared=100)

    async def leave():
        return {"type": "http.disconnect"}

    exchange.receive = leave
    assert run(exchange).sent == []
