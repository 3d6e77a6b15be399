"""The roles of an uploaded file's columns: inferred ones, and the form to choose others."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import available_timezones

import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from kronos_app import state
from kronos_app.data.candle_frame import FEATURES, PRICES
from kronos_app.data.upload.mapping import ColumnMapping, Role
from kronos_app.data.upload.preview import TablePreview
from kronos_app.data.upload.times.formats import LABELS
from kronos_app.data.upload.units import UNITS
from kronos_app.errors import AppError, InvalidInput
from kronos_app.i18n import text
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import drafts, keys
from kronos_app.widgets.candles.column_roles import NARROWEST_FIELD, TITLES, choose_roles
from kronos_app.widgets.kit import errors

FIELDS = ("timestamp", "clock", *FEATURES)
FILES_NAMED = 10
MOST_PREVIEW_HEIGHT = 260  # pixels


def mapping_of(file: UploadedFile) -> ColumnMapping | None:
    """Return how a file is to be read: as chosen on this page, else as remembered for its header, else None."""
    mappings: dict[str, ColumnMapping | None] = st.session_state.setdefault(keys.MAPPINGS, {})
    if file.file_id not in mappings:
        mappings[file.file_id] = desk().column_mappings.find(file.getvalue(), file.name)
    return mappings[file.file_id]


def render_mapping(files: Sequence[UploadedFile], refused: Sequence[UploadedFile]) -> None:
    """Render the choice of a file and the form for its columns; it is open at first where a file was refused."""
    tables = [file for file in files if file not in refused or _preview(file) is not None]
    if not tables:
        return
    names = {file.file_id: file.name for file in tables}
    by_choice = [file.name for file in tables if mapping_of(file) is not None]
    if by_choice:
        message = _("Read by the columns that were chosen for files with this header: {names}")
        st.info(errors.escape(message.format(names=", ".join(by_choice[:FILES_NAMED]))), icon=":material/view_column:")
    first = next((file.file_id for file in tables if file in refused), None)
    if st.session_state.get(keys.MAPPING_FILE) not in names:
        st.session_state[keys.MAPPING_FILE] = first
    chosen = st.selectbox(
        _("Choose the columns"),
        list(names),
        None,
        format_func=names.__getitem__,
        key=keys.MAPPING_FILE,
        placeholder=_("Detected; choose a file to change them"),
    )
    file = next((file for file in tables if file.file_id == chosen), None)
    if file is None:
        return
    shown = _preview(file)
    if shown is None:
        st.caption(_("This file is no table whose columns could be chosen."))
        return
    with st.container(border=True), errors.render_errors():
        _render_form(file, shown, mapping_of(file))


def _preview(file: UploadedFile) -> TablePreview | None:
    """Return the preview of a file, None where it is no table; the upload form shows why."""
    mapping = mapping_of(file)
    try:
        return drafts.read_once(
            (file.file_id, ("preview", repr(mapping))),
            lambda: desk().column_mappings.preview(file.getvalue(), file.name, mapping),
        )
    except AppError:
        return None


def _render_form(file: UploadedFile, shown: TablePreview, mapping: ColumnMapping | None) -> None:
    _render_rows(shown)
    with st.form(state.joined(keys.MAPPING_FORM, file.file_id), border=False):
        key = (keys.MAPPING_FORM, file.file_id, repr(mapping))
        columns, twice = _choose_columns(shown, key)
        time_format, timezone = _choose_times(shown.mapping, key)
        units = _choose_units(shown.mapping, key)
        if st.form_submit_button(_("Read with these columns"), type="primary", icon=":material/check:"):
            if twice is not None:
                raise InvalidInput(
                    "column_chosen_twice",
                    text("Column “{column}” is chosen twice.", column=twice),
                    text("Choose each column for one role only."),
                )
            _remember(file, ColumnMapping(columns=columns, time_format=time_format, timezone=timezone, units=units))
    if mapping is not None and st.button(
        _("Detect the columns again"),
        key=state.joined(keys.MAPPING_FORM, file.file_id, "forget"),
        icon=":material/restart_alt:",
    ):
        desk().column_mappings.forget(shown)
        _put(file, None)


def _render_rows(shown: TablePreview) -> None:
    table = pd.DataFrame({column.header: list(column.cells) for column in shown.columns})
    st.caption(_("The first {count} rows").format(count=len(table)))
    height = min(36 * (len(table) + 1) + 2, MOST_PREVIEW_HEIGHT)
    st.dataframe(table, hide_index=True, height=height, alt=_("The first rows of the file"))
    if shown.times:
        times = ", ".join(time.replace("T", " ") for time in shown.times[:3])
        zone = shown.timezone or _("no time zone")
        st.caption(_("First times as read: {times} ({zone})").format(times=times, zone=zone))


def _choose_columns(shown: TablePreview, key: tuple[str, ...]) -> tuple[dict[str, Role], str | None]:
    """Render the fields of the columns; return header to role, and a header that was chosen for two roles."""
    headers = [column.header for column in shown.columns]
    mapping = shown.mapping
    guessed: dict[str, str] = {
        role: header for header, role in mapping.columns.items() if role not in {"symbol", "ignore"}
    }
    if "date" in guessed:
        guessed["timestamp"] = guessed["date"]
    chosen = choose_roles(headers, guessed, FIELDS, needed=PRICES, key=key)
    symbols = st.multiselect(
        _("{column} (optional)").format(column=state.say(TITLES["symbol"])),
        headers,
        mapping.headers("symbol"),
        key=state.joined(*key, "symbol"),
        placeholder=_("Not used"),
        help=_("A file with several symbols is split into its series."),
    )
    columns: dict[str, Role] = dict.fromkeys(headers, "ignore")
    columns |= dict.fromkeys(symbols, "symbol")
    roles = {"timestamp": "date"} if chosen["timestamp"] and chosen["clock"] else {}
    columns |= {header: roles.get(role, role) for role, header in chosen.items() if header}  # type: ignore[misc]
    used = [*filter(None, chosen.values()), *symbols]
    twice = next((header for header in used if used.count(header) > 1), None)
    return columns, twice


def _choose_times(mapping: ColumnMapping, key: tuple[str, ...]) -> tuple[str | None, str | None]:
    """Render the fields of the times and return format and zone."""
    labels: dict[str, str] = {name: state.say(label) for name, label in LABELS.items()}
    fields = st.grid(2, min_column_width=NARROWEST_FIELD)
    formats: list[str] = list(labels)
    if mapping.time_format and mapping.time_format not in formats:
        formats.append(mapping.time_format)
    with fields.container():
        time_format = st.selectbox(
            _("Time format"),
            formats,
            formats.index(mapping.time_format) if mapping.time_format else None,
            format_func=lambda name: labels.get(name, name),
            key=state.joined(*key, "format"),
            placeholder=_("Detect"),
            accept_new_options=True,
            help=_("A named format, or a pattern such as %d/%m/%Y %H:%M."),
        )
    zones = sorted(available_timezones())
    with fields.container():
        timezone = st.selectbox(
            _("Time zone"),
            zones,
            zones.index(mapping.timezone) if mapping.timezone in zones else None,
            key=state.joined(*key, "zone"),
            placeholder=_("As in the file"),
            help=_("Where the times are local to."),
        )
    return time_format, timezone


def _choose_units(mapping: ColumnMapping, key: tuple[str, ...]) -> dict[str, str | float]:
    units: dict[str, str | float] = {
        role: unit for role, unit in mapping.units.items() if role not in {"volume", "amount"}
    }
    fields = st.grid(2, min_column_width=NARROWEST_FIELD)
    names: list[str | float] = list(UNITS)
    for role in ("volume", "amount"):
        unit = mapping.units.get(role)
        options = names if unit is None or unit in names else [*names, unit]
        with fields.container():
            chosen = st.selectbox(
                _("Unit of {column}").format(column=state.say(TITLES[role])),
                options,
                None if unit is None else options.index(unit),
                key=state.joined(*key, "unit", role),
                placeholder=_("As written"),
                help=_("Numbers are multiplied by it: 万 is 10,000; lots are 100 shares."),
            )
        if chosen is not None:
            units[role] = chosen
    return units


def _remember(file: UploadedFile, mapping: ColumnMapping) -> None:
    """Use a mapping from now on if the file can be read by it, else show why it cannot."""
    shown = desk().column_mappings.preview(file.getvalue(), file.name, mapping)
    if shown.problem is not None:
        raise shown.problem
    desk().column_mappings.remember(shown, mapping)
    _put(file, mapping)


def _put(file: UploadedFile, mapping: ColumnMapping | None) -> None:
    chosen = st.session_state.get(keys.MAPPINGS, {})
    st.session_state[keys.MAPPINGS] = {**chosen, file.file_id: mapping}
    st.rerun()
