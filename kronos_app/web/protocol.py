"""Time limit for the head of a request, which uvicorn does not have."""

from __future__ import annotations

from asyncio import Transport
from asyncio.events import TimerHandle

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

HEAD_SECONDS = 20.0


class TimedH11Protocol(H11Protocol):
    """HTTP/1.1 connection that closes if the head of a request is not complete in time."""

    _head_timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Process the bytes, and stop waiting when a head is complete."""
        super().data_received(data)
        if self._has_request():
            self._stop_timer()
        elif self._head_timer is None:
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_timer()
        super().connection_lost(exc)

    def _has_request(self) -> bool:
        upgraded = self.transport.get_protocol() is not self  # to a websocket
        cycle: RequestResponseCycle | None = self.cycle
        return upgraded or (cycle is not None and not cycle.response_complete)

    def _start_timer(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
