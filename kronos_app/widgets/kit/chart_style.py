"""Texts and colours of charts, as the session chose them."""

from __future__ import annotations

from kronos_app import state
from kronos_app.charts.style import MARKET_COLOURS, ChartStyle
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import formats


def chart_style() -> ChartStyle:
    """Return texts, number format and market colours of all charts."""
    return ChartStyle(
        history=_("History"),
        forecast=_("Forecast"),
        median=_("Median"),
        actual=_("Actual"),
        band=_("{level} % band"),
        price=_("Price"),
        volume=_("Volume"),
        cutoff=_("Cutoff"),
        open=_("O"),
        high=_("H"),
        low=_("L"),
        close=_("C"),
        tools={
            "in": _("Zoom in"),
            "out": _("Zoom out"),
            "reset": _("Reset"),
            "full": _("Full screen"),
            "png": _("Download PNG"),
            "svg": _("Download SVG"),
        },
        language=state.language().replace("_", "-"),
        compact=formats.compact,
        market=MARKET_COLOURS[market_colours()],
    )


def market_colours() -> str:
    """Return the key of the market colours: as chosen, else red for rising prices in Chinese and green elsewhere."""
    chosen = state.market_colours()
    return chosen if chosen in MARKET_COLOURS else "red_up" if state.language() == "zh_CN" else "green_up"
