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
from kronos_app.services.models.limits import DEFAULT_MODEL

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
    """Return the query parameters of every page: language, market colours, data set and model, defaults left out."""
    from kronos_app.settings import get_settings

    used = {
        "lang": (state.language(), get_settings().language),
        state.DATA_PARAMETER: (state.candles_id(), None),
        "colours": (state.market_colours(), None),
        state.MODEL_PARAMETER: (state.model(), DEFAULT_MODEL),
    }
    return {name: value for name, (value, default) in used.items() if value is not None and value != default}


def update_address() -> None:
    """Put what is in use into the address; what the page put there stays."""
    parameters = shared_parameters()
    for name in {state.DATA_PARAMETER, state.MODEL_PARAMETER} - parameters.keys():
        st.query_params.pop(name, None)
    # Also where nothing differs: after a link to the page that is open, the browser gets its parameters from here only.
    st.query_params.update(parameters)
