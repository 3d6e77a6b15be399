"""Files that users hand in, read into drafts: CSV, Feather and Parquet, each also compressed with gzip."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kronos_app.data import decode, numbers, tables, timestamps
from kronos_app.data.candle_frame import FEATURES, PRICES
from kronos_app.data.columns import UNNAMED, plain, shorten, shorten_list
from kronos_app.data.draft import BadCell, Draft, Finding
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text
from kronos_app.settings import Settings

SHOWN_CELLS = 100  # unreadable cells kept of each column; the rest is counted
INTERVALS = ("1min", "5min", "15min", "30min", "1h", "4h", "1d", "1b", "1w", "1mo")
_UNITS = {
    "s": "s", "sec": "s", "m": "min", "min": "min", "t": "min", "h": "h", "hour": "h", "d": "D", "day": "D", "b": "B",
    "w": "W", "week": "W", "mo": "M", "mon": "M", "month": "M",
}  # fmt: skip


def read(
    content: bytes,
    filename: str,
    *,
    start: datetime | None = None,
    interval: str | None = None,
    settings: Settings,
) -> Draft:
    """Return the candles of an uploaded file, with whatever is wrong with them.

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
    name = decode.safe_name(filename)
    plain_content, kind = decode.unpack(content, name, settings.max_upload_mb)
    table = tables.read(plain_content, kind, name, limit_mb=settings.max_upload_mb, max_rows=settings.max_rows)
    columns = dict(table.columns)
    headers = dict(table.headers)
    _check_symbols(columns.pop("symbol", None), headers.pop("symbol", ""), name)
    findings: list[Finding] = []
    if table.unused:
        findings.append(
            Finding("unused_columns", "info", text("Columns not used: {found}.", found=shorten_list(table.unused)))
        )
    if "timestamp" in columns and _only_counts(columns["timestamp"], headers["timestamp"]):
        del columns["timestamp"], headers["timestamp"]
    times = columns.pop("timestamp", None)
    clock = columns.pop("clock", None)
    frame = pd.DataFrame(index=pd.Index(table.rows, name="row"))
    bad: list[BadCell] = []
    unreadable = 0
    timezone = None
    if times is not None:
        parsed = timestamps.parse(times, clock)
        frame["timestamp"] = parsed.values
        findings += parsed.findings
        timezone = parsed.timezone
        bad += _bad_cells(times, parsed.bad, table.rows, headers["timestamp"])
        unreadable += int(parsed.bad.sum())
        if np.isnat(parsed.values).all():
            raise _no_times(bad, headers["timestamp"], name)
    values, remarks = numbers.parse({c: columns[c] for c in FEATURES if c in columns}, table.delimiter)
    findings += remarks
    for column, cells in values.items():
        if np.isnan(cells.values).all():
            if column in PRICES:
                raise _no_numbers(columns[column], table.rows, headers[column], name)
            if not cells.bad.any():
                findings.append(_empty_column(headers.pop(column)))
                continue
        frame[column] = cells.values
        bad += _bad_cells(columns[column], cells.bad, table.rows, headers[column])
        unreadable += int(cells.bad.sum())
    draft = Draft(
        frame=frame, name=name, source="upload", timezone=timezone, columns=headers, needs_timestamps=times is None,
        bad_cells=tuple(sorted(bad, key=lambda cell: cell.row)), unreadable=unreadable, findings=tuple(findings),
    )  # fmt: skip
    return _with_stated_times(draft, start, interval) if times is None else draft


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
    return Draft(
        frame=frame, name=draft.name, source=draft.source, timezone=zone, columns=draft.columns,
        bad_cells=draft.bad_cells, unreadable=draft.unreadable, findings=(*draft.findings, finding),
    )  # fmt: skip


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


def _check_symbols(column: pa.ChunkedArray | None, header: str, name: str) -> None:
    if column is None:
        return
    symbols = [str(value) for value in pc.unique(column).to_pylist() if value not in {None, ""}]
    if len(symbols) > 1:
        raise InvalidInput(
            "several_symbols",
            text(
                "“{name}” holds {count} instruments in column “{column}”: {symbols}.",
                name=name, count=len(symbols), column=header, symbols=shorten_list(symbols, 10),
            ),
            text("Upload one file for each instrument."),
        )  # fmt: skip


def _only_counts(column: pa.ChunkedArray, header: str) -> bool:
    """Return whether a column without a name, the index of some data frame, counts rows instead of telling the time."""
    if plain(header) not in UNNAMED:
        return False
    first = next((cell.as_py() for cell in column.slice(0, 10) if cell.as_py() not in {None, ""}), "")
    return isinstance(first, int | float) or re.fullmatch(r"\d{0,7}(\.0)?", str(first).strip()) is not None


def _bad_cells(
    column: pa.ChunkedArray,
    bad: NDArray[np.bool_],
    rows: NDArray[np.int64],
    header: str,
) -> Iterator[BadCell]:
    for position in np.flatnonzero(bad)[:SHOWN_CELLS]:
        yield BadCell(int(rows[position]), header, shorten(str(column[int(position)].as_py())))


def _no_times(bad: list[BadCell], header: str, name: str) -> InvalidInput:
    hint = text("Use dates such as 2024-01-31 09:30, or seconds or milliseconds since 1970.")
    if not bad:
        return InvalidInput(
            "no_times", text("The time column “{column}” of “{name}” is empty.", column=header, name=name), hint
        )
    return InvalidInput(
        "no_times",
        text(
            "The time column “{column}” of “{name}” cannot be read; row {row} says “{value}”.",
            column=header, name=name, row=bad[0].row, value=bad[0].text,
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
