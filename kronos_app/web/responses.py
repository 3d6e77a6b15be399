"""Errors as `{"error": {"code", "message", "hint"}}`, in the language that the caller prefers."""

from __future__ import annotations

from babel import negotiate_locale
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from kronos_app.errors import AppError
from kronos_app.i18n import LANGUAGES

_ALIASES = {"zh": "zh_CN", "en": "en"}


def language_of(accept_language: str) -> str:
    """Return our language that an `Accept-Language` header ranks highest, English if it names none."""
    preferences = []
    for part in accept_language[:1000].split(","):
        tag, _, quality = part.strip().partition(";q=")
        preferences.append((_weight(quality), tag.strip().replace("-", "_")))
    ranked = [tag for weight, tag in sorted(preferences, key=lambda item: -item[0]) if weight > 0]
    # Every regional variant of Chinese is served with the one Chinese that there is.
    tags = [_ALIASES.get(tag.split("_")[0].lower(), tag) for tag in ranked]
    return negotiate_locale(tags, list(LANGUAGES)) or "en"


def _weight(quality: str) -> float:
    try:
        return float(quality) if quality else 1.0
    except ValueError:
        return 0.0


def error_response(error: AppError, scope: Scope) -> JSONResponse:
    """Return `error` as the response to the request of `scope`."""
    language = language_of(Headers(scope=scope).get("accept-language", ""))
    rendered = {"code": error.code, "message": error.message.render(language), "hint": error.hint.render(language)}
    # A message may quote half a surrogate pair, which UTF-8 cannot encode.
    body = {name: value.encode("utf-8", "replace").decode() for name, value in rendered.items()}
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    return JSONResponse({"error": body}, error.status, headers)


async def refuse(error: AppError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with `error`; close a websocket."""
    response = WebSocketClose(1008) if scope["type"] == "websocket" else error_response(error, scope)
    await response(scope, receive, send)
