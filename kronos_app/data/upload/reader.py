"""Files that users upload, read into drafts: text with separators, JSON, HTML, Feather and Parquet, also gzipped."""

from __future__ import annotations

from datetime import datetime

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


def read(
    content: bytes,
    filename: str,
    *,
    start: datetime | None = None,
    interval: str | None = None,
    mapping: ColumnMapping | None = None,
    settings: Settings,
) -> Draft:
    """Return the candles of a file with one instrument; the parameters are those of `read_all`.

    Raises
    ------
    InvalidInput, TooLarge
        As `read_all`, and if the file holds several instruments.
    """
    drafts = read_all(content, filename, start=start, interval=interval, mapping=mapping, settings=settings)
    if len(drafts) > 1:
        raise InvalidInput(
            "several_symbols",
            text(
                "“{name}” holds {count} instruments: {symbols}.",
                name=drafts[0].about.origin, count=len(drafts), symbols=shorten_list([d.name for d in drafts[:11]], 10),
            ),
            text("One instrument is wanted here: send one at a time."),
        )  # fmt: skip
    return drafts[0]


def read_all(
    content: bytes,
    filename: str,
    *,
    start: datetime | None = None,
    interval: str | None = None,
    mapping: ColumnMapping | None = None,
    settings: Settings,
) -> list[Draft]:
    """Return the candles of an uploaded file, one draft an instrument, with whatever is wrong with them.

    A file with a column of symbols is split by it, in the order in which they first occur; each draft is then called
    by its symbol. A file of one instrument is called by its own name.

    Parameters
    ----------
    content, filename
        The upload. The name is only shown; the content decides what the file is.
    start, interval
        For a file without times: the time of its first candle and the step, such as `5min`, `1h`, `1d`, `1b`
        (business days), `1w`, `1mo`. Without them such a file comes back with `needs_timestamps`.
    mapping
        What is stated about columns, times and units; the rest is inferred.
    settings
        Limits of size and rows.

    Raises
    ------
    InvalidInput, TooLarge
        If there is nothing that could be repaired; the message names the file and the column or row.
    """
    stated = mapping or ColumnMapping()
    table = tables.read(content, decode.safe_name(filename), selection(stated), settings)
    sheets = [sheet.read(part, infer(part, stated)) for part in wide.split(table, stated)]
    drafts = [draft for read_sheet in sheets for draft in instruments.split(read_sheet)]
    return [with_stated_times(draft, start, interval) if draft.needs_timestamps else draft for draft in drafts]
