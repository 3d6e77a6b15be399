"""The mark and the few rules of style that the theme cannot say."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

ICON = Path(__file__).with_name("icon.svg")
LOGO = Path(__file__).with_name("logo.svg")
CSS = Path(__file__).with_name("style.css")


def apply() -> None:
    """Draw the mark and add the few rules of style."""
    st.html(CSS)
    st.logo(LOGO, size="large", icon_image=ICON)
