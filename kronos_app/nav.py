"""The pages and links to them.

Pages are given to Streamlit as absolute paths and linked as page objects: Streamlit's own discovery would run a page of
`pages/` without the frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from kronos_app import state
from kronos_app.i18n import Text, text

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

FOLDER = Path(__file__).resolve().parent.parent / "pages"


@dataclass(frozen=True)
class Entry:
    """A page: its script in `pages/`, its icon and its title."""

    file: str
    icon: str
    title: Text


ENTRIES: dict[str, Entry] = {
    "home": Entry("home.py", ":material/home:", text("Home")),
    "data": Entry("data.py", ":material/database:", text("Data")),
    "models": Entry("models.py", ":material/memory:", text("Models")),
    "forecast": Entry("forecast.py", ":material/candlestick_chart:", text("Forecast")),
    "live": Entry("live.py", ":material/sensors:", text("Live")),
    "evaluate": Entry("evaluate.py", ":material/query_stats:", text("Evaluate")),
    "backtest": Entry("backtest.py", ":material/finance:", text("Backtest")),
    "finetune": Entry("finetune.py", ":material/model_training:", text("Fine-tune")),
    "history": Entry("history.py", ":material/history:", text("History")),
}


def page(name: str) -> StreamlitPage:
    """Return the page object of an entry, titled in the session's language."""
    entry = ENTRIES[name]
    return st.Page(
        FOLDER / entry.file, title=state.say(entry.title), icon=entry.icon, url_path=name, default=name == "home"
    )


def link(name: str, label: str, *, icon: str | None = None, **query: str) -> None:
    """Render a link to a page with query parameters."""
    st.page_link(page(name), label=label, icon=icon, query_params={**query, **shared_parameters()})


def go(name: str, **query: str) -> None:
    """Switch to a page."""
    st.switch_page(page(name), query_params={**query, **shared_parameters()})


def shared_parameters() -> dict[str, str]:
    """Return the query parameters of every page: the language if not the deployment's, market colours if chosen."""
    from kronos_app.settings import get_settings

    chosen = state.language()
    parameters = {} if chosen == get_settings().language else {"lang": chosen}
    colours = state.market_colours()
    return parameters if colours is None else parameters | {"colours": colours}
