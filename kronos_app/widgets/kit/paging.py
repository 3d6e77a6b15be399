"""Pages of long lists."""

from __future__ import annotations

import math
from typing import TypeVar

import streamlit as st

from kronos_app import state
from kronos_app.state import gettext as _

PAGE_SIZE = 20
Row = TypeVar("Row")


def choose_rows(rows: list[Row], key: str) -> list[Row]:
    """Return the rows of the chosen page; see `first_row`."""
    start = first_row(len(rows), key)
    return rows[start : start + PAGE_SIZE]


def first_row(total: int, key: str, size: int = PAGE_SIZE) -> int:
    """Render the choice of a page if there are several; return the number of rows before it."""
    pages = max(math.ceil(total / size), 1)
    state.clamp(key, 1, pages)
    if pages == 1:
        return 0
    page = st.number_input(_("Page, of {pages}").format(pages=pages), 1, pages, key=key, width=160)
    return (int(page) - 1) * size
