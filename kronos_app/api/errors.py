"""Handlers that answer every error as `{"error": {"code", "message", "hint"}}`."""

from __future__ import annotations

import logging
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from kronos_app.errors import AppError, TooLarge, disk_error
from kronos_app.i18n import Text, text
from kronos_app.services.core.validation import from_pydantic
from kronos_app.web.responses import error_response

log = logging.getLogger(__name__)

_HTTP: dict[int, tuple[str, Text, Text]] = {
    400: ("bad_request", text("The request body cannot be read."), text("Send JSON, or a form with the field file.")),
    404: ("no_such_address", text("There is nothing at this address."), text("See /api/docs for the addresses.")),
    405: (
        "method_not_allowed",
        text("This address does not take this method."),
        text("See /api/docs for the methods."),
    ),
}


class BodyTooLarge(HTTPException):
    """A body over the limit; while a body is read, FastAPI passes on nothing but HTTP exceptions."""

    def __init__(self, error: TooLarge) -> None:
        super().__init__(error.status)
        self.error = error


def install(app: FastAPI) -> None:
    """Add the handlers to `app`."""
    app.add_exception_handler(AppError, _app_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(OSError, _unexpected)
    app.add_exception_handler(Exception, _unexpected)


def _app_error(request: Request, error: Exception) -> JSONResponse:
    return error_response(cast("AppError", error), request.scope)


def _validation_error(request: Request, error: Exception) -> JSONResponse:
    return error_response(from_pydantic(cast("RequestValidationError", error).errors()), request.scope)


def _http_error(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, BodyTooLarge):
        return error_response(error.error, request.scope)
    status = cast("HTTPException", error).status_code
    code, message, hint = _HTTP.get(status, ("http_error", text("The request failed."), text("")))
    return error_response(AppError(code, message, hint, status=status), request.scope)


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    message = text("Something unexpected went wrong; the log has the details.")
    problem = disk_error(error) if isinstance(error, OSError) else None
    return error_response(problem or AppError("internal_error", message, text("Try again later.")), request.scope)
