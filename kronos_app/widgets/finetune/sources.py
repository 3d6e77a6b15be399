"""The choice of candles to learn from: as for an evaluation, and files to upload, an interval and a period."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time

import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.services.selection.request import CandleSelection, DataChoice
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import keys, saving, several, upload_form
from kronos_app.widgets.selection.picker import QLIB, SETS, CandlePicker, Fields

UPLOAD = "upload"
EARLIEST = date(1900, 1, 1)
QLIB_UNITS = {"m": "min", "d": "day", "wk": "week", "mo": "month"}


class TrainingPicker(CandlePicker):
    """The choice of candles to learn from."""

    def kinds(self) -> dict[str, tuple[str, Callable[[], Fields | None]]]:
        """Return the kinds of candles, with files to upload before Qlib folders."""
        kinds = super().kinds()
        qlib = kinds.pop(QLIB)
        return {**kinds, UPLOAD: (_("Upload"), self._upload), QLIB: qlib}

    def values(self, selection: CandleSelection) -> Fields:
        """Return the session values of a selection."""
        values = super().values(selection)
        if isinstance(selection, DataChoice) and selection.kind == QLIB:
            frequency = self.key(f"frequency.{QLIB}:{selection.qlib_folder}")
            values[frequency] = _interval(selection.qlib_frequency)
            values[self.key("from")] = selection.qlib_start and selection.qlib_start.date()
            values[self.key("to")] = selection.qlib_end and selection.qlib_end.date()
        return values

    def qlib_settings(self, folder: str) -> Fields:
        """Render market, interval and period, and return their fields."""
        first, second = st.columns(2)
        with first:
            market = self._pick_market(folder)
            start = self._pick_day(_("From"), "from", time.min)
        with second:
            intervals = [interval.key for interval in desk().sources.get(folder).intervals()]
            key = self.key(f"frequency.{folder}")
            interval = st.selectbox(_("Interval"), intervals, key=key, persist_state="session")
            end = self._pick_day(_("To"), "to", time.max)
        return {
            "qlib_market": market,
            "qlib_frequency": _frequency(interval),
            "qlib_start": start,
            "qlib_end": end,
        }

    def _pick_day(self, label: str, name: str, clock: time) -> datetime | None:
        """Render the choice of a day and return that time of it, local to the exchange."""
        today = datetime.now(UTC).date()
        day = st.date_input(label, None, EARLIEST, today, key=self.key(name), persist_state="session")
        return None if day is None else datetime.combine(day, clock)

    def _upload(self) -> None:
        """Render the upload of the Data page; `adopt_uploaded` then chooses what was saved."""
        st.session_state[self.key("known")] = [info.id for info in desk().candles.list()]
        several.render_series(upload_form.render_upload_form())
        saving.render_job()

    def adopt_uploaded(self) -> None:
        """Choose the data sets that this session has saved since the upload was opened."""
        known = st.session_state.pop(self.key("known"), None)
        together: several.Kept | None = st.session_state.get(keys.KEPT)
        saved = {*(together.saved.ids if together else ()), *saving.last_saved(), state.candles_id()}
        ids = [] if known is None else [info.id for info in desk().candles.list()]
        new = [name for name in ids if name in saved and name not in known]
        if new:
            st.session_state.update({self.key("sets"): new, self.key("source"): SETS})


PICKER = TrainingPicker("finetune")


def render_sources() -> DataChoice | None:
    """Render the choice and return it, None until something is chosen."""
    PICKER.adopt_uploaded()
    fields = PICKER.pick(_("Training candles"))
    return None if fields is None else DataChoice.model_validate(fields)


def adopt(data: DataChoice) -> None:
    """Set the choice to that of a run."""
    PICKER.adopt(data)


def _frequency(interval: str) -> str:
    """Return Qlib's name of an interval: `1d` is `day`, `5m` is `5min`."""
    unit = interval.lstrip("0123456789")
    count = interval.removesuffix(unit)
    word = QLIB_UNITS[unit]
    return word if count == "1" and word != "min" else count + word


def _interval(frequency: str) -> str:
    """Return the interval of Qlib's name: `day` is `1d`, `5min` is `5m`."""
    word = frequency.lstrip("0123456789")
    unit = next(unit for unit, known in QLIB_UNITS.items() if known == word)
    return (frequency.removesuffix(word) or "1") + unit
