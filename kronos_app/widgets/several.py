"""Several drafts at once: what is wrong with each, a repair for all, and keeping them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.data.draft import Draft
from kronos_app.data.quality import QualityReport
from kronos_app.errors import AppError
from kronos_app.i18n import Text
from kronos_app.runtime import desk
from kronos_app.widgets import calendar_choice, drafts, errors, examine, formats

FOR_ALL = ".all"
REFUSALS_SHOWN = 10


@dataclass(frozen=True)
class Series:
    """A draft among others: its report, and a key that tells it from those of the same name."""

    draft: Draft
    report: QualityReport
    key: str


@dataclass(frozen=True)
class Kept:
    """What keeping all that was `read` led to: the candle sets, and why the others could not be kept."""

    read: tuple[int, ...]
    sets: tuple[str, ...]
    refused: tuple[tuple[str, Text], ...]


def draw(found: Sequence[Draft]) -> None:
    """Draw one draft as it is, several as a table with a choice of one to look at."""
    if len(found) == 1:
        examine.draw(found[0])
    if len(found) < 2:
        return
    _ = state.gettext()
    read = tuple(id(draft) for draft in found)
    found = [calendar_choice.chosen(draft, _key(number, draft)) for number, draft in enumerate(found)]
    reports = _reports(found)
    series = [
        Series(draft, report, _key(number, draft))
        for number, (draft, report) in enumerate(zip(found, reports, strict=True))
    ]
    st.subheader(_("{count} series").format(count=formats.number(len(series), 0)))
    _table(series)
    for_all = _for_all(series)
    _keep_all(series, for_all, read)
    labels = _labels(series)
    chosen = st.selectbox(
        _("Look at one of them"),
        range(len(series)),
        None,
        format_func=labels.__getitem__,
        key=state.DATA_SERIES,
        placeholder=_("Choose a series"),
    )
    if chosen is not None and chosen < len(series):
        one = series[chosen]
        with errors.shown():
            examine.draw(one.draft, one.report, key=one.key, for_all=for_all)


def _reports(found: Sequence[Draft]) -> list[QualityReport]:
    """Return the reports; those that have to be made first show how far they are."""
    _ = state.gettext()
    place = st.empty()
    words = _("Looking at {done} of {count} series")

    def on_report(done: int) -> None:
        place.progress(done / len(found), text=words.format(done=done + 1, count=len(found)))

    reports = drafts.reports(found, on_report)
    place.empty()
    return reports


def _key(number: int, draft: Draft) -> str:
    return f".{number}.{draft.name}"


def _table(series: Sequence[Series]) -> None:
    _ = state.gettext()
    needed, fine = _("needs a repair"), _("good")
    table = pd.DataFrame({
        "name": [one.draft.name for one in series],
        "file": [one.draft.about.origin for one in series],
        "rows": [one.report.rows for one in series],
        "first": [formats.MISSING if one.report.first is None else formats.time(one.report.first) for one in series],
        "last": [formats.MISSING if one.report.last is None else formats.time(one.report.last) for one in series],
        "interval": [_interval(one.report) for one in series],
        "gaps": [one.report.gaps for one in series],
        "score": [one.report.score for one in series],
        "state": [fine if one.report.clean else needed for one in series],
    })  # fmt: skip
    if table["file"].nunique() < 2 or (table["file"] == table["name"]).all():
        table = table.drop(columns="file")
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            "name": _("Series"),
            "file": _("File"),
            "rows": st.column_config.NumberColumn(_("Candles"), format="localized"),
            "first": _("First"),
            "last": _("Last"),
            "interval": _("Interval"),
            "gaps": st.column_config.NumberColumn(_("Gaps"), format="localized"),
            "score": st.column_config.NumberColumn(
                _("Score"), format="%d", help=_("How far the candles can be trusted as they are, from 0 to 100.")
            ),
            "state": _("State"),
        },
        alt=_("What was read, one line a series"),
    )


def _interval(report: QualityReport) -> str:
    return formats.span(report.interval.total_seconds()) if report.interval else formats.MISSING


def _labels(series: Sequence[Series]) -> list[str]:
    """Return what tells series apart: the name, and the file where several share one."""
    count = Counter(one.draft.name for one in series)
    return [
        f"{one.draft.name} · {one.draft.about.origin}"
        if count[one.draft.name] > 1 and one.draft.about.origin
        else one.draft.name
        for one in series
    ]


def _for_all(series: Sequence[Series]) -> str:
    """Ask once for a repair of all that need one."""
    _ = state.gettext()
    faulty = sum(not one.report.clean for one in series)
    if faulty:
        st.subheader(_("Repair for all"))
        st.caption(_("{faulty} of {count} series need one.").format(faulty=faulty, count=len(series)))
        examine.choose(FOR_ALL)
    return str(st.session_state.get(state.DATA_REPAIR + FOR_ALL) or "drop")


def _keep_all(series: Sequence[Series], for_all: str, read: tuple[int, ...]) -> None:
    _ = state.gettext()
    label = _("Keep all {count}").format(count=formats.number(len(series), 0))
    if st.button(label, type="primary", icon=":material/done_all:", key=state.DATA_KEPT + ".button"):
        done = _kept(series, for_all, read)
        st.session_state[state.DATA_KEPT] = done
        if done.sets and state.candles_id() not in done.sets:
            state.use_candles(done.sets[0])
        st.rerun()  # the sidebar, drawn before, must say what is in use
    kept: Kept | None = st.session_state.get(state.DATA_KEPT)
    if kept is None or kept.read != read:
        return
    if kept.sets:
        said = _("{count} data sets were kept. Choose one of them below, or on the Forecast page.")
        st.success(said.format(count=formats.number(len(kept.sets), 0)), icon=":material/check_circle:")
    if kept.refused:
        lines = [f"- **{errors.escape(name)}**: {errors.escape(state.say(why))}" for name, why in kept.refused]
        more = len(lines) - REFUSALS_SHOWN
        rest = [_("and {count} more").format(count=more)] if more > 0 else []
        st.warning("\n".join([_("These could not be kept:"), "", *lines[:REFUSALS_SHOWN], *rest]))


def _kept(series: Sequence[Series], for_all: str, read: tuple[int, ...]) -> Kept:
    _ = state.gettext()
    ready = []
    refused = []
    words = _("Keeping {name}")
    bar = st.progress(0.0)
    for number, one in enumerate(series):
        bar.progress(number / len(series), text=errors.escape(words.format(name=one.draft.name)))
        try:
            ready.append((examine.preview(one.draft, one.report, one.key, for_all), one.report))
        except AppError as error:
            refused.append((one.draft.name, error.message))
    saved = desk().candles.save_all(ready)
    bar.empty()
    return Kept(read, tuple(dict.fromkeys(candle_set.id for candle_set in saved)), tuple(refused))
