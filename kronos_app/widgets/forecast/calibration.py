"""The switch for calibrated bands, off by default and always labelled, and the button that calibrates them."""

from __future__ import annotations

import streamlit as st

from kronos_app import nav, state
from kronos_app.errors import InvalidInput
from kronos_app.i18n import Text
from kronos_app.runtime import desk
from kronos_app.services.evaluation.service import Evaluation
from kronos_app.services.forecast.calibration import Calibration
from kronos_app.services.forecast.calibration_run import CUTOFFS
from kronos_app.services.forecast.view import ForecastView
from kronos_app.state import gettext as _
from kronos_app.widgets.forecast import keys
from kronos_app.widgets.kit import job
from kronos_app.widgets.kit.errors import escape, render_errors

CalibrationOrReason = Calibration | Text


def chosen_calibration(available: CalibrationOrReason) -> Calibration | None:
    """Return the calibration if there is one and it is switched on."""
    on = isinstance(available, Calibration) and st.session_state.get(keys.RECALIBRATED)
    return available if on and isinstance(available, Calibration) else None


def render_calibration(view: ForecastView, available: CalibrationOrReason) -> None:
    """Render the switch with the factor or with the reason why there is none, and how to calibrate on this series."""
    known = available if isinstance(available, Calibration) else None
    if view.history.empty or (known is not None and known.same_window):  # nothing better is to be had
        with st.container(horizontal=True, vertical_alignment="center"):
            if _render_switch(available) and known is not None and known.evaluation is not None:
                nav.link("evaluate", _("See the evaluation"), evaluation=known.evaluation)
        return
    try:
        run = desk().calibration_runs.find(view)
    except InvalidInput as error:
        with st.container(horizontal=True, vertical_alignment="center"):
            _render_switch(available)
        st.caption(escape(f"{state.say(error.message)} {state.say(error.hint)}"))
        return
    with render_errors():
        _render_run(view, available, run)


def _render_switch(available: CalibrationOrReason) -> bool:
    """Render the switch and its message side by side; return whether it is on."""
    known = isinstance(available, Calibration)
    key = keys.RECALIBRATED if known else "forecast.recalibrated.unknown"
    on = st.toggle(
        _("Calibrated bands"), disabled=not known, key=key, persist_state="session" if known else None,
        width="content",
    )  # fmt: skip
    if on or not known:
        message = available.message if isinstance(available, Calibration) else available
        st.caption(escape(state.say(message)), width="stretch")
    return on


def _render_run(view: ForecastView, available: CalibrationOrReason, run: Evaluation | None) -> None:
    """Render the button that calibrates, or the progress of the evaluation that it started."""
    job_id = run.job_id if run is not None and run.active else None
    if job_id is not None:
        st.session_state[keys.RECALIBRATED] = True  # so that its end shows the calibrated bands
    with st.container(horizontal=True, vertical_alignment="center"):
        _render_switch(available)
        if job_id is None:
            _render_button(view, run)
    if job_id is not None and job.await_results({job_id: _("Calibrating")}, hold=False) is not None:
        st.rerun()


def _render_button(view: ForecastView, run: Evaluation | None) -> None:
    help_ = _(
        "Forecasts {count} past cutoffs of this series with the same setup, and scales the bands by their errors. "
        "Nothing after the cutoff is used."
    ).format(count=CUTOFFS)
    if st.button(_("Calibrate now"), key="forecast.calibrate", icon=":material/tune:", help=help_):
        desk().calibration_runs.start(view)
        st.rerun()
    if run is not None and run.error is not None:
        st.error(escape(state.say(run.error)), icon=":material/error:")
