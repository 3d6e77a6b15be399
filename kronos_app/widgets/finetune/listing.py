"""Fine-tuning runs in a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import streamlit as st

from kronos_app import state
from kronos_app.i18n import Text, text
from kronos_app.runtime import desk
from kronos_app.services.finetune.run import TuneRun
from kronos_app.services.finetune.service import TuningService
from kronos_app.state import gettext as _
from kronos_app.widgets.finetune import form, keys, words
from kronos_app.widgets.finetune.run import render_result
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.errors import render_errors
from kronos_app.widgets.models.names import method_name
from kronos_app.widgets.runs.listing import RunList
from kronos_app.widgets.runs.views import NEW

TRAINING = ("tokenizer", "predictor")  # phases


class TuneList(RunList[TuneRun]):
    """How fine-tuning runs are rendered."""

    page: ClassVar[str] = "finetune"
    parameter: ClassVar[str] = "run"
    icon: ClassVar[str] = ":material/model_training:"
    none: ClassVar[Text] = text("There is no run yet. Start with New run.")
    all: ClassVar[Text] = text("All runs")
    kept: ClassVar[Text] = text("Resume continues from the last checkpoint and reaches the same result.")
    delete: ClassVar[Text] = text("Delete the run {name}?")
    deleted: ClassVar[Text] = text("The run ends at once and is deleted. Registered versions stay.")

    @property
    def service(self) -> TuningService:
        """Return the fine-tuning runs of this process."""
        return desk().tuning

    def title(self, run: TuneRun) -> str:
        """Return the name of a run."""
        return run.name

    def badges(self, run: TuneRun) -> str:
        """Return the state of a run, and whether it is worse than its base model."""
        stopped = run.state == "finished" and run.stopped
        badges = ":green-badge[" + _("stopped early, saved") + "]" if stopped else super().badges(run)
        return badges + " :red-badge[" + _("worse than the base model") + "]" if run.worse else badges

    def settings(self, run: TuneRun) -> Sequence[str]:
        """Return base model, method and stages."""
        base = _("base {base}").format(base=run.base or _("scratch"))
        return [base, method_name(run.method), " + ".join(state.say(words.STAGES[stage]) for stage in run.stages)]

    def phase(self, run: TuneRun) -> tuple[str, ...]:
        """Return state and phase: the buttons depend on both."""
        return run.state, run.phase

    def sentence(self, run: TuneRun) -> str:
        """Return phase, step and remaining time."""
        if run.state == "queued":
            return _("Queued; position: {place}").format(place=run.queue_position or 1)
        parts = [state.say(words.PHASES[run.phase])]
        if run.steps:
            parts.append(_("Step {done} of {total}").format(done=run.step, total=run.steps))
        if run.remaining is not None:
            parts.append(_("about {time} left").format(time=formats.remaining(run.remaining)))
        return " · ".join(parts)

    def results(self, run: TuneRun) -> Sequence[str]:
        """Return progress and scores in one line."""
        scores = run.scores or {}
        tuned, base = scores.get("tuned"), scores.get("base")
        parts = []
        if not run.active and run.state != "finished":
            parts.append(_("{share} done").format(share=formats.percent(run.progress, 0)))
        if tuned is None:
            return parts
        if base and base.get("crps") and tuned.get("crps") is not None:
            ratio = formats.number(tuned["crps"] / base["crps"], 3)
            parts.append(_("CRPS ratio to the base model: {ratio}").format(ratio=ratio))
        parts.append(_("90 % band covers {share}").format(share=formats.percent(tuned.get("coverage_90"), 0)))
        if run.registered:
            parts.append(_("registered as {names}").format(names=", ".join(run.registered)))
        return [" · ".join(parts)]

    def render_actions(self, run: TuneRun) -> None:
        """Render the buttons that pause, end and resume a run."""
        if run.active:
            self.render_button("pause", run, _("Pause"), ":material/pause:", self.service.pause)
        elif run.state != "finished":
            label = _("Try again") if run.state == "failed" else _("Resume")
            self.render_button("resume", run, label, ":material/play_arrow:", self.service.resume)
        if run.state in {"running", "paused"} and run.phase in TRAINING:
            about = _("Ends the training now and saves the best checkpoint. It is scored and can be registered.")
            label, icon = _("Stop and keep"), ":material/stop_circle:"
            self.render_button("stop", run, label, icon, self.service.stop, about)

    def _render_buttons(self, run: TuneRun) -> None:
        """Render the actions, and the rarer ones in a popover: all of them do not fit into a row."""
        self.render_actions(run)
        with st.popover(_("More"), icon=":material/more_horiz:", type="tertiary", key=f"finetune.menu.{run.id}"):
            st.button(
                _("Copy with changes"),
                key=f"finetune.clone.{run.id}",
                icon=":material/edit:",
                type="tertiary",
                on_click=self._copy,
                args=(run.id,),
                help=_("Opens a new run with these settings, which you can change before the start."),
            )
            self._render_delete(run)

    def render_unfinished(self, run: TuneRun) -> None:
        """Render curves, example forecasts and log so far."""
        render_result(run)

    def render_finished(self, run: TuneRun) -> None:
        """Render registration, verdict, scores and curves."""
        render_result(run)

    def _copy(self, run_id: str) -> None:
        """Open a new run with the settings of this one."""
        with render_errors():
            form.adopt(self.service.request_of(run_id))
            st.session_state[keys.VIEW] = NEW
            st.query_params.pop(self.parameter, None)


RUNS = TuneList()
