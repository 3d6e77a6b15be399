"""The logo and the styles that the theme cannot express."""

from __future__ import annotations

import json
from pathlib import Path

import streamlit as st

from kronos_app.state import gettext as _

ICON = Path(__file__).with_name("icon.svg")
LOGO = Path(__file__).with_name("logo.svg")
CSS = Path(__file__).with_name("style.css")


def apply() -> None:
    """Render the logo and add the styles."""
    st.html(CSS)
    words = json.dumps(_("Choose a file, or drop it here"), ensure_ascii=False)
    st.html(f"<style>:root {{ --choose-a-file: {words}; }}</style>")
    st.logo(LOGO, size="large", icon_image=ICON)
