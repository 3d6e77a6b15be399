"""Files that users upload, read into drafts: text with separators, JSON, HTML, Feather and Parquet, also gzipped."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict, Unpack

from kronos_app.data.draft import Draft
from kronos_app.data.upload import instruments, sheet, wide
from kronos_app.data.upload.columns import shorten_list
from kronos_app.data.upload.files import decode, tables
from kronos_app.data.upload.infer import infer, selection
from kronos_app.data.upload.mapping import ColumnMapping
from kronos_app.data.upload.stated_times import with_stated_times
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text
from kronos_app.settings import Settings


class ReadOptions(TypedDict, total=False):
    """What a user states about a file.

    `mapping` states columns, times and units; the rest is inferred. `start` and `interval` are for a file without
    times: the time of its first candle and the step, such as `5min`, `1h`, `1d`, `1b` (business days), `1w`, `1mo`.
    Without them such a file comes back with `needs_timestamps`.
    """

    start: datetime | None
    interval: str | None
    mapping: ColumnMapping | None


def read(content: bytes, filename: str, *, settings: Settings, **options: Unpack[ReadOptions]) -> Draft:
    """Return the candles of a file with one instrument; parameters as for `read_all`.

    Raises InvalidInput or TooLarge as `read_all`, and if the file holds several instruments.
    """
    drafts = read_all(content, filename, settings=settings, **options)
    if len(drafts) > 1:
        raise InvalidInput(
            "several_symbols",
            text(
                "“{name}” holds {count} instruments: {symbols}.",
                name=drafts[0].about.origin, count=len(drafts), symbols=shorten_list([d.name for d in drafts[:11]], 10),
            ),
            text("Send one instrument at a time."),
        )  # fmt: skip
    return drafts[0]


def read_all(content: bytes, filename: str, *, settings: Settings, **options: Unpack[ReadOptions]) -> list[Draft]:
    """Return the candles of an uploaded file, one draft an instrument, faults included.

    A file with a column of symbols is split by it, in the order in which they first occur; each draft is then called
    by its symbol, that of a file of one instrument by the name of the file.

    Parameters
    ----------
    content, filename
        The upload. The name is only shown; the content decides what the file is.
    settings
        Limits of size and rows.

    Raises
    ------
    InvalidInput, TooLarge
        There is nothing that could be repaired; the message names the file and the column or row.
    """
    stated = options.get("mapping") or ColumnMapping()
    table = tables.read(content, decode.safe_name(filename), selection(stated), settings)
    sheets = [sheet.read(part, infer(part, stated)) for part in wide.split(table, stated)]
    drafts = [draft for read_sheet in sheets for draft in instruments.split(read_sheet)]
    times = options.get("start"), options.get("interval")
    return [with_stated_times(draft, *times) if draft.needs_timestamps else draft for draft in drafts]
