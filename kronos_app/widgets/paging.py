"""Long lists, a page at a time."""

from __future__ import annotations

import math
from typing import TypeVar

import streamlit as st

from kronos_app import state

PAGE_SIZE = 20
Row = TypeVar("Row")


def shown(rows: list[Row], key: str) -> list[Row]:
    """Return the rows to show; where they are many, ask which, and keep the answer under `key`."""
    pages = max(math.ceil(len(rows) / PAGE_SIZE), 1)
    if pages == 1:
        return rows
    _ = state.gettext()
    state.clamp(key, 1, pages)
    page = st.number_input(_("Page, of {pages}").format(pages=pages), 1, pages, key=key, width=160)
    return rows[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
