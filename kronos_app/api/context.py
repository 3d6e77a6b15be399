"""What routes get handed: the desk, the caller's language, and proof of a token."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from kronos_app.api.errors import language_of
from kronos_app.errors import Unauthorized
from kronos_app.i18n import text
from kronos_app.services.desk import Desk
from kronos_app.settings import Settings

_bearer = HTTPBearer(auto_error=False, description="Only where KRONOS_API_TOKEN is set.")


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.get_desk()
    return desk


def _language(accept_language: Annotated[str, Header(description="en or zh-CN, for messages")] = "") -> str:
    return language_of(accept_language)


def require_token(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    """Refuse the call unless it carries the token that this deployment asks for.

    Raises
    ------
    Unauthorized
        No token, or a wrong one.
    """
    settings: Settings = request.app.state.settings
    if settings.api_token is None:
        return
    # Latin-1 is how headers are decoded: this gives back the bytes that were sent.
    given = credentials.credentials.encode("latin-1") if credentials else b""
    if not secrets.compare_digest(given, settings.api_token.get_secret_value().encode()):
        raise Unauthorized(
            "unauthorized",
            text("The API token is missing or wrong."),
            text("Send the header Authorization: Bearer TOKEN."),
        )


DeskOf = Annotated[Desk, Depends(_desk)]
Language = Annotated[str, Depends(_language)]
