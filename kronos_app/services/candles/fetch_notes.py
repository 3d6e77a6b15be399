"""Findings and notes about a fetch through the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from kronos_app.data.draft import Finding
from kronos_app.data.revision import SAME, Revision
from kronos_app.i18n import Text, text
from kronos_app.store.series import SeriesInfo

GRACE = pd.Timedelta(days=7)  # a series may begin this much after the start of a request without a finding


def revision_note(day: datetime, source: Text, change: Revision, rows: int, old: int, factor: float | None) -> Text:
    """Return the note that a vendor revised candles: `rows` in all, of which `old` ones were not fetched again."""
    note = text(
        "{day}: {source} had changed {changed} of {compared} candles that were read again, so all {rows} were"
        " replaced.",
        day=f"{day:%Y-%m-%d}", source=source, changed=change.changed, compared=change.compared, rows=rows - old,
    )  # fmt: skip
    if not old:
        return note
    if factor is None:
        rest = text("{count} others are no longer available; they are unchanged and may not fit.", count=old)
    elif abs(factor - 1) <= SAME:
        rest = text("{count} older ones are no longer available; they fit and are unchanged.", count=old)
    else:
        rest = text(
            "{count} older ones are no longer available; they were multiplied by {factor} to fit.",
            count=old, factor=f"{factor:.6g}",
        )  # fmt: skip
    return note + rest


def stored_only(reason: Text) -> Finding:
    """Return the finding that the source gave no candles and the stored ones are used."""
    return Finding("stored_only", "warning", text("{reason} The stored candles are used.", reason=reason))


def from_store(fetched: int | None) -> Finding:
    """Return the finding that part of a result was stored; `fetched` is None where the source was not contacted."""
    message = text("All candles were stored already; the source was not contacted.")
    if fetched is not None:
        message = text("{count} candles were fetched, the others were stored already.", count=fetched)
    return Finding("from_store", "info", message)


def range_begins_later(findings: Sequence[Finding], info: SeriesInfo, start: datetime | None) -> list[Finding]:
    """Return the finding that a series begins after the requested start, unless there is one already."""
    if start is None or any(finding.code == "range_cut" for finding in findings):
        return []
    if info.first - pd.Timestamp(start) <= GRACE:
        return []
    message = text("The candles begin at {start}.", start=f"{info.first:%Y-%m-%d %H:%M} UTC")
    return [Finding("range_cut", "info", message)]
