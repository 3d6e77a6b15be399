"""What is in a file, what is wrong with it, and what a repair changed."""

from __future__ import annotations

import streamlit as st

from kronos_app import nav, state
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.data.quality import QualityReport
from kronos_app.data.repair import Repaired
from kronos_app.i18n import text
from kronos_app.widgets import formats, last_candles
from kronos_app.widgets.errors import escape

PREVIEW_CANDLES = 500
CHANGES_SHOWN = 1_000
ICONS = {"info": ":material/info:", "warning": ":material/warning:", "error": ":material/error:"}
COLOURS = {"info": "gray", "warning": "orange", "error": "red"}
ACTIONS = {"drop": text("left out"), "fill": text("filled")}


def draw(name: str, report: QualityReport) -> None:
    """Draw the quality report."""
    _ = state.gettext()
    st.subheader(_("Quality of {name}").format(name=escape(name)))
    counts = {
        _("Candles"): formats.number(report.rows, 0),
        _("First"): formats.MISSING if report.first is None else formats.time(report.first),
        _("Last"): formats.MISSING if report.last is None else formats.time(report.last),
        _("Interval"): formats.span(report.interval.total_seconds()) if report.interval else formats.MISSING,
        _("Gaps"): formats.number(report.gaps, 0),
        _("Duplicate times"): formats.number(report.duplicates, 0),
        _("Sorted"): _("no") if report.unsorted else _("yes"),
        _("Missing cells"): formats.number(report.missing, 0),
        _("Unreadable cells"): formats.number(report.unreadable, 0),
        _("Prices of zero or less"): formats.number(report.non_positive, 0),
        _("Impossible candles"): formats.number(report.impossible, 0),
        _("Without volume"): formats.number(report.zero_volume, 0),
    }
    with st.container(border=True, horizontal=True, gap="medium"):
        for label, value in counts.items():
            st.metric(label, value, width=140)
    for finding in report.findings:
        sign = f":{COLOURS[finding.severity]}[{ICONS[finding.severity]}]"
        st.markdown(f"{sign} {escape(state.say(finding.message))}")
    if not report.findings:
        st.markdown(":green[:material/check_circle:] " + _("Nothing is wrong with these candles."))


def draw_repaired(repaired: Repaired) -> None:
    """Draw what a repair did, cell by cell."""
    _ = state.gettext()
    if not (repaired.dropped or repaired.filled or repaired.kept or repaired.sorted):
        return
    parts = [
        _("{count} rows left out").format(count=repaired.dropped),
        _("{count} rows filled").format(count=repaired.filled),
        _("{count} impossible candles kept").format(count=repaired.kept),
    ]
    if repaired.sorted:
        parts.append(_("rows brought into the order of time"))
    st.markdown("**" + _("What changes:") + "** " + " · ".join(parts))
    if repaired.changes.empty:
        return
    shown = repaired.changes.head(CHANGES_SHOWN)
    shown = shown.assign(action=shown["action"].map(lambda action: state.say(ACTIONS[action])))
    st.dataframe(
        shown,
        hide_index=True,
        height=min(38 * (len(shown) + 1), 260),
        column_config={
            "row": st.column_config.NumberColumn(_("Row"), format="%d"),
            "timestamp": st.column_config.DatetimeColumn(_("Time"), format="YYYY-MM-DD HH:mm"),
            "action": _("Action"),
            "column": _("Column"),
            "before": _("Before"),
            "after": _("After"),
        },
        alt=_("Cells that the repair changes"),
    )
    if len(repaired.changes) > len(shown):
        st.caption(_("The first {shown} of {count} changes.").format(shown=len(shown), count=len(repaired.changes)))


def draw_preview(candles: CandleFrame) -> None:
    """Draw the last candles."""
    last_candles.draw(candles, PREVIEW_CANDLES, "data.preview")


def draw_next() -> None:
    """Draw where to go with a data set in use."""
    _ = state.gettext()
    st.success(_("This data set is in use."), icon=":material/check_circle:")
    nav.link("forecast", _("Make a forecast"), icon=":material/candlestick_chart:")
