"""Work of one kind: all of it, the newest first, and one piece until it has finished."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import streamlit as st

from kronos_app import nav, state
from kronos_app.i18n import Text
from kronos_app.services.runs.service import WorkService
from kronos_app.services.runs.views import WorkView
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import paging
from kronos_app.widgets.kit.confirm import confirm
from kronos_app.widgets.kit.errors import escape, shown
from kronos_app.widgets.kit.unreadable import render_unreadable
from kronos_app.widgets.runs import words as work_words

POLL_SECONDS = 2.0

View = TypeVar("View", bound=WorkView[Any])


class WorkList(ABC, Generic[View]):
    """How work of one kind is listed, headed and acted upon; what it found is drawn by others.

    Attributes
    ----------
    page
        That shows it.
    parameter
        Of the address, which names one piece of work by it.
    icon
        Beside the words where there is none yet.
    page_key
        Of the session state: which part of a long list is shown.
    """

    page: str
    parameter: str
    icon: str
    page_key: str

    @property
    @abstractmethod
    def service(self) -> WorkService[Any, View]:
        """Return the service behind it."""

    @abstractmethod
    def title(self, seen: View) -> str:
        """Return what tells it from others."""

    @abstractmethod
    def details(self, seen: View) -> str:
        """Return what it is made of, in one line."""

    @abstractmethod
    def sentence(self, seen: View) -> str:
        """Return how far it is."""

    @abstractmethod
    def verdicts(self, seen: View) -> Sequence[Text]:
        """Return what came of it, in sentences."""

    @abstractmethod
    def words(self) -> dict[str, str]:
        """Return `none`, `all`, `kept` (what a resumed one need not do again), `delete` (with `{name}`) and `gone`."""

    def more_actions(self, seen: View) -> None:
        """Draw what else can be done about one."""

    def draw(self) -> None:
        """Draw one row for each."""
        found, unreadable = self.service.list(), self.service.unreadable()
        if not (found or unreadable):
            st.info(self.words()["none"], icon=self.icon)
        for one in paging.shown(found, self.page_key):
            self._row(one)
        render_unreadable(unreadable, self.page, self.service.delete)

    def draw_one(self, work_id: str, draw_finished: Callable[[View], None]) -> None:
        """Draw one: its head, and how far it is, what came of it or why it ended."""
        nav.link(self.page, self.words()["all"], icon=":material/arrow_back:")
        with shown():
            seen = self.service.get(work_id)
            self._head(seen)
            if seen.active:
                _progress(self, seen.id, seen.state)
                st.caption(_("You may leave or close this page: the work goes on, and this address shows the result."))
            elif seen.report is not None:
                draw_finished(seen)
            else:
                self._ended(seen)

    def _row(self, seen: View) -> None:
        with st.container(border=True):
            words, buttons = st.columns([5, 3], vertical_alignment="center")
            with words:
                st.markdown(
                    f"**{escape(self.title(seen))}** {work_words.badge(seen)}  \n:small[{escape(self.details(seen))}]"
                )
            with buttons.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
                nav.link(self.page, _("Open"), icon=":material/open_in_new:", **{self.parameter: seen.id})
                self._actions(seen)
            for told in self.verdicts(seen):
                st.markdown(f":small[{escape(state.say(told))}]")
            if seen.active:
                _progress(self, seen.id, seen.state)
            if seen.error is not None and seen.state == "failed":
                st.caption(":red[:material/error:] " + escape(state.say(seen.error)))

    def _head(self, seen: View) -> None:
        words, buttons = st.columns([5, 4], vertical_alignment="center")
        with words:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.subheader(escape(self.title(seen)), width="content", anchor=False)
                st.markdown(work_words.badge(seen), width="content")
            st.markdown(f":small[{escape(self.details(seen))}]")
        with buttons.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
            self._actions(seen)

    def _ended(self, seen: View) -> None:
        kept = self.words()["kept"]
        if seen.error is not None:
            st.error(escape(state.say(seen.error)), icon=":material/error:")
        elif seen.state == "cancelled":
            st.info(_("{one} {other}").format(one=_("It was cancelled."), other=kept), icon=":material/cancel:")
        else:
            told = _("{one} {other}").format(one=_("It was interrupted."), other=kept)
            st.warning(told, icon=":material/power_off:")

    def _actions(self, seen: View) -> None:
        if seen.active:
            if self._button("cancel", seen, _("Cancel"), ":material/stop_circle:"):
                self._act(self.service.cancel, seen.id)
        elif seen.state != "finished" and self._button("resume", seen, _("Resume"), ":material/play_arrow:"):
            self._act(self.service.resume, seen.id)
        self.more_actions(seen)
        if st.button(_("Delete"), key=f"{self.page}.delete.{seen.id}", icon=":material/delete:", type="tertiary"):
            words = self.words()
            confirm(words["delete"].format(name=self.title(seen)), words["gone"], lambda: self._delete(seen.id))

    def _button(self, action: str, seen: View, label: str, icon: str) -> bool:
        return st.button(label, key=f"{self.page}.{action}.{seen.id}", icon=icon)

    def _act(self, act: Callable[[str], View], work_id: str) -> None:
        with shown():
            act(work_id)
            st.rerun()

    def _delete(self, work_id: str) -> None:
        self.service.delete(work_id)
        st.query_params.pop(self.parameter, None)


@st.fragment(run_every=POLL_SECONDS)
def _progress(work: WorkList[Any], work_id: str, drawn: str) -> None:
    """Draw how far one is, and the page anew once its state is another than drawn."""
    with shown():
        seen = work.service.get(work_id)
        if seen.state != drawn:
            st.rerun()
        st.progress(seen.progress, text=work.sentence(seen))
