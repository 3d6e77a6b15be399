"""Words of figures, in the language of the session."""

from __future__ import annotations

from kronos_app.charts.style import Words
from kronos_app.state import gettext as _


def chart_words() -> Words:
    """Return the words of all figures."""
    return Words(
        history=_("History"),
        forecast=_("Median forecast"),
        actual=_("Actual"),
        band=_("{level} % band of the close"),
        price=_("Price"),
        volume=_("Volume"),
        cutoff=_("Cutoff"),
        open=_("Open price"),
        high=_("High price"),
        low=_("Low price"),
        close=_("Close price"),
    )
