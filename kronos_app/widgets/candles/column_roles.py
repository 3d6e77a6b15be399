"""The choice of a column for each role, for files and databases alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import streamlit as st

from kronos_app import state
from kronos_app.i18n import text
from kronos_app.state import gettext as _

NARROWEST_FIELD = 160  # pixels
TITLES = {
    "timestamp": text("Time"),
    "clock": text("Time of day"),
    "open": text("Open price"),
    "high": text("High price"),
    "low": text("Low price"),
    "close": text("Close price"),
    "volume": text("Volume"),
    "amount": text("Amount"),
    "symbol": text("Symbol"),
}


def choose_roles(
    headers: Sequence[str],
    guessed: Mapping[str, str],
    roles: Sequence[str],
    *,
    needed: Collection[str],
    key: Sequence[str],
) -> dict[str, str]:
    """Render a field for each role and return the header chosen for it, empty where there is none.

    Parameters
    ----------
    headers
        What can be chosen, each once.
    guessed
        Role to header, chosen at first.
    roles
        Keys of `TITLES`, in the order of the fields.
    needed
        Roles without which nothing can be read; the others are marked as optional.
    key
        Parts of the fields' keys; the role is added.
    """
    fields = st.grid(3, min_column_width=NARROWEST_FIELD)
    chosen = {}
    for role in roles:
        title = state.say(TITLES[role])
        header = guessed.get(role)
        with fields.container():
            chosen[role] = st.selectbox(
                title if role in needed else _("{column} (optional)").format(column=title),
                headers,
                headers.index(header) if header in headers else None,
                key=state.joined(*key, role),
                placeholder=_("Choose a column") if role in needed else _("Not used"),
            )
    return {role: header or "" for role, header in chosen.items()}
