"""Several drafts at once: the quality of each, a repair for all, and the button that saves all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from kronos_app.data.checks.quality import QualityReport
from kronos_app.data.draft import Draft
from kronos_app.jobs import Job
from kronos_app.runtime import desk
from kronos_app.services.candles.series_choices import SeriesChoice
from kronos_app.services.candles.uploads import SavedSeries
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import calendar_choice, drafts, examine, fix_choice, keys, saving
from kronos_app.widgets.kit import errors, formats

FOR_ALL = ".all"
MOST_UPDATES = 100  # of a progress bar: each is a message to the browser


@dataclass(frozen=True)
class Series:
    """A draft among others: its report, and a key that tells it from those of the same name."""

    draft: Draft
    report: QualityReport
    key: str


@dataclass(frozen=True)
class Kept:
    """The result of saving all that was `read`."""

    read: tuple[int, ...]
    saved: SavedSeries


def render_series(found: Sequence[Draft]) -> None:
    """Render one draft in full, several as a table with a choice of one to render in full."""
    if len(found) == 1:
        examine.render_draft(found[0])
    if len(found) < 2:
        return
    read = tuple(id(draft) for draft in found)
    found = [calendar_choice.apply_choice(draft, _key(number, draft)) for number, draft in enumerate(found)]
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
        _("Show one of them"),
        range(len(series)),
        None,
        format_func=labels.__getitem__,
        key=keys.SERIES,
        placeholder=_("Choose a series"),
    )
    if chosen is not None and chosen < len(series):
        item = series[chosen]
        with errors.render_errors():
            examine.render_draft(item.draft, item.report, key=item.key, for_all=for_all)


def _reports(found: Sequence[Draft]) -> list[QualityReport]:
    """Return the reports; those that have to be made first show how far they are."""
    place = st.empty()
    words = _("Checking series {done} of {count}")
    every = max(len(found) // MOST_UPDATES, 1)

    def on_report(done: int) -> None:
        if done % every == 0:
            place.progress(done / len(found), text=words.format(done=done + 1, count=len(found)))

    reports = drafts.inspect_once(found, on_report)
    place.empty()
    return reports


def _key(number: int, draft: Draft) -> str:
    return f".{number}.{draft.name}"


def _table(series: Sequence[Series]) -> None:
    needs_repair, good = _("needs a repair"), _("good")
    table = pd.DataFrame({
        "name": [one.draft.name for one in series],
        "file": [one.draft.about.origin for one in series],
        "rows": [one.report.rows for one in series],
        "first": [formats.MISSING if one.report.first is None else formats.time(one.report.first) for one in series],
        "last": [formats.MISSING if one.report.last is None else formats.time(one.report.last) for one in series],
        "interval": [_interval(one.report) for one in series],
        "gaps": [one.report.gaps for one in series],
        "score": [one.report.score for one in series],
        "state": [good if one.report.clean else needs_repair for one in series],
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
    """Render one choice of repair for all series that need one, and return it."""
    faulty = sum(not one.report.clean for one in series)
    if faulty:
        st.subheader(_("Repair for all"))
        st.caption(_("{faulty} of {count} series need one.").format(faulty=faulty, count=len(series)))
        examine.render_repair_choice(FOR_ALL)
    return str(st.session_state.get(keys.REPAIR + FOR_ALL) or "drop")


def _keep_all(series: Sequence[Series], for_all: str, read: tuple[int, ...]) -> None:
    label = _("Save all {count}").format(count=formats.number(len(series), 0))
    job = saving.find_job()
    busy = job is not None and job.active
    if st.button(label, type="primary", icon=":material/done_all:", key=keys.KEPT + ".button", disabled=busy):
        saved = desk().uploads.save_series([_choice(one, for_all) for one in series])
        if isinstance(saved, Job):
            saving.follow_job(saved)
        else:
            st.session_state[keys.KEPT] = Kept(read, saved)
            saving.use_first(saved)
        st.rerun()  # the sidebar, drawn before, must say what is in use
    kept: Kept | None = st.session_state.get(keys.KEPT)
    if kept is not None and kept.read == read:
        saving.render_saved(kept.saved)


def _choice(one: Series, for_all: str) -> SeriesChoice:
    fixes, interval = fix_choice.chosen_fixes(one.report, one.key), fix_choice.chosen_interval(one.report, one.key)
    return SeriesChoice(one.draft, examine.chosen_repair(one.report, one.key, for_all), fixes, interval)
