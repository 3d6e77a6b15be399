"""The quality report of a series, and what a repair changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from kronos_app import state
from kronos_app.charts.quality import quality_chart
from kronos_app.data.checks.faults import usable
from kronos_app.data.checks.quality import QualityReport
from kronos_app.data.checks.repair import Repaired
from kronos_app.data.checks.score import FAIR, GOOD
from kronos_app.data.draft import Draft
from kronos_app.i18n import Text, text
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import formats, names
from kronos_app.widgets.kit.chart_style import chart_style
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.kit.figure import render_figure

COUNTS = ("dropped", "filled", "kept")
CHANGES_SHOWN = 1_000
ICONS = {"info": ":material/info:", "warning": ":material/warning:", "error": ":material/error:"}
COLOURS = {"info": "gray", "warning": "orange", "error": "red"}
ACTIONS = {
    "drop": text("left out"),
    "fill": text("filled"),
    "split": text("adjusted for a split"),
    "stale": text("left out, stale"),
    "outlier": text("left out, outlier"),
    "cap": text("capped"),
    "unfinished": text("left out, unfinished"),
}
# From the top lane of the chart down.
LANES = {
    "splits": text("Splits"),
    "jumps": text("Jumps"),
    "outliers": text("Outliers"),
    "stale": text("Stale prices"),
    "silent": text("No volume"),
    "mixed": text("Other interval"),
    "gaps": text("Gaps"),
    "unfinished": text("Unfinished"),
}
REPAIRED_BY = {
    "drop": text("Faulty rows were left out: {dropped}."),
    "ffill": text("Faulty rows were filled from the candle before: {filled}, or left out: {dropped}."),
    "keep": text("Impossible candles were kept: {kept}."),
}


def render_title(name: str) -> None:
    """Render the heading of the report on a series."""
    st.subheader(_("Quality of {name}").format(name=names.cut(name)), help=names.whole(name))


def render_report(report: QualityReport) -> None:
    """Render the quality report."""
    if report.rows:
        _score(report)
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
    suspicious = {
        _("Splits"): report.splits,
        _("Jumps"): report.jumps,
        _("Outliers"): report.outliers,
        _("Stale candles"): report.stale,
    }
    counts |= {label: formats.number(count, 0) for label, count in suspicious.items() if count}
    with st.container(border=True, horizontal=True, gap="medium"):
        for label, value in counts.items():
            st.metric(label, value, width=140)
    for finding in report.findings:
        sign = f":{COLOURS[finding.severity]}[{ICONS[finding.severity]}]"
        st.markdown(f"{sign} {escape(state.say(finding.message))}")
    if not report.findings:
        st.markdown(":green[:material/check_circle:] " + _("Nothing is wrong with these candles."))


def _score(report: QualityReport) -> None:
    """Render the score and why points were deducted."""
    colour = "green" if report.score >= GOOD else "orange" if report.score >= FAIR else "red"
    word = _("good") if report.score >= GOOD else _("fair") if report.score >= FAIR else _("doubtful")
    lost = [
        f":{colour}-badge[−{deduction.points} {escape(state.say(deduction.label))}]" for deduction in report.deductions
    ]
    title, score = _("Score"), _("{score} of 100").format(score=report.score)
    st.markdown(f"{title} **:{colour}[{score}]** · {word} " + " ".join(lost))


def render_marks(draft: Draft, report: QualityReport, key: str = "") -> None:
    """Render the whole series with its suspicious places marked; nothing where there are none."""
    if not report.marks:
        return
    closes = usable(draft.frame).set_index("timestamp")["close"]
    names = {code: state.say(name) for code, name in LANES.items()}
    figure = quality_chart(closes, report.marks, names, chart_style())
    render_figure(figure, f"data.marks{key}", _("Where in the series something was found"), "findings")


def describe_repair(record: Mapping[str, Any]) -> str:
    """Return what was done to a candle set, from its record."""
    choice = record.get("choice")
    said = []
    if choice in REPAIRED_BY:
        said.append(state.say(text(REPAIRED_BY[choice].msgid, **{name: record[name] for name in COUNTS})))
    elif record.get("dropped"):
        said.append(_("Repeated rows were left out: {dropped}.").format(dropped=record["dropped"]))
    said += [state.say(Text.from_dict(step["message"])) for step in record.get("steps", ())]
    return " ".join(said) or _("Nothing was changed.")


def render_changes(repaired: Repaired) -> None:
    """Render what a repair changed, cell by cell."""
    counts = {
        _("{count} rows left out"): repaired.dropped,
        _("{count} rows filled"): repaired.filled,
        _("{count} impossible candles kept"): repaired.kept,
    }
    parts = [words.format(count=count) for words, count in counts.items() if count]
    if repaired.sorted:
        parts.append(_("rows sorted by time"))
    if not (parts or repaired.steps):
        return
    if parts:
        st.markdown("**" + _("What changes:") + "** " + " · ".join(parts))
    for step in repaired.steps:
        st.markdown(f":gray[:material/build:] {escape(state.say(step.message))}")
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
