"""What is doubtful about the data of a forecast, and what was done to it before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from kronos_app import nav, state
from kronos_app.data.draft import Finding
from kronos_app.services.candles.doubts import ABOUT_RUN, LOOK_AHEAD, Mark
from kronos_app.state import gettext as _
from kronos_app.widgets.candles.quality import describe_repair
from kronos_app.widgets.kit.errors import escape

MOST_SHOWN = 5
BADGES: dict[Mark, str] = {
    "look_ahead": "orange-badge[:material/history:",
    "doubtful": "orange-badge[:material/troubleshoot:",
    "repaired": "gray-badge[:material/build:",
}


def render_doubts(doubts: Sequence[Finding], *, link: bool = False) -> None:
    """Render each doubt about the run in a line, those about the candles in a popover; nothing where there are none.

    Parameters
    ----------
    link
        Add the way to the page where it can be mended.
    """
    for warning in doubts:
        if warning.code in ABOUT_RUN:
            icon = "history" if warning.code == LOOK_AHEAD else "warning"
            st.caption(f":orange[:material/{icon}:] " + escape(state.say(warning.message)))
    doubts = [doubt for doubt in doubts if doubt.code not in ABOUT_RUN]
    if not doubts:
        return
    label = _("Doubtful data: {count}").format(count=len(doubts))
    with st.popover(label, icon=":material/troubleshoot:", type="tertiary"):
        lines = [f"- {escape(state.say(doubt.message))}" for doubt in doubts[:MOST_SHOWN]]
        said = (
            _("This forecast would be made from doubtful data:") if link else _("This forecast is from doubtful data:")
        )
        st.markdown("\n".join([said, "", *lines]))
        if link:
            nav.link("data", _("Repair it on the Data page"), icon=":material/build:")


def stored(provenance: Mapping[str, Any]) -> list[Finding]:
    """Return what a forecast was warned of when it was made."""
    return [Finding.from_dict(data) for data in provenance.get("warnings", [])]


def repaired(provenance: Mapping[str, Any]) -> str:
    """Return in one sentence each what had been done to the candles, a dash where nothing is known."""
    record = provenance.get("repair")
    return "–" if record is None else describe_repair(record)


def badges(marks: Sequence[Mark]) -> str:
    """Return small badges for a line in a list."""
    return "".join(f" :{BADGES[mark]} {name}]" for mark, name in zip(marks, mark_names(marks), strict=True))


def mark_names(marks: Sequence[Mark]) -> list[str]:
    """Return what the marks mean, in a word or two each."""
    names = {"look_ahead": _("look-ahead"), "doubtful": _("doubtful data"), "repaired": _("repaired data")}
    return [names[mark] for mark in marks]
