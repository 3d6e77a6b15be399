"""Words that several widgets use, in the session's language."""

from __future__ import annotations

from kronos_app.charts.style import Words
from kronos_app.state import gettext as _


def chart_words() -> Words:
    """Return the words of every figure."""
    return Words(
        history=_("History"),
        forecast=_("Median forecast"),
        actual=_("What came"),
        band=_("{level} % band of the close"),
        price=_("Price"),
        volume=_("Volume"),
        cutoff=_("Cutoff"),
        open=_("Open price"),
        high=_("High price"),
        low=_("Low price"),
        close=_("Close price"),
    )


def window_names() -> dict[str, str]:
    """Return the ways to treat what exceeds the context, with their names."""
    return {"fit": _("Fit"), "exact": _("Exact"), "strided": _("Strided")}


def drift_name(*, driftless: bool) -> str:
    """Return what became of the drift of a forecast's paths."""
    return _("taken out") if driftless else _("as drawn")
