"""The FastAPI application, made once and mounted under /api."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from kronos_app.api import errors
from kronos_app.api.limits import BodyLimit
from kronos_app.api.routes import (
    backtests,
    candles,
    evaluations,
    follows,
    forecasts,
    jobs,
    ledger,
    registry,
    runs,
    series,
    sql,
    status,
)
from kronos_app.services.desk import Desk
from kronos_app.settings import Settings, get_settings

VERSION = "0.1.0"
DESCRIPTION = """
Probabilistic forecasts of candles. Upload candles, ask for a forecast, follow its job, fetch the forecast.

Every error is `{"error": {"code", "message", "hint"}}`, in the language of `Accept-Language` (English, 简体中文).
Forecasts are no investment advice.
"""


def create_api(get_desk: Callable[[], Desk], settings: Settings | None = None) -> FastAPI:
    """Return the API; its own addresses begin with /v1 and /docs, the mount puts /api in front.

    Parameters
    ----------
    get_desk
        Called by each request, so that nothing is opened before the first.
    settings
        Token and limits; default those of the process.
    """
    settings = settings or get_settings()
    # The usual documentation page loads its scripts from a content network, which an offline user does not reach.
    app = FastAPIOffline(title="Kronos Desk", version=VERSION, description=DESCRIPTION, redoc_url=None)
    app.state.get_desk = get_desk
    app.state.settings = settings
    app.add_middleware(BodyLimit, max_upload_mb=settings.max_upload_mb)
    errors.install(app)
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
    return app
