"""Words of evaluations and backtests alike, in the session's language."""

from __future__ import annotations

from typing import Any

from kronos_app.services.runs.views import WorkView
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import formats

COLOURS = {
    "queued": "gray",
    "running": "blue",
    "finished": "green",
    "failed": "red",
    "cancelled": "orange",
    "interrupted": "orange",
}


def badge(seen: WorkView[Any]) -> str:
    """Return the state of a piece of work as a badge."""
    names = {
        "queued": _("queued"),
        "running": _("running"),
        "finished": _("finished"),
        "failed": _("failed"),
        "cancelled": _("cancelled"),
        "interrupted": _("interrupted"),
    }
    return f":{COLOURS[seen.state]}-badge[{names[seen.state]}]"


def sentence(seen: WorkView[Any], loading: str, counted: str, ending: str) -> str:
    """Return how far it is and how long it will take, as far as that is known.

    Parameters
    ----------
    loading, ending
        What it does before the first step and after the last.
    counted
        With `{done}` and `{total}`.
    """
    if seen.state == "queued":
        return _("Waiting for the work before it to finish")
    if not seen.total:
        return loading
    if seen.done >= seen.total:
        return ending
    told = counted.format(done=formats.number(seen.done, 0), total=formats.number(seen.total, 0))
    if seen.remaining is None:
        return told
    return told + " · " + _("about {time} left").format(time=formats.remaining(seen.remaining))
