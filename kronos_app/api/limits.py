"""A limit of the size of bodies, checked while they arrive."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kronos_app.api.errors import BodyTooLarge
from kronos_app.errors import TooLarge
from kronos_app.i18n import text
from kronos_app.web.bodies import declared_size
from kronos_app.web.responses import refuse
from kronos_app.web.transfers import MB

# Parsed JSON takes ten times the memory of its text; longer series must be uploaded as files.
MAX_JSON_MB = 16
FORM_OVERHEAD = MB  # of a form around its file


class BodyLimit:
    """ASGI middleware that refuses bodies over a limit, by `Content-Length` or by counting what arrives."""

    def __init__(self, app: ASGIApp, max_upload_mb: int) -> None:
        self._app = app
        self._max_upload_mb = max_upload_mb

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with a `receive` that counts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_form = headers.get("content-type", "").startswith("multipart/form-data")
        limit_mb = self._max_upload_mb if is_form else min(MAX_JSON_MB, self._max_upload_mb)
        limit = limit_mb * MB + (FORM_OVERHEAD if is_form else 0)
        too_large = TooLarge(
            "body_too_large",
            text("The request is larger than {limit} MB.", limit=limit_mb),
            text(
                "Send fewer candles, or a file in Parquet, which is smaller; KRONOS_MAX_UPLOAD_MB sets the limit of "
                "files."
            ),
        )
        if declared_size(headers) > limit:
            await refuse(too_large, scope, receive, send)
            return
        arrived = 0

        async def counting() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > limit:
                raise BodyTooLarge(too_large)
            return message

        await self._app(scope, counting, send)
