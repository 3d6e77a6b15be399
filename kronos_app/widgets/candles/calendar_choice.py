"""The calendar of a data set: inferred, shown with its effects, and corrected by the user."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.data import calendars
from kronos_app.data.draft import Draft
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import keys
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.errors import escape

OPTIONS = (calendars.LEARNED, *calendars.CALENDARS)
NEXT_SHOWN = 3
NARROWEST = 300  # pixels


def apply_choice(draft: Draft, key: str = "") -> Draft:
    """Return the draft with the calendar that the user chose, unchanged without a choice."""
    choice = st.session_state.get(_field(draft, key))
    return draft if choice is None else calendars.with_calendar(draft, choice)


def render_choice(draft: Draft, key: str = "") -> None:
    """Render the choice and its effects; `key` distinguishes several drafts on a page. See `apply_choice`."""
    st.subheader(_("Calendar"))
    labels = {option: label(option) for option in OPTIONS}
    grid = st.grid(2, min_column_width=NARROWEST)
    field = _field(draft, key)
    state.default(field, draft.about.calendar or calendars.LEARNED)
    with grid.container():
        st.selectbox(
            _("When candles are due"),
            OPTIONS,
            format_func=labels.__getitem__,
            key=field,
            persist_state="session",
            help=_("Determines gaps, the times of forecasts and the closed hours of charts."),
        )
    times = pd.DatetimeIndex(draft.frame["timestamp"]).dropna()
    with grid.container():
        _render_effects(times, draft.timezone, draft.about.calendar)


def label(key: str) -> str:
    """Return the key and the name of a calendar."""
    calendar = calendars.get(key)
    return _("Learned from the candles") if calendar is None else f"{key} · {state.say(calendar.title)}"


def name(key: str | None) -> str:
    """Return the label of the calendar of a stored record; its key where the calendar does not exist any more."""
    return label(key or calendars.LEARNED) if key in {None, *OPTIONS} else str(key)


def _render_effects(times: pd.DatetimeIndex, timezone: str | None, key: str | None) -> None:
    share = calendars.share(times, timezone, key)
    if key is None:
        st.caption(_("Days and hours are learned from the candles. Future holidays are not known."))
    elif share is None:
        message = _("These candles do not follow this calendar. Days and hours are learned from the candles instead.")
        st.warning(message, icon=":material/event_busy:")
    else:
        percent = formats.percent(share, 0 if share > 0.9995 else 1)
        st.caption(_("{share} of the recent candles are at times of this calendar.").format(share=percent))
    if times.empty or times.min() == times.max():
        return
    due = calendars.future_timestamps(times, NEXT_SHOWN, timezone, key)
    st.caption(
        _("Next due: {times} ({zone}).").format(
            times=" · ".join(formats.time(time) for time in due), zone=escape(timezone or _("time zone not stated"))
        )
    )


def _field(draft: Draft, key: str) -> str:
    return state.joined(keys.CALENDAR + key, draft.source, draft.name, str(draft.about.interval))
