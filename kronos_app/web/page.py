"""The HTML of every page: Streamlit's, in the language of the page, with scripts of ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import QueryParams
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from kronos_app.i18n import LANGUAGES

SCRIPT_PATH, CHART_SCRIPT_PATH = "/kronos.js", "/kronos-chart.js"
SCRIPTS = {SCRIPT_PATH: Path(__file__).with_name("page.js"), CHART_SCRIPT_PATH: Path(__file__).with_name("chart.js")}
WITH_CHART = {"forecast", "compare"}  # query parameters of pages that show a chart at once
NO_CACHE = {"Cache-Control": "no-cache"}


@dataclass(frozen=True)
class Page:
    """What Streamlit sends for every page.

    Attributes
    ----------
    html
        The same for all pages.
    paths
        Addresses of the pages.
    chart
        Address of the module that draws charts.
    """

    html: str
    paths: frozenset[str] = frozenset()
    chart: str = ""


class PageHtml:
    """ASGI middleware that answers with the HTML of a page; everything else goes to the app.

    Parameters
    ----------
    language
        Of this deployment; a page may have another in its address.
    """

    def __init__(self, app: ASGIApp, page: Page, language: str) -> None:
        self._app, self._page, self._language = app, page, language

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a page or a script, or pass the request on."""
        app = self._app
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            if scope["path"] in SCRIPTS:
                app = FileResponse(SCRIPTS[scope["path"]], headers=NO_CACHE)
            elif scope["path"] in self._page.paths:
                app = self._respond(QueryParams(scope["query_string"]))
        await app(scope, receive, send)

    def _respond(self, query: QueryParams) -> Response:
        chosen = query.get("lang")
        language = language_tag(chosen if chosen in LANGUAGES else self._language)
        head = f'<script defer src=".{SCRIPT_PATH}" data-lang="{language_tag(self._language)}"></script>'
        head += f'<script defer src=".{CHART_SCRIPT_PATH}"></script>'
        if self._page.chart and WITH_CHART & query.keys():  # loaded while the script of the page runs
            head += f'<link rel="modulepreload" crossorigin href="{self._page.chart}">'
        html = self._page.html.replace('<html lang="en">', f'<html lang="{language}">', 1)
        return HTMLResponse(html.replace("</head>", f"{head}</head>", 1), headers=NO_CACHE)


def language_tag(language: str) -> str:
    """Return the language in the form of HTML, such as `zh-CN`."""
    return language.replace("_", "-")
