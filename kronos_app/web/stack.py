"""All middleware of the server, the outermost first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.middleware import Middleware

from kronos_app.settings import Settings
from kronos_app.web.bodies import BodyGate, BodyTimes
from kronos_app.web.browser import BrowserCookie, Cookies, signing_key
from kronos_app.web.door import Door
from kronos_app.web.headers import SecurityHeaders
from kronos_app.web.hosts import AllowedHosts
from kronos_app.web.origins import SameOrigin
from kronos_app.web.page import Page, PageHtml
from kronos_app.web.server import is_stopping
from kronos_app.web.transfers import MB, Transfers
from kronos_app.web.uploads import UploadGate


def create_middleware(
    settings: Settings,
    password: Callable[[], str],
    owner: Callable[[str], str | None],
    held: Callable[[], Mapping[str, int]],
    page: Page,
) -> list[Middleware]:
    """Return the middleware for `st.App`.

    Parameters
    ----------
    password
        Returns the password of the pages, empty if there is none.
    owner
        Returns the id of the browser of a connected session.
    held
        Returns the bytes of uploads in memory by browser.
    page
        What Streamlit sends for every page.
    """
    cookies = Cookies(signing_key(settings.home), password)
    total = (settings.max_transfers_mb or 5 * settings.max_upload_mb) * MB
    per_caller = (settings.max_transfers_per_caller_mb or 2 * settings.max_upload_mb) * MB
    return [
        Middleware(SecurityHeaders, page=page.html),
        Middleware(
            BodyGate,
            transfers=Transfers(total, per_caller, held),
            times=BodyTimes(total=settings.body_seconds),
            stopping=is_stopping,
        ),
        Middleware(AllowedHosts, names=settings.allowed_hosts),
        Middleware(SameOrigin),
        Middleware(BrowserCookie, cookies=cookies),
        Middleware(Door, cookies=cookies),
        Middleware(UploadGate, owner=owner),
        Middleware(PageHtml, page=page, language=settings.language),
    ]
