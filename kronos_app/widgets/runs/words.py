"""The states of runs, as badges in the session's language."""

from __future__ import annotations

from kronos_app import state
from kronos_app.i18n import text

STATES = {
    "queued": ("gray", text("queued")),
    "running": ("blue", text("running")),
    "paused": ("orange", text("paused")),
    "finished": ("green", text("finished")),
    "failed": ("red", text("failed")),
    "cancelled": ("orange", text("cancelled")),
    "interrupted": ("orange", text("interrupted")),
}


def badge(run_state: str) -> str:
    """Return a state as a badge."""
    colour, word = STATES[run_state]
    return f":{colour}-badge[{state.say(word)}]"
