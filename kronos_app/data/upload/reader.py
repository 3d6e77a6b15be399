"""Files that users hand in, read into drafts: CSV, Feather and Parquet, each also compressed with gzip."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kronos_app.data.about import About
from kronos_app.data.candle_frame import FEATURES, PRICES
from kronos_app.data.draft import BadCell, Draft, Finding
from kronos_app.data.upload import decode, numbers, tables, timestamps
from kronos_app.data.upload.columns import UNNAMED, plain, shorten, shorten_list
from kronos_app.errors import InvalidInput, TooLarge
from kronos_app.i18n import text
from kronos_app.settings import Settings

SHOWN_CELLS = 100  # unreadable cells kept of each column; the rest is counted
MOST_SERIES = 2_000  # a column with more different values is hardly one of symbols
INTERVALS = ("1min", "5min", "15min", "30min", "1h", "4h", "1d", "1b", "1w", "1mo")
_UNITS = {
    "s": "s", "sec": "s", "m": "min", "min": "min", "t": "min", "h": "h", "hour": "h", "d": "D", "day": "D", "b": "B",
    "w": "W", "week": "W", "mo": "M", "mon": "M", "month": "M",
}  # fmt: skip


@dataclass(frozen=True)
class _Cells:
    """A column as in the file, and which of its cells cannot be read."""

    cells: pa.ChunkedArray
    bad: NDArray[np.bool_]
    header: str


@dataclass(frozen=True)
class _Sheet:
    """A file whose cells have been read, all its instruments together: one row of `frame` a line."""

    name: str
    frame: pd.DataFrame
    cells: Mapping[str, _Cells]
    symbols: pa.ChunkedArray | None
    timezone: str | None
    findings: tuple[Finding, ...]


def read(
    content: bytes,
    filename: str,
    *,
    start: datetime | None = None,
    interval: str | None = None,
    settings: Settings,
) -> Draft:
    """Return the candles of a file with one instrument; the parameters are those of `read_all`.

    Raises
    ------
    InvalidInput, TooLarge
        As `read_all`, and if the file holds several instruments.
    """
    drafts = read_all(content, filename, start=start, interval=interval, settings=settings)
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
    settings: Settings,
) -> list[Draft]:
    """Return the candles of an uploaded file, one draft an instrument, with whatever is wrong with them.

    A file with a column of symbols is split by it, in the order in which they first occur; each draft is then called
    by its symbol. A file of one instrument is called by its own name.

    Parameters
    ----------
    content, filename
        The upload. The name is only shown; what the file is, its content decides.
    start, interval
        For a file without times: the time of its first candle and the step, such as `5min`, `1h`, `1d`, `1b`
        (business days), `1w`, `1mo`. Without them such a file comes back with `needs_timestamps`.
    settings
        Limits of size and rows.

    Raises
    ------
    InvalidInput, TooLarge
        If there is nothing that could be repaired; the message names the file and the column or row.
    """
    sheet = _read_sheet(content, decode.safe_name(filename), settings)
    drafts = list(_split(sheet))
    return [_with_stated_times(draft, start, interval) if draft.needs_timestamps else draft for draft in drafts]


def _read_sheet(content: bytes, name: str, settings: Settings) -> _Sheet:
    plain_content, kind = decode.unpack(content, name, settings.max_upload_mb)
    table = tables.read(plain_content, kind, name, limit_mb=settings.max_upload_mb, max_rows=settings.max_rows)
    columns = dict(table.columns)
    headers = dict(table.headers)
    symbols = columns.pop("symbol", None)
    findings: list[Finding] = []
    if table.unused:
        findings.append(
            Finding("unused_columns", "info", text("Columns not used: {found}.", found=shorten_list(table.unused)))
        )
    if "timestamp" in columns and _only_counts(columns["timestamp"], headers["timestamp"]):
        del columns["timestamp"]
    times = columns.pop("timestamp", None)
    clock = columns.pop("clock", None)
    frame = pd.DataFrame(index=pd.Index(table.rows, name="row"))
    cells: dict[str, _Cells] = {}
    timezone = None
    if times is not None:
        parsed = timestamps.parse(times, clock)
        frame["timestamp"] = parsed.values
        findings += parsed.findings
        timezone = parsed.timezone
        cells["timestamp"] = _Cells(times, parsed.bad, headers["timestamp"])
        if np.isnat(parsed.values).all():
            raise _no_times(cells["timestamp"], table.rows, name)
    values, remarks = numbers.parse({c: columns[c] for c in FEATURES if c in columns}, table.delimiter)
    findings += remarks
    for column, found in values.items():
        if column in PRICES and np.isnan(found.values).all():
            raise _no_numbers(columns[column], table.rows, headers[column], name)
        frame[column] = found.values
        cells[column] = _Cells(columns[column], found.bad, headers[column])
    if symbols is not None:
        cells["symbol"] = _Cells(symbols, np.zeros(len(frame), dtype=bool), headers["symbol"])
        symbols = _symbols(symbols)
    return _Sheet(name, frame, cells, symbols, timezone, tuple(findings))


def _symbols(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return symbols as text without spaces around it, empty where there is none; 600519.0 is 600519."""
    if pa.types.is_floating(column.type) and not pc.any(pc.not_equal(pc.round(column), column)).as_py():
        column = pc.cast(column, pa.int64(), safe=False)
    column = column if numbers.is_text(column) else pc.cast(column, pa.string())
    return pc.fill_null(pc.utf8_trim_whitespace(column), "")


def _split(sheet: _Sheet) -> Iterator[Draft]:
    """Yield one draft an instrument."""
    known = [] if sheet.symbols is None else [s for s in pc.unique(sheet.symbols).to_pylist() if s]
    if len(known) > MOST_SERIES:
        raise TooLarge(
            "too_many_symbols",
            text(
                "“{name}” holds {count} instruments in column “{column}”, more than the limit of {most}.",
                name=sheet.name, count=len(known), column=sheet.cells["symbol"].header, most=MOST_SERIES,
            ),
            text("Upload fewer instruments at a time, or rename the column if it is no symbol."),
        )  # fmt: skip
    if len(known) < 2:
        everything = np.arange(len(sheet.frame))
        about = About(symbol=shorten(known[0]) if known else None, origin=sheet.name)
        yield _draft(sheet, everything, sheet.name, about, sheet.findings)
        return
    codes = np.asarray(pc.index_in(sheet.symbols, value_set=pa.array(known, pa.string())).fill_null(-1).to_numpy())
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(known) + 1))
    findings = [*sheet.findings, _split_finding(sheet, len(known))]
    if bounds[0]:
        nameless = sheet.frame.index[order[: bounds[0]]]
        findings.append(
            Finding(
                "no_symbol",
                "warning",
                text(
                    "{count} row(s) name no instrument and are left out; first in row {row}.",
                    count=len(nameless), row=int(nameless[0]),
                ),
                tuple(int(row) for row in nameless[:5]),
            )
        )  # fmt: skip
    for position, symbol in enumerate(known):
        where = order[bounds[position] : bounds[position + 1]]
        name = shorten(symbol)
        yield _draft(sheet, where, name, About(symbol=name, origin=sheet.name), findings)


def _split_finding(sheet: _Sheet, count: int) -> Finding:
    message = text(
        "One of {count} instruments in “{name}”, told apart by column “{column}”.",
        count=count, name=sheet.name, column=sheet.cells["symbol"].header,
    )  # fmt: skip
    return Finding("split_by_symbol", "info", message)


def _draft(sheet: _Sheet, where: NDArray[np.int64], name: str, about: About, findings: Sequence[Finding]) -> Draft:
    """Return the lines `where` as a draft."""
    frame = sheet.frame.iloc[where]
    remarks = list(findings)
    bad: list[BadCell] = []
    unreadable = 0
    columns = {}
    for column, found in sheet.cells.items():
        faulty = found.bad[where]
        if column in FEATURES and column not in PRICES and not faulty.any() and frame[column].isna().all():
            frame = frame.drop(columns=column)
            remarks.append(_empty_column(found.header))
            continue
        columns[column] = found.header
        bad += _bad_cells(found.cells, where[faulty], sheet.frame.index, found.header)
        unreadable += int(faulty.sum())
    return Draft(
        frame=frame, name=name, source="upload", timezone=sheet.timezone, columns=columns,
        needs_timestamps="timestamp" not in frame, bad_cells=tuple(sorted(bad, key=lambda cell: cell.row)),
        unreadable=unreadable, findings=tuple(remarks), about=about,
    )  # fmt: skip


def _with_stated_times(draft: Draft, start: datetime | None, interval: str | None) -> Draft:
    """Give a draft without times those that the user stated; both or none."""
    if start is None and interval is None:
        return draft
    if start is None or interval is None:
        raise InvalidInput(
            "incomplete_times",
            text("“{name}” has no time column: start and interval are needed together.", name=draft.name),
            text("State the time of the first candle and the interval, such as 5min, 1h or 1d."),
        )
    first = pd.Timestamp(start)
    zone = None if first.tzinfo is None else str(first.tzinfo)
    try:
        times = pd.date_range(first.tz_localize(None), periods=len(draft), freq=_offset(interval)).as_unit("ns")
    except (OverflowError, ValueError) as error:
        raise InvalidInput(
            "times_out_of_range",
            text(
                "{rows} candles every {interval} from {start} leave the calendar.",
                rows=len(draft),
                interval=interval,
                start=str(first),
            ),
            text("State a shorter interval or an earlier start."),
        ) from error
    frame = draft.frame.copy()
    frame.insert(0, "timestamp", times)
    message = text(
        "The file has no times; they were stated: every {interval} from {start}.", interval=interval, start=str(first)
    )
    finding = Finding("stated_times", "info", message)
    findings = (*draft.findings, finding)
    return replace(draft, frame=frame, timezone=zone, needs_timestamps=False, findings=findings)


def _offset(interval: str) -> pd.offsets.BaseOffset:
    match = re.fullmatch(r"\s*(\d{1,4})\s*([A-Za-z]+?)s?\s*", interval)
    unit = "" if match is None else "mo" if match[2] == "M" else match[2].lower()
    if match is None or unit not in _UNITS or int(match[1]) == 0:
        raise InvalidInput(
            "unknown_interval",
            text("“{interval}” is not an interval.", interval=shorten(interval)),
            text("Use a number and a unit: {examples}.", examples=", ".join(INTERVALS)),
        )
    count, kind = int(match[1]), _UNITS[unit]
    if kind == "M":
        return pd.DateOffset(months=count)
    if kind == "W":
        return pd.DateOffset(weeks=count)
    return pd.tseries.frequencies.to_offset(f"{count}{kind}")


def _only_counts(column: pa.ChunkedArray, header: str) -> bool:
    """Return whether a column without a name, the index of some data frame, counts rows instead of telling the time."""
    if plain(header) not in UNNAMED:
        return False
    first = next((cell.as_py() for cell in column.slice(0, 10) if cell.as_py() not in {None, ""}), "")
    return isinstance(first, int | float) or re.fullmatch(r"\d{0,7}(\.0)?", str(first).strip()) is not None


def _bad_cells(
    column: pa.ChunkedArray, where: NDArray[np.int64], rows: pd.Index[int], header: str
) -> Iterator[BadCell]:
    for position in where[:SHOWN_CELLS]:
        yield BadCell(int(rows[position]), header, shorten(str(column[int(position)].as_py())))


def _no_times(times: _Cells, rows: NDArray[np.int64], name: str) -> InvalidInput:
    hint = text("Use dates such as 2024-01-31 09:30, or seconds or milliseconds since 1970.")
    if not times.bad.any():
        return InvalidInput(
            "no_times", text("The time column “{column}” of “{name}” is empty.", column=times.header, name=name), hint
        )
    position = int(np.flatnonzero(times.bad)[0])
    return InvalidInput(
        "no_times",
        text(
            "The time column “{column}” of “{name}” cannot be read; row {row} says “{value}”.",
            column=times.header, name=name, row=int(rows[position]), value=shorten(str(times.cells[position].as_py())),
        ),
        hint,
    )  # fmt: skip


def _no_numbers(column: pa.ChunkedArray, rows: NDArray[np.int64], header: str, name: str) -> InvalidInput:
    value = shorten(str(column[0].as_py() if column[0].as_py() is not None else ""))
    return InvalidInput(
        "no_numbers",
        text(
            "Column “{column}” of “{name}” holds no numbers; row {row} says “{value}”.",
            column=header, name=name, row=int(rows[0]), value=value,
        ),
        text("Prices must be plain numbers, such as 101.25."),
    )  # fmt: skip


def _empty_column(header: str) -> Finding:
    return Finding("empty_column", "info", text("Column “{column}” is empty and is left out.", column=header))
