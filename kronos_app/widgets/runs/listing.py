"""The list of runs of one kind, and the page of one run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic

import streamlit as st

from kronos_app import nav, state
from kronos_app.i18n import Text
from kronos_app.services.runs.job_run import AnyJobRun
from kronos_app.services.runs.run import AnyRun
from kronos_app.services.runs.service import JobRunService, RunService
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import formats, paging
from kronos_app.widgets.kit.confirm import confirm
from kronos_app.widgets.kit.errors import escape, render_errors
from kronos_app.widgets.kit.unreadable import render_unreadable
from kronos_app.widgets.runs.words import badge

POLL_SECONDS = 2.0


class RunList(ABC, Generic[AnyRun]):
    """How runs of one kind are rendered.

    Attributes
    ----------
    page, parameter
        The page of the runs, and the parameter of its address that names a run.
    icon
        Of the message that there is none.
    none, all, kept, delete, deleted
        There is no run; link to the list; what a resumed run continues with; question and consequence of a deletion.
    """

    page: ClassVar[str]
    parameter: ClassVar[str]
    icon: ClassVar[str]
    none: ClassVar[Text]
    all: ClassVar[Text]
    kept: ClassVar[Text]
    delete: ClassVar[Text]
    deleted: ClassVar[Text]

    @property
    @abstractmethod
    def service(self) -> RunService[AnyRun]:
        """Return the service of the runs."""

    @abstractmethod
    def title(self, run: AnyRun) -> str:
        """Return the title of a run."""

    @abstractmethod
    def settings(self, run: AnyRun) -> Sequence[str]:
        """Return the settings that a list shows."""

    @abstractmethod
    def results(self, run: AnyRun) -> Sequence[str]:
        """Return the lines that a list shows of the result of a run."""

    @abstractmethod
    def sentence(self, run: AnyRun) -> str:
        """Return what a run does now and the time that is left."""

    @abstractmethod
    def render_actions(self, run: AnyRun) -> None:
        """Render the buttons of a run except Delete."""

    @abstractmethod
    def render_finished(self, run: AnyRun) -> None:
        """Render the result of a finished run."""

    def render_unfinished(self, run: AnyRun) -> None:
        """Render what a run shows before it has finished."""

    def badges(self, run: AnyRun) -> str:
        """Return the state of a run as a badge."""
        return badge(run.state)

    def phase(self, run: AnyRun) -> tuple[str, ...]:
        """Return what a page shows outside its progress: it is rendered again when this changes."""
        return (run.state,)

    def render(self) -> None:
        """Render a row for each run."""
        runs, unreadable = self.service.read_all()
        if not (runs or unreadable):
            st.info(state.say(self.none), icon=self.icon)
        for run in paging.choose_rows(runs, f"{self.page}.page"):
            self._render_row(run)
        render_unreadable(unreadable, self.page, self.service.delete)

    def render_run(self, run_id: str) -> None:
        """Render a run: its title, and its progress, its result or why it ended."""
        nav.link(self.page, state.say(self.all), icon=":material/arrow_back:")
        with render_errors():
            run = self.service.get(run_id)
            self._render_title(run)
            if run.active:
                _render_progress(self, run.id, self.phase(run), opened=True)
            elif run.state == "finished":
                self.render_finished(run)
            else:
                self._render_ended(run)
                self.render_unfinished(run)

    def render_button(
        self, action: str, run: AnyRun, label: str, icon: str, act: Callable[[str], object], about: str | None = None
    ) -> None:
        """Render a button that changes the state of a run; `about` is its help."""
        if st.button(label, key=f"{self.page}.{action}.{run.id}", icon=icon, help=about):
            with render_errors():
                act(run.id)
                st.rerun()

    def _details(self, run: AnyRun) -> str:
        started = _("started {moment}").format(moment=formats.moment(run.created))
        return escape(" · ".join([*self.settings(run), started]))

    def _render_row(self, run: AnyRun) -> None:
        with st.container(border=True):
            words, buttons = st.columns([5, 4], vertical_alignment="center")
            small = [self._details(run), *map(escape, self.results(run))]
            title = f"**{escape(self.title(run))}** {self.badges(run)}"
            words.markdown("  \n".join([title, *(f":small[{line}]" for line in small)]))
            with buttons.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
                nav.link(self.page, _("Open"), icon=":material/open_in_new:", **{self.parameter: run.id})
                self._render_buttons(run)
            if run.active:
                _render_progress(self, run.id, self.phase(run))
            if run.error is not None and not run.active:
                st.caption(":red[:material/error:] " + escape(state.say(run.error)))

    def _render_title(self, run: AnyRun) -> None:
        words, buttons = st.columns([5, 4], vertical_alignment="center")
        with words:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.subheader(escape(self.title(run)), width="content", anchor=False)
                st.markdown(self.badges(run), width="content")
            st.markdown(f":small[{self._details(run)}]")
        with buttons.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
            self._render_buttons(run)

    def _render_ended(self, run: AnyRun) -> None:
        kept = state.say(self.kept)
        if run.error is not None:
            st.error(escape(state.say(run.error)), icon=":material/error:")
        if run.state == "cancelled":
            st.info(_("It was cancelled. {kept}").format(kept=kept), icon=":material/cancel:")
        elif run.state == "paused":
            st.info(_("It was paused. {kept}").format(kept=kept), icon=":material/pause_circle:")
        elif run.state == "interrupted":
            st.warning(_("It was interrupted. {kept}").format(kept=kept), icon=":material/power_off:")

    def _render_buttons(self, run: AnyRun) -> None:
        self.render_actions(run)
        self._render_delete(run)

    def _render_delete(self, run: AnyRun) -> None:
        if st.button(_("Delete"), key=f"{self.page}.delete.{run.id}", icon=":material/delete:", type="tertiary"):
            question = state.say(self.delete).format(name=self.title(run))
            confirm(question, state.say(self.deleted), lambda: self._delete(run.id))

    def _delete(self, run_id: str) -> None:
        self.service.delete(run_id)
        st.query_params.pop(self.parameter, None)


class JobRunList(RunList[AnyJobRun]):
    """How runs are rendered that jobs make.

    Attributes
    ----------
    loading, counted, ending
        What a run does before the first step, with `{done}` and `{total}` steps, and after the last.
    """

    loading: ClassVar[Text]
    counted: ClassVar[Text]
    ending: ClassVar[Text]

    @property
    @abstractmethod
    def service(self) -> JobRunService[AnyJobRun]:
        """Return the service of the runs."""

    def sentence(self, run: AnyJobRun) -> str:
        """Return how many steps are done and the time that is left."""
        if run.state == "queued":
            return _("In the queue")
        if not run.total:
            return state.say(self.loading)
        if run.done >= run.total:
            return state.say(self.ending)
        steps = {"done": formats.number(run.done, 0), "total": formats.number(run.total, 0)}
        sentence = state.say(self.counted).format(**steps)
        if run.remaining_seconds is None:
            return sentence
        return sentence + " · " + _("about {time} left").format(time=formats.remaining(run.remaining_seconds))

    def render_actions(self, run: AnyJobRun) -> None:
        """Render the button that cancels or resumes a run."""
        if run.active:
            self.render_button("cancel", run, _("Cancel"), ":material/stop_circle:", self.service.cancel)
        elif run.state != "finished":
            self.render_button("resume", run, _("Resume"), ":material/play_arrow:", self.service.resume)


@st.fragment(run_every=POLL_SECONDS)
def _render_progress(runs: RunList[Any], run_id: str, phase: tuple[str, ...], *, opened: bool = False) -> None:
    """Render the progress of a run; render the page again once its phase has changed.

    Parameters
    ----------
    opened
        This is the page of the run.
    """
    with render_errors():
        run = runs.service.get(run_id)
        if runs.phase(run) != phase:
            st.rerun()
        st.progress(run.progress, text=runs.sentence(run))
        if opened:
            st.caption(_("You may close this page: the run continues, and this address shows the result."))
            runs.render_unfinished(run)
