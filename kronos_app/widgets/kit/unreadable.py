"""Saved records that this version cannot read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from kronos_app import state
from kronos_app.state import gettext as _
from kronos_app.store.records import UnreadableRecord
from kronos_app.widgets.kit.confirm import confirm
from kronos_app.widgets.kit.errors import escape


def render_unreadable(records: Sequence[UnreadableRecord], page: str, delete: Callable[[str], object]) -> None:
    """Render each record that cannot be read with its reason and a button that deletes it."""
    for record in records:
        with st.container(border=True):
            words, buttons = st.columns([5, 2], vertical_alignment="center")
            badge, reason = _("unreadable"), state.say(record.reason)
            words.markdown(f"**{escape(record.id)}** :red-badge[{badge}]  \n:small[{escape(reason)}]")
            with buttons.container(horizontal=True, horizontal_alignment="right"):
                if st.button(_("Delete"), key=f"{page}.delete.{record.id}", icon=":material/delete:", type="tertiary"):
                    confirm(
                        _("Delete {name}?").format(name=record.id),
                        _("It cannot be read here, but the version of Kronos Desk that saved it may still read it."),
                        partial(delete, record.id),
                    )
