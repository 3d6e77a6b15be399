"""Files that a user hands in, and what has to be asked before they can be read."""

from __future__ import annotations

from datetime import datetime, timedelta

import streamlit as st

from kronos_app import state
from kronos_app.data.draft import Draft
from kronos_app.runtime import desk
from kronos_app.widgets import drafts

INTERVALS = ("1min", "5min", "15min", "30min", "1h", "4h", "1d", "1W")
EARLIEST, LATEST = datetime(1900, 1, 1), datetime(2100, 1, 1)  # noqa: DTZ001 - candles have local times


def draw() -> Draft | None:
    """Draw the form and return what was uploaded; None while there is nothing, or something is left to state."""
    _ = state.gettext()
    file = st.file_uploader(
        _("Candles as CSV, Feather or Parquet, also gzipped"),
        type=["csv", "txt", "gz", "feather", "arrow", "parquet", "pq"],
        key=state.DATA_FILE,
        max_upload_size=desk().settings.max_upload_mb,
    )
    limit = _("Up to {limit} MB.").format(limit=desk().settings.max_upload_mb)
    st.caption(
        _(
            "Needs the columns open, high, low, close; timestamps, volume and amount where there are any. "
            "Common variants and Chinese headers such as 日期, 开盘, 最高, 最低, 收盘, 成交量, 成交额 are understood."
        )
        + " "
        + limit
    )
    if file is None:
        return None
    draft = drafts.kept((file.file_id, None), lambda: desk().candles.read(file.getvalue(), file.name))
    if not draft.needs_timestamps:
        return draft
    stated = _state_times()
    if stated is None:
        return None
    return drafts.kept((file.file_id, stated), lambda: desk().candles.read(file.getvalue(), file.name, *stated))


def _state_times() -> tuple[datetime, str] | None:
    """Ask for what a file without times does not say; nothing is assumed."""
    _ = state.gettext()
    st.warning(_("This file has no time column. State when its first candle began and how long a candle is."))
    first, second = st.columns(2)
    with first:
        start = st.datetime_input(
            _("Start of the first candle"), None, EARLIEST, LATEST, step=timedelta(minutes=1), key=state.DATA_START
        )
    with second:
        interval = st.selectbox(_("Interval"), INTERVALS, index=None, key=state.DATA_INTERVAL, accept_new_options=True)
    return None if start is None or not interval else (start, interval)
