"""The FastAPI application, mounted under /api."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from kronos_app.api import docs, errors
from kronos_app.api.guard import TokenGuard
from kronos_app.api.limits import BodyLimit
from kronos_app.api.routes import backtest as backtests
from kronos_app.api.routes import candles, jobs, ledger, series, sql, status
from kronos_app.api.routes import evaluation as evaluations
from kronos_app.api.routes import finetune as runs
from kronos_app.api.routes import forecast as forecasts
from kronos_app.api.routes import live as follows
from kronos_app.api.routes import models as registry
from kronos_app.api.schemas import ErrorBody
from kronos_app.services.desk import Desk
from kronos_app.settings import Settings, get_settings

VERSION = "0.1.0"
DESCRIPTION = """
Probabilistic forecasts of candles. Upload candles, request a forecast, follow its job, fetch the forecast.

Every error is `{"error": {"code", "message", "hint"}}`, in the language of `Accept-Language` (English, 简体中文).
Forecasts are no investment advice.
"""


# Errors of any call besides those that its route declares.
REFUSALS = {
    400: "The body cannot be read.",
    401: "The token is missing or wrong.",
    403: "A page of another site sent the request.",
    408: "The body did not arrive in time.",
    413: "The body is over a limit.",
    421: "The server does not answer to this host name.",
    422: "A field is wrong.",
    429: "Too many wrong tokens, uploads or jobs of this caller; Retry-After says when to try again.",
    500: "Something unexpected went wrong; the log has the details.",
    503: "The store or a source does not answer, or too much is under way.",
}


def create_api(
    get_desk: Callable[[], Desk],
    settings: Settings | None = None,
    pages_locked: Callable[[], bool] = lambda: False,
) -> FastAPI:
    """Return the API; its addresses begin with /v1 and /docs, below the /api of the mount.

    Parameters
    ----------
    get_desk
        Called by each request; nothing is opened before the first.
    settings
        Token and limits; default: those of the process.
    pages_locked
        Returns whether the pages have a password: without a token, the API is closed then.
    """
    settings = settings or get_settings()
    # FastAPI's own documentation page loads scripts from the internet.
    app = FastAPIOffline(
        title="Kronos Desk",
        version=VERSION,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        responses={status: {"model": ErrorBody, "description": why} for status, why in REFUSALS.items()},
    )
    app.state.get_desk = get_desk
    app.state.settings = settings
    app.add_middleware(BodyLimit, max_upload_mb=settings.max_upload_mb)
    app.add_middleware(TokenGuard, token=settings.api_token, pages_locked=pages_locked)
    errors.install(app)
    docs.install(app)
    for module in (
        status,
        candles,
        forecasts,
        jobs,
        follows,
        ledger,
        sql,
        series,
        runs,
        registry,
        evaluations,
        backtests,
    ):
        app.include_router(module.router, prefix="/v1")
    # FastAPI builds its routes at the first lookup, which must not happen in two threads at once.
    app.url_path_for("get_job", job_id="-")
    return app
