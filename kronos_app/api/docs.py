"""The interactive documentation, with scripts of this server only."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse

from kronos_app.web.headers import content_policy

STATIC = "/static-offline-docs"  # where fastapi_offline serves the scripts


def install(app: FastAPI) -> None:
    """Serve the documentation of `app` at /docs."""

    @app.get("/docs", include_in_schema=False)
    def documentation(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        page = get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=f"{app.title} API",
            swagger_js_url=f"{root}{STATIC}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{STATIC}/swagger-ui.css",
            swagger_favicon_url=f"{root}{STATIC}/favicon.png",
        )
        page.headers["Content-Security-Policy"] = content_policy(bytes(page.body).decode())
        return page
