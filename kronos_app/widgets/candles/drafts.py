"""Drafts and reports of a session that are not saved yet, so that each is read and inspected once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

import streamlit as st

from kronos_app.data.checks.quality import QualityReport
from kronos_app.data.draft import Draft
from kronos_app.runtime import desk
from kronos_app.widgets.candles import keys

Read = TypeVar("Read")
Key = tuple[Hashable, Hashable]


def read_once(key: Key, read: Callable[[], Read]) -> Read:
    """Return what was read under `key`, reading it at the first call."""
    known: dict[Key, Any] = st.session_state.setdefault(keys.DRAFT, {})
    if key not in known:
        known[key] = read()
    found: Read = known[key]
    return found


def read_alone(key: Key, read: Callable[[], Read]) -> Read:
    """Return what was read under `key`, and forget what was read under keys that begin otherwise."""
    forget_others(lambda other: other[0] == key[0])
    return read_once(key, read)


def forget_others(unless: Callable[[Key], bool]) -> None:
    """Forget what was read under all keys for which `unless` is false."""
    known: dict[Key, Any] = st.session_state.get(keys.DRAFT, {})
    st.session_state[keys.DRAFT] = {key: read for key, read in known.items() if unless(key)}


def inspect_once(drafts: Sequence[Draft], on_report: Callable[[int], None] | None = None) -> list[QualityReport]:
    """Return the quality report of each draft, made once; `on_report` gets the number done before each new one."""
    known: dict[int, tuple[Draft, QualityReport]] = st.session_state.get(keys.REPORTS, {})
    missing = [draft for draft in drafts if id(draft) not in known]
    made = dict(known)
    for number, (draft, report) in enumerate(zip(missing, desk().candles.inspect_all(missing), strict=True)):
        if on_report is not None:
            on_report(len(drafts) - len(missing) + number)
        # The draft is stored beside its report, so that no other object gets its id.
        made[id(draft)] = (draft, report)
    found = {id(draft): made[id(draft)] for draft in drafts}
    st.session_state[keys.REPORTS] = found
    return [made[id(draft)][1] for draft in drafts]
