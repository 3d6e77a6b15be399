"""Dependencies of routes: the desk and the caller's language."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import HTTPBearer

from kronos_app.services.desk import Desk
from kronos_app.web.responses import language_of

# For the documentation only: `TokenGuard` refuses calls without the token before they reach a route.
require_token = HTTPBearer(auto_error=False, description="Only where KRONOS_API_TOKEN is set.")


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.get_desk()
    return desk


def _language(accept_language: Annotated[str, Header(description="en or zh-CN, for messages")] = "") -> str:
    return language_of(accept_language)


DeskOf = Annotated[Desk, Depends(_desk)]
Language = Annotated[str, Depends(_language)]
