"""Which calendar an instrument has, by how its source writes it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from kronos_app.data.calendars import names
from kronos_app.data.calendars.agreement import AGREES, LIKELY, POSSIBLE, agreement
from kronos_app.data.calendars.clock import convert
from kronos_app.data.calendars.days import FITS
from kronos_app.data.calendars.registry import ALWAYS, CALENDARS, get
from kronos_app.data.draft import Draft, Finding
from kronos_app.data.sessions import nanoseconds
from kronos_app.i18n import text

# Where Yahoo writes shares and indices without a suffix, the zone it states tells the exchange.
ZONES: Mapping[str, str] = {
    "America/New_York": "XNYS", "America/Toronto": "XTSE", "America/Sao_Paulo": "BVMF", "America/Mexico_City": "XMEX",
    "Europe/London": "XLON", "Europe/Berlin": "XETR", "Europe/Paris": "XPAR", "Europe/Amsterdam": "XAMS",
    "Europe/Brussels": "XBRU", "Europe/Madrid": "XMAD", "Europe/Rome": "XMIL", "Europe/Zurich": "XSWX",
    "Europe/Vienna": "XWBO", "Europe/Stockholm": "XSTO", "Europe/Oslo": "XOSL", "Europe/Copenhagen": "XCSE",
    "Europe/Helsinki": "XHEL", "Europe/Istanbul": "XIST", "Asia/Shanghai": "XSHG", "Asia/Hong_Kong": "XHKG",
    "Asia/Taipei": "XTAI", "Asia/Tokyo": "XTKS", "Asia/Seoul": "XKRX", "Asia/Kolkata": "XBOM",
    "Asia/Singapore": "XSES", "Australia/Sydney": "XASX", "Pacific/Auckland": "XNZE",
}  # fmt: skip
_ZONE_OF = {key: zone for zone, key in ZONES.items()} | {"XSHE": "Asia/Shanghai"}  # without reading a timetable
UNCLEAR = "calendar_unclear"
Agreements = dict[tuple[bytes, str | None, str, float], float]
"""How well times, by the clock of a zone, agree with a calendar, given the least part that must."""


def guess(source: str, symbol: str | None, timezone: str | None = None) -> str | None:
    """Return the key of the calendar that an instrument most likely has, None where its candles had better tell.

    Parameters
    ----------
    source
        Key of the source, or of its family; `yahoo` alone has rules of its own.
    symbol
        As the source writes it.
    timezone
        As the source states it.
    """
    name = (symbol or "").strip().upper()
    if source == "yahoo":
        return _yahoo(name, timezone) if name else None
    keys = _in_zone(names.of_symbol(name), timezone)
    return keys[0] if len(keys) == 1 else None


def with_calendars(drafts: Sequence[Draft]) -> list[Draft]:
    """Return the drafts of one file as `with_calendar` does; what their times agree with is worked out once.

    The series of a file mostly have the same times, and a comparison with a calendar takes milliseconds.
    """
    known: Agreements = {}
    return [with_calendar(draft, agreements=known) for draft in drafts]


def with_calendar(draft: Draft, said: str | None = None, agreements: Agreements | None = None) -> Draft:
    """Return the draft with the calendar that was said, else with its own, else with the one guessed.

    Names suggest calendars and the candles decide between them. Where they cannot, the draft has no calendar and a
    finding that names those in question.

    Parameters
    ----------
    said
        Key of a calendar, or `learned` for none.
    agreements
        What is known of the times of other drafts; that of this one is added.

    Raises
    ------
    InvalidInput
        There is no such calendar.
    """
    unclear: tuple[str, ...] = ()
    if said is not None:
        calendar = get(said)
        key = None if calendar is None else calendar.key
    elif draft.about.calendar is not None:
        key = draft.about.calendar
    else:
        key, unclear = _guessed(draft, {} if agreements is None else agreements)
    findings = tuple(finding for finding in draft.findings if finding.code != UNCLEAR)
    if unclear:
        findings = (*findings, _unclear(draft.about.symbol or draft.name, unclear))
    if key == draft.about.calendar and findings == draft.findings:
        return draft
    return replace(draft, about=replace(draft.about, calendar=key), findings=findings)


def _guessed(draft: Draft, agreements: Agreements) -> tuple[str | None, tuple[str, ...]]:
    """Return the calendar that name and candles lead to, or None and those that both leave."""
    symbol = draft.about.symbol
    if draft.source == "yahoo":
        return guess(draft.source, symbol or draft.name, draft.timezone), ()
    keys = names.of_symbol(symbol) if symbol else names.of_filename(draft.name)
    keys = names.of_headers(_in_zone(keys, draft.timezone), draft.columns.values())
    if not keys or "timestamp" not in draft.frame:
        return (keys[0] if len(keys) == 1 else None), ()
    times = nanoseconds(pd.DatetimeIndex(draft.frame["timestamp"]))
    # A dotted name, such as 600519.SS, names its exchange: then some candles on holidays are mistakes of the vendor.
    explicit = len(keys) == 1 and "." in names.stem(symbol or draft.name)
    least = FITS if explicit else AGREES
    alike = {}
    for key in keys:
        question = (times.tobytes(), draft.timezone, key, least)
        if question not in agreements:
            agreements[question] = agreement(times, draft.timezone, CALENDARS[key], least)
        alike[key] = agreements[question]
    best = max(alike.values())
    if best < (LIKELY if len(keys) > 1 else POSSIBLE):
        return None, ()
    left = tuple(key for key, likeness in alike.items() if likeness == best)
    return (left[0], ()) if len(left) == 1 else (None, left)


def _in_zone(keys: tuple[str, ...], timezone: str | None) -> tuple[str, ...]:
    """Return the calendars whose exchange keeps the clock of a series, all where that says nothing."""
    if timezone in {None, "UTC"} or len(keys) < 2:
        return keys
    moment = np.array([pd.Timestamp("2024-01-01").value], dtype=np.int64)  # none of them changes its clock
    return tuple(
        key
        for key in keys
        if (convert(moment, timezone, "UTC") == convert(moment, _ZONE_OF.get(key) or CALENDARS[key].zone, "UTC")).all()
    )


def _unclear(name: str, keys: tuple[str, ...]) -> Finding:
    message = text(
        "“{name}” may be an instrument of {calendars}, and the candles fit each of these calendars. Holidays are not"
        " known until you choose one.",
        name=name,
        calendars=", ".join(keys),
    )
    return Finding(UNCLEAR, "info", message)


def _yahoo(name: str, timezone: str | None) -> str | None:
    if name.endswith(("=X", "=F")):
        return names.of_symbol(name)[0]
    if re.fullmatch(rf"[A-Z0-9]{{2,15}}-({names.MONEY})", name):
        return ALWAYS
    suffix = name.rpartition(".")[2]
    return names.SUFFIXES.get(suffix) if "." in name else ZONES.get(timezone or "")
