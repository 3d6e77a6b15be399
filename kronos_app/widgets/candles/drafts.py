"""What a session has read and not yet kept."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

import streamlit as st

from kronos_app import state
from kronos_app.data.checks.quality import QualityReport
from kronos_app.data.draft import Draft
from kronos_app.runtime import desk

Read = TypeVar("Read")
Key = tuple[Hashable, Hashable]


def kept(key: Key, read: Callable[[], Read]) -> Read:
    """Return what was read before under `key`; a source is read once, not at every click."""
    known: dict[Key, Any] = st.session_state.setdefault(state.DATA_DRAFT, {})
    if key not in known:
        known[key] = read()
    found: Read = known[key]
    return found


def kept_alone(key: Key, read: Callable[[], Read]) -> Read:
    """Return what was read before under `key`, and forget what was read under a key that begins otherwise."""
    forget(lambda other: other[0] == key[0])
    return kept(key, read)


def forget(unless: Callable[[Key], bool]) -> None:
    """Forget what was read, `unless` its key is still wanted."""
    known: dict[Key, Any] = st.session_state.get(state.DATA_DRAFT, {})
    st.session_state[state.DATA_DRAFT] = {key: read for key, read in known.items() if unless(key)}


def reports(drafts: Sequence[Draft], on_report: Callable[[int], None] | None = None) -> list[QualityReport]:
    """Return the quality report of each draft, made once; `on_report` hears how many were done before each new one."""
    known: dict[int, tuple[Draft, QualityReport]] = st.session_state.get(state.DATA_REPORTS, {})
    missing = [draft for draft in drafts if id(draft) not in known]
    made = dict(known)
    for number, (draft, report) in enumerate(zip(missing, desk().candles.inspect_all(missing), strict=True)):
        if on_report is not None:
            on_report(len(drafts) - len(missing) + number)
        # The draft is kept beside its report, so that no other can come to have its identity.
        made[id(draft)] = (draft, report)
    found = {id(draft): made[id(draft)] for draft in drafts}
    st.session_state[state.DATA_REPORTS] = found
    return [made[id(draft)][1] for draft in drafts]
