"""Tags: the field that chooses or makes them, and how a list shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from kronos_app.services.core.labels import MOST_TAGS
from kronos_app.state import gettext as _
from kronos_app.widgets.kit.errors import escape


def render_tags(
    label: str, key: str, tags: Sequence[str], used: Sequence[str], width: int | Literal["stretch"] = "stretch"
) -> list[str]:
    """Render the field for tags, which offers those in use, and return the chosen ones."""
    return st.multiselect(
        label,
        list(dict.fromkeys([*tags, *used])),
        list(tags),
        key=key,
        accept_new_options=True,
        max_selections=MOST_TAGS,
        placeholder=_("Choose or type tags"),
        width=width,
    )


def tag_badges(tags: Sequence[str]) -> str:
    """Return tags as badges in Markdown, with a space before each."""
    return "".join(f" :blue-badge[{escape(tag)}]" for tag in tags)
