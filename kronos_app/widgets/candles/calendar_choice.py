"""Which calendar says when candles fall due: guessed, shown with what follows from it, and corrected by the user."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.data import calendars
from kronos_app.data.draft import Draft
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.errors import escape

OPTIONS = (calendars.LEARNED, *calendars.CALENDARS)
NEXT_SHOWN = 3
NARROWEST = 300  # pixels


def chosen(draft: Draft, key: str = "") -> Draft:
    """Return the draft with the calendar that was chosen for it, as it is where none was."""
    said = st.session_state.get(_key(draft, key))
    return draft if said is None else calendars.with_calendar(draft, said)


def draw(draft: Draft, key: str = "") -> None:
    """Draw the choice and what it leads to; `chosen` has the answer.

    Parameters
    ----------
    key
        Tells the draft apart from others that are on the page with it.
    """
    st.subheader(_("Calendar"))
    labels = {option: label(option) for option in OPTIONS}
    pair = st.grid(2, min_column_width=NARROWEST)
    state.default(_key(draft, key), draft.about.calendar or calendars.LEARNED)
    with pair.container():
        st.selectbox(
            _("When candles fall due"),
            OPTIONS,
            format_func=labels.__getitem__,
            key=_key(draft, key),
            persist_state="session",
            help=_("Gaps, the times of forecasts and the closed hours of charts go by it."),
        )
    times = pd.DatetimeIndex(draft.frame["timestamp"]).dropna()
    with pair.container():
        _consequences(times, draft.timezone, draft.about.calendar)


def label(key: str) -> str:
    """Return a calendar by key and name."""
    calendar = calendars.get(key)
    return _("Learned from the candles") if calendar is None else f"{key} · {state.say(calendar.title)}"


def name(key: str | None) -> str:
    """Return what a stored record says of a calendar; one that is no longer known by its key alone."""
    return label(key or calendars.LEARNED) if key in {None, *OPTIONS} else str(key)


def _consequences(times: pd.DatetimeIndex, timezone: str | None, key: str | None) -> None:
    """Say whether the candles follow the calendar, and when the next are due."""
    share = calendars.share(times, timezone, key)
    if key is None:
        st.caption(
            _("The days and hours at which the candles themselves fall count. Holidays to come are not known so.")
        )
    elif share is None:
        st.warning(
            _("These candles do not follow this calendar, so the days and hours at which they fall themselves count."),
            icon=":material/event_busy:",
        )
    else:
        st.caption(
            _("{share} of the recent candles stand where this calendar puts them.").format(
                share=formats.percent(share, 0 if share > 0.9995 else 1)
            )
        )
    if times.empty or times.min() == times.max():
        return
    due = calendars.future_timestamps(times, NEXT_SHOWN, timezone, key)
    st.caption(
        _("Next due: {times} ({zone}).").format(
            times=" · ".join(formats.time(time) for time in due), zone=escape(timezone or _("time zone not stated"))
        )
    )


def _key(draft: Draft, key: str) -> str:
    return ".".join((state.DATA_CALENDAR + key, draft.source, draft.name, str(draft.about.interval)))
