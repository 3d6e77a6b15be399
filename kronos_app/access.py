"""The state of Streamlit that the middleware in `kronos_app/web` needs: password, sessions, uploads in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError
from streamlit.runtime import Runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

from kronos_app.settings import get_settings
from kronos_app.web.browser import HEADER
from kronos_app.web.page import Page


def password() -> str:
    """Return the password of this deployment, empty if there is none."""
    setting = get_settings().password
    if setting is not None:
        return setting.get_secret_value()
    try:
        return str(st.secrets.get("password", ""))
    except StreamlitSecretNotFoundError:
        return ""


def admitted() -> bool:
    """Return whether this session passed the middleware, which asks for the password if there is one."""
    return not password() or HEADER in st.context.headers


def browser_of(session_id: str) -> str | None:
    """Return the id of the browser of a connected session, None for any other."""
    client = Runtime.instance().get_client(session_id)
    if client is None or client.client_context is None:
        return None
    return {name.lower(): value for name, value in client.client_context.headers}.get(HEADER.lower())


def held_uploads() -> dict[str, int]:
    """Return the bytes of uploads in memory by browser; the id is empty for sessions without a connection."""
    if not Runtime.exists():
        return {}
    held: Counter[str] = Counter()
    uploads = cast("MemoryUploadedFileManager", Runtime.instance().uploaded_file_mgr)
    for session_id, files in list(uploads.file_storage.items()):
        held[browser_of(session_id) or ""] += sum(len(file.data) for file in list(files.values()))
    return dict(held)


def page(names: Iterable[str]) -> Page:
    """Return what Streamlit sends for every page, given their names."""
    static = Path(st.__file__).parent / "static"
    html = (static / "index.html").read_text("utf-8")
    chart = next((static / "static" / "js").glob("PlotlyChart.*.js"), None)
    paths = {"/", *(f"/{name}" for name in names)}
    return Page(html, frozenset(paths), f"./static/js/{chart.name}" if chart else "")
