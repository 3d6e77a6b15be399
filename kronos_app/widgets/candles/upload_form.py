"""The upload of files, and the form for times that files lack."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from kronos_app.data.draft import Draft
from kronos_app.data.upload.mapping import ColumnMapping
from kronos_app.i18n import text
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import column_mapping, drafts, keys
from kronos_app.widgets.kit import errors

INTERVALS = ("1min", "5min", "15min", "30min", "1h", "4h", "1d", "1W")
EARLIEST, LATEST = datetime(1900, 1, 1), datetime(2100, 1, 1)  # noqa: DTZ001 - candles have local times


def render_upload_form() -> list[Draft]:
    """Render the form and return the uploaded series as drafts; none while start and interval are missing."""
    limit = desk().settings.max_upload_mb
    files = st.file_uploader(
        _("Candles as CSV, JSON, Feather or Parquet, also gzipped; one file or several"),
        accept_multiple_files=True,
        key=keys.FILE,
        max_upload_size=limit,
    )
    st.caption(
        _(
            "Needs the columns open, high, low, close; timestamps, volume and amount where there are any. A column of "
            "symbols splits a file into its instruments. Common variants and Chinese headers such as 日期, 代码, 开盘, "
            "最高, 最低, 收盘, 成交量, 成交额 are understood."
        )
        + " "
        + _("Up to {limit} MB.").format(limit=limit)
    )
    if sum(file.size for file in files) > limit * 1_000_000:
        errors.render_error(
            text("The files together are larger than {limit} MB.", limit=limit),
            text("Upload fewer of them at a time."),
        )
        return []
    return _read(files)


def _read(files: Sequence[UploadedFile]) -> list[Draft]:
    names = {file.file_id: file.name for file in files}
    drafts.forget_others(lambda key: key[0] in names)
    found: list[Draft] = []
    timeless = []
    refused = []
    for file in files:
        series: list[Draft] = []
        mapping = None
        with errors.render_errors():
            mapping = column_mapping.mapping_of(file)
            series = _drafts(file, mapping)
            if series[0].needs_timestamps:
                timeless.append((file, mapping))
            else:
                found += series
        if not series:
            refused.append(file)
    if files:
        column_mapping.render_mapping(files, refused)
    if not timeless:
        return found
    stated = _state_times([file.name for file, _mapping in timeless])
    if stated is None:
        return []
    for file, mapping in timeless:
        with errors.render_errors():
            found += _drafts(file, mapping, stated)
    return found


def _drafts(
    file: UploadedFile, mapping: ColumnMapping | None, stated: tuple[datetime, str] | None = None
) -> list[Draft]:
    start, interval = stated or (None, None)
    with st.spinner(_("Reading {name} …").format(name=errors.escape(file.name))):
        return drafts.read_once(
            (file.file_id, (stated, repr(mapping))),
            lambda: desk().candles.read_all(
                file.getvalue(), file.name, start=start, interval=interval, mapping=mapping
            ),
        )


def _state_times(names: Sequence[str]) -> tuple[datetime, str] | None:
    """Render the fields for start and interval of files without times; nothing is assumed."""
    if len(names) == 1:
        words = _("This file has no time column. State when its first candle began and how long a candle is.")
    else:
        words = _("{count} files have no time column. State when their first candle began and how long a candle is.")
    st.warning(errors.escape(words.format(count=len(names)) + " " + ", ".join(names)))
    first, second = st.columns(2)
    with first:
        start = st.datetime_input(
            _("Start of the first candle"), None, EARLIEST, LATEST, step=timedelta(minutes=1), key=keys.START
        )
    with second:
        interval = st.selectbox(_("Interval"), INTERVALS, index=None, key=keys.INTERVAL, accept_new_options=True)
    return None if start is None or not interval else (start, interval)
