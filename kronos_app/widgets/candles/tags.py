"""Tags: the field that chooses or makes them, and how a list shows them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from kronos_app.runtime import desk
from kronos_app.services.core.labels import MOST_TAGS
from kronos_app.state import gettext as _
from kronos_app.widgets.kit.errors import escape


def render_tags(key: str, tags: Sequence[str] = ()) -> list[str]:
    """Render the field for tags, which offers those of all data sets, and return the chosen ones."""
    return st.multiselect(
        _("Tags"),
        list(dict.fromkeys([*tags, *desk().candles.labels.all_tags()])),
        list(tags),
        key=key,
        accept_new_options=True,
        max_selections=MOST_TAGS,
        placeholder=_("Choose or type tags"),
    )


def tag_badges(tags: Sequence[str]) -> str:
    """Return tags as badges in Markdown, with a space before each."""
    return "".join(f" :blue-badge[{escape(tag)}]" for tag in tags)
