"""One draft: the button that saves it, its quality, and the choice of repairs."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.data.checks.quality import QualityReport
from kronos_app.data.checks.repair import REPAIRS, Repaired
from kronos_app.data.draft import Draft
from kronos_app.i18n import text
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import calendar_choice, drafts, fix_choice, keys, last_candles, quality, use

REPAIR_WORDS = {
    "drop": (text("Drop"), text("Leave faulty candles out.")),
    "ffill": (text("Forward-fill"), text("Replace a faulty candle by a flat one at the close before it.")),
    "keep": (text("Keep"), text("Leave candles whose prices contradict each other as they are.")),
}
AS_ALL = "all"
PREVIEW_CANDLES = 500


def render_draft(
    draft: Draft, report: QualityReport | None = None, *, key: str = "", for_all: str | None = None
) -> None:
    """Render the button that saves a draft, its quality, and the choice of a repair where one is needed.

    Parameters
    ----------
    report
        Of the draft, where it is known already.
    key
        Tells the draft apart from others that are on the page with it.
    for_all
        The repair chosen for those others; it applies unless another is chosen for this one.
    """
    original, draft = draft, calendar_choice.apply_choice(draft, key)
    if draft is not original:
        report = desk().candles.inspect(draft)
    elif report is None:
        report = drafts.inspect_once([draft])[0]
    quality.render_title(draft.name)
    top = st.container()  # filled last: what is saved depends on the choices below
    quality.render_report(report)
    if report.rows == 0:
        return
    quality.render_marks(draft, report, key)
    calendar_choice.render_choice(draft, key)
    if not report.clean:
        st.subheader(_("Repair"))
        render_repair_choice(key, for_all)
    fix_choice.render_fixes(report, key)
    repaired = preview(draft, report, key, for_all)
    quality.render_changes(repaired)
    last_candles.render_last_candles(repaired.candles, PREVIEW_CANDLES, "data.preview")
    with top:
        use.render_use(repaired, report, key)


def preview(draft: Draft, report: QualityReport, key: str = "", for_all: str | None = None) -> Repaired:
    """Return the draft's candles with everything done that was chosen for it."""
    fixes, interval = fix_choice.chosen_fixes(report, key), fix_choice.chosen_interval(report, key)
    return desk().candles.preview(draft, chosen_repair(report, key, for_all), fixes, interval)


def render_repair_choice(key: str = "", for_all: str | None = None) -> None:
    """Render the choice of a repair; `chosen_repair` returns it."""
    labels = {name: state.say(words[0]) for name, words in REPAIR_WORDS.items()}
    captions = [state.say(REPAIR_WORDS[name][1]) for name in REPAIRS]
    names = list(REPAIRS)
    if for_all is not None:
        names = [AS_ALL, *names]
        labels[AS_ALL] = _("As for all")
        captions = [labels[for_all], *captions]
    st.radio(
        _("What to do with faulty rows"),
        names,
        format_func=labels.__getitem__,
        captions=captions,
        key=keys.REPAIR + key,
        persist_state="session" if key else None,
    )


def chosen_repair(report: QualityReport, key: str = "", for_all: str | None = None) -> str | None:
    """Return the repair of a draft: none where it needs none, its own, or the one for all."""
    own = st.session_state.get(keys.REPAIR + key)
    return None if report.clean else for_all if own in {None, AS_ALL} else own
