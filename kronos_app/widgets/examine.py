"""One draft: what is wrong with it, what to do about that, and keeping the result."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.data.draft import Draft
from kronos_app.data.quality import QualityReport
from kronos_app.data.repair import REPAIRS, Repaired
from kronos_app.i18n import text
from kronos_app.runtime import desk
from kronos_app.widgets import quality

REPAIR_WORDS = {
    "drop": (text("Drop"), text("Leave faulty candles out.")),
    "ffill": (text("Forward-fill"), text("Replace a faulty candle by a flat one at the close before it.")),
    "keep": (text("Keep"), text("Leave candles whose prices contradict each other as they are.")),
}


def draw(draft: Draft) -> None:
    """Draw the quality of a draft, the choice of a repair where one is needed, and the button that keeps it."""
    report = desk().candles.inspect(draft)
    quality.draw(draft.name, report)
    if report.rows == 0:
        return
    choice = None if report.clean else _choose()
    repaired = desk().candles.preview(draft, choice)
    quality.draw_repaired(repaired)
    quality.draw_preview(repaired.candles)
    _save(repaired, report)


def _choose() -> str:
    _ = state.gettext()
    st.subheader(_("Repair"))
    labels = {key: state.say(REPAIR_WORDS[key][0]) for key in REPAIRS}
    return st.radio(
        _("What to do with faulty rows"),
        REPAIRS,
        format_func=labels.__getitem__,
        captions=[state.say(REPAIR_WORDS[key][1]) for key in REPAIRS],
        key=state.DATA_REPAIR,
    )


def _save(repaired: Repaired, report: QualityReport) -> None:
    _ = state.gettext()
    if st.button(_("Use this data set"), type="primary", icon=":material/check:"):
        saved = desk().candles.save(repaired, report)
        state.use_candles(saved.id)
        st.toast(_("Kept, and now in use."), icon=":material/check:")
        st.rerun()
    if state.candles_id() == repaired.candles.digest[:16]:
        quality.draw_next()
