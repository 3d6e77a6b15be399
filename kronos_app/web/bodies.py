"""Limits of request bodies in time and bytes, and an orderly end of requests that are refused unread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kronos_app.errors import AppError, Unavailable
from kronos_app.i18n import text
from kronos_app.web.client import caller_of
from kronos_app.web.responses import refuse
from kronos_app.web.transfers import Transfers

DISCONNECT: Message = {"type": "http.disconnect"}


@dataclass(frozen=True)
class BodyTimes:
    """Limits of the time that the server waits for one body.

    `total` and `idle` are the most seconds for the whole body and for the next bytes. `rate` is the lowest mean speed
    in bytes per second after the first `grace` seconds. After a refusal the rest of the body is read and dropped for
    `linger` seconds, so that the client receives the answer before the connection ends.
    """

    total: float = 600.0
    idle: float = 20.0
    grace: float = 20.0
    rate: float = 10_000.0
    linger: float = 2.0


class BodyGate:
    """ASGI middleware that counts the bytes of bodies and refuses slow ones while the application reads them.

    Parameters
    ----------
    stopping
        Returns whether the server is about to stop; it then refuses bodies that make no progress.
    """

    def __init__(self, app: ASGIApp, transfers: Transfers, times: BodyTimes, stopping: Callable[[], bool]) -> None:
        self._app = app
        self.transfers = transfers
        self.times = times
        self.stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a `receive` and a `send` that check its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(self, scope, receive, send)
        try:
            await self._app(scope, body.receive, body.send)
        except ClientDisconnect:
            pass  # the client is gone, or has received the refusal
        finally:
            body.release()


def declared_size(headers: Headers) -> int:
    """Return the size of a body in bytes as its header states it, 0 without one."""
    declared = headers.get("content-length", "")
    return int(declared) if declared.isdecimal() else 0


class _Body:
    """The body of one request."""

    def __init__(self, gate: BodyGate, scope: Scope, receive: Receive, send: Send) -> None:
        self._gate = gate
        self._scope = scope
        self._receive = receive
        self._send = send
        headers = Headers(scope=scope)
        self._declared = declared_size(headers)
        self._complete = not self._declared and "transfer-encoding" not in headers
        self._caller = ""
        self._reserved = 0
        self._arrived = 0
        self._waited = 0.0
        self._answering = False
        self._refused = False

    async def receive(self) -> Message:
        """Return the next message; over a limit, answer the client and report it as disconnected."""
        if self._refused:
            return DISCONNECT
        if self._complete:
            return await self._receive()
        try:
            self._reserve(self._declared)
            message = await self._next()
            self._arrived += len(message.get("body", b""))
            self._reserve(self._arrived)
        except AppError as error:
            await self._refuse(error)
            return DISCONNECT
        self._complete = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send a message of the application, unless the request was refused."""
        if not self._refused:
            await self._forward(message)

    def release(self) -> None:
        """Stop counting the body."""
        self._gate.transfers.release(self._caller, self._reserved)

    def _reserve(self, size: int) -> None:
        """Raise the reservation to at least `size` bytes."""
        if size > self._reserved:
            self._caller = self._caller or caller_of(self._scope)
            self._gate.transfers.reserve(self._caller, size - self._reserved)
            self._reserved = size

    async def _next(self) -> Message:
        began = time.monotonic()
        while True:
            waited = time.monotonic() - began
            left = self._seconds_left(waited)
            if left <= 0:
                raise AppError(
                    "body_timeout",
                    text("The request body did not arrive in time."),
                    text("Send it again over a faster connection; KRONOS_BODY_SECONDS sets the longest time."),
                    status=408,
                )
            try:
                # At most a second, to notice that the server stops.
                message = await asyncio.wait_for(self._receive(), min(left, 1.0))
            except TimeoutError:
                if self._gate.stopping():
                    stopping = text("The server is about to stop.")
                    raise Unavailable("stopping", stopping, text("Try again later."), retry_after=30) from None
                continue
            self._waited += time.monotonic() - began
            return message

    def _seconds_left(self, waited: float) -> float:
        times = self._gate.times
        altogether = min(times.total, times.grace + self._arrived / times.rate)
        return min(times.idle - waited, altogether - self._waited - waited)

    async def _refuse(self, error: AppError) -> None:
        if not self._answering:
            await refuse(error, self._scope, self._receive, self._forward)
        self._refused = True

    async def _forward(self, message: Message) -> None:
        if self._complete:
            await self._send(message)
        elif message["type"] == "http.response.start":
            self._answering = True
            MutableHeaders(scope=message)["Connection"] = "close"
            await self._send(message)
        elif message.get("more_body", False):
            await self._send(message)
        else:
            await self._send({**message, "more_body": True})
            await self._drop_rest()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _drop_rest(self) -> None:
        """Read and drop the rest of the body for a short time."""
        end = time.monotonic() + self._gate.times.linger
        while (left := end - time.monotonic()) > 0:
            try:
                message = await asyncio.wait_for(self._receive(), min(left, 0.5))
            except TimeoutError:
                return
            if not message.get("more_body", False):
                return
