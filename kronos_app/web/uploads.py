"""A session accepts uploads only from its own browser."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from kronos_app.errors import Forbidden
from kronos_app.i18n import text
from kronos_app.web.client import BROWSER
from kronos_app.web.responses import refuse

PREFIX = "/_stcore/upload_file/"  # followed by the ids of session and file


class UploadGate:
    """ASGI middleware that refuses an upload unread if its session is not of the browser that sends it.

    Parameters
    ----------
    owner
        Returns the id of the browser of a connected session, None for any other.
    """

    def __init__(self, app: ASGIApp, owner: Callable[[str], str | None]) -> None:
        self._app = app
        self._owner = owner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        # Anywhere in the path, because `server.baseUrlPath` puts Streamlit's addresses below another folder.
        _, prefix, ids = scope.get("path", "").partition(PREFIX)
        if prefix and scope["type"] == "http" and scope["method"] != "OPTIONS":
            owner = self._owner(ids.partition("/")[0])
            if owner is None or owner != scope[BROWSER]:
                error = Forbidden(
                    "not_your_session",
                    text("This upload belongs to no session of this browser."),
                    text("Allow cookies, reload the page and upload the file there."),
                )
                await refuse(error, scope, receive, send)
                return
        await self._app(scope, receive, send)
