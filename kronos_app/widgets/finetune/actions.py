"""The buttons of a run, by its state."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from kronos_app import nav
from kronos_app.runtime import desk
from kronos_app.services.finetune.views import RunView
from kronos_app.state import gettext as _
from kronos_app.widgets.finetune import form, keys
from kronos_app.widgets.kit.confirm import confirm
from kronos_app.widgets.kit.errors import render_errors

NEW, RUNS, COMPARE = "new", "runs", "compare"
TRAINING = ("tokenizer", "predictor")  # phases
RUN = "run"  # query parameter


def render_actions(run: RunView, *, opened: bool = False) -> None:
    """Render the buttons side by side; `opened` on the page of the run itself."""
    if not opened:
        nav.link("finetune", _("Open"), icon=":material/open_in_new:", run=run.id)
    if run.state == "running":
        _button(run, "pause", _("Pause"), ":material/pause:", desk().tuning.pause)
        stop = _("Ends the training now and saves the best checkpoint. It is scored and can be registered.")
        if run.phase in TRAINING:
            _button(run, "stop", _("Stop and keep"), ":material/stop_circle:", desk().tuning.stop, stop)
    elif run.state == "queued":
        _button(run, "pause", _("Pause"), ":material/pause:", desk().tuning.pause)
    elif run.state in {"paused", "interrupted", "failed"}:
        label = _("Try again") if run.state == "failed" else _("Resume")
        main = opened and run.state == "interrupted"
        _button(run, "resume", label, ":material/play_arrow:", desk().tuning.resume, main=main)
    with st.popover("", icon=":material/more_vert:", key=f"finetune.more.{run.id}", help=_("More")):
        _more(run)


def _more(run: RunView) -> None:
    if run.state == "paused":
        stop = _("Saves the best checkpoint. It is scored and can be registered.")
        _button(run, "stop", _("Stop and keep"), ":material/stop_circle:", desk().tuning.stop, stop, wide=True)
    st.button(
        _("Copy with changes"),
        key=f"finetune.clone.{run.id}",
        icon=":material/content_copy:",
        on_click=clone,
        args=(run.id,),
        width="stretch",
        help=_("Opens a new run with these settings, which you can change before the start."),
    )
    if st.button(_("Discard"), key=f"finetune.discard.{run.id}", icon=":material/delete:", width="stretch"):
        confirm(
            _("Discard the run {name}?").format(name=run.name),
            _("The run ends at once and is deleted. Registered versions stay."),
            lambda: _discard(run.id),
        )


def _button(
    run: RunView,
    name: str,
    label: str,
    icon: str,
    action: Callable[[str], object],
    about: str | None = None,
    *,
    main: bool = False,
    wide: bool = False,
) -> None:
    if st.button(
        label,
        key=f"finetune.{name}.{run.id}",
        icon=icon,
        help=about,
        type="primary" if main else "secondary",
        width="stretch" if wide else "content",
    ):
        with render_errors():
            action(run.id)
            st.rerun()


def _discard(run_id: str) -> None:
    desk().tuning.discard(run_id)
    st.query_params.pop(RUN, None)


def clone(run_id: str) -> None:
    """Open a new run with the settings of this one."""
    with render_errors():
        form.adopt(desk().tuning.request_of(run_id))
        st.session_state[keys.VIEW] = NEW
        st.query_params.pop(RUN, None)
