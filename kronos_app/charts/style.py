"""Colours, texts and layout of all figures.

Figures have the background and the text colour of the page, light or dark. Every line colour has a contrast of at
least 3 against both backgrounds. Rising candles are hollow and falling ones filled, so that direction never depends on
colour alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kronos_app.i18n import Text, text

# Streamlit replaces these two by the colours of the page's theme, in the browser and at each change of the theme.
TEXT, PAPER = "#000037", "#000038"
TEAL, ORANGE = "#1a9c8c", "#d96a22"
FORECAST, SECOND = "#6f7df2", "#c2559d"
NEUTRAL = "#7a8796"
HOLLOW = "rgba(0,0,0,0)"
LEGEND = {"orientation": "h", "yanchor": "bottom", "y": 1.01, "x": 0, "title": None}


@dataclass(frozen=True)
class MarketColours:
    """The colours of rising and falling prices, and their name for the reader."""

    up: str
    down: str
    name: Text


GREEN, RED = "#16975a", "#dc4a3d"
MARKET_COLOURS = {
    "green_up": MarketColours(GREEN, RED, text("Green up, red down")),
    "red_up": MarketColours(RED, GREEN, text("Red up, green down")),
    "colour_blind": MarketColours(TEAL, ORANGE, text("Teal up, orange down (colour-blind safe)")),
}


@dataclass(frozen=True)
class ChartStyle:
    """Texts, numbers and market colours of a figure, as the reader chose them.

    Attributes
    ----------
    band
        Name of a band, with `{level}`.
    open, high, low, close
        One letter each, for the read-out.
    tools
        Texts of the buttons on a chart, by name; see `chart.js`.
    language
        In the form of HTML, such as `zh-CN`; the read-out writes numbers in it.
    compact
        Returns a large count in short form, such as `5B`.
    """

    history: str
    forecast: str
    median: str
    actual: str
    band: str
    price: str
    volume: str
    cutoff: str
    open: str
    high: str
    low: str
    close: str
    tools: Mapping[str, str]
    language: str
    compact: Callable[[float], str]
    market: MarketColours


def plain_layout(height: int, **more: Any) -> dict[str, Any]:
    """Return the layout of a figure without a frame, its legend above; `more` overrides it and has the axes."""
    axes = {name: _readable(axis) for name, axis in more.items() if name.startswith(("xaxis", "yaxis"))}
    return {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "font": {"color": TEXT},
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "hovermode": "closest",
        "dragmode": "pan",
        "legend": LEGEND,
        **more,
        **axes,
    }


def _readable(axis: Mapping[str, Any]) -> dict[str, Any]:
    """Return an axis in the colour of other text: the template of Streamlit makes it paler."""
    colour = {"color": TEXT}
    title = {"title": {**axis["title"], "font": colour}} if "title" in axis else {}
    return {"tickfont": colour, **axis, **title}


def translucent(colour: str, opacity: float) -> str:
    """Return `#rrggbb` as an rgba colour.

    >>> translucent("#ff0080", 0.5)
    'rgba(255,0,128,0.5)'
    """
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


VALUE_AXIS: dict[str, Any] = {
    "side": "right",
    "automargin": True,
    "gridcolor": translucent(NEUTRAL, 0.22),
    "zeroline": False,
}
