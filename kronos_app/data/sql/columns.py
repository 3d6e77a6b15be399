"""Rows of a database as a draft: values of whatever type its driver hands over, gathered column by column."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kronos_app.data.about import About
from kronos_app.data.candle_frame import FEATURES, PRICES
from kronos_app.data.draft import BadCell, Draft, Finding
from kronos_app.data.upload import numbers, timestamps
from kronos_app.data.upload.columns import shorten
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

SHOWN_CELLS = 100
_NUMBERS = {int, float, Decimal, bool}


class Gathered:
    """Columns that grow with every chunk of rows.

    Parameters
    ----------
    columns
        Names as in `request.COLUMNS` to positions in a row.
    instants
        Positions whose times are in UTC, though they do not say so.
    """

    def __init__(self, columns: Mapping[str, int], instants: Collection[int] = ()) -> None:
        self._columns = dict(columns)
        self._instants = instants
        self._parts: dict[str, list[pa.Array]] = {column: [] for column in columns}
        self.count = 0

    def add(self, rows: Sequence[Sequence[Any]], symbol: str | None = None) -> None:
        """Add rows; with `symbol` those of another instrument are left out."""
        if symbol is not None and "symbol" in self._columns:
            where = self._columns["symbol"]
            rows = [row for row in rows if str(row[where]).strip() == symbol]
        if not rows:
            return
        self.count += len(rows)
        values = list(zip(*rows, strict=True))
        for column, position in self._columns.items():
            part = _array(values[position], exact=column not in FEATURES)
            in_utc = position in self._instants and pa.types.is_timestamp(part.type)
            self._parts[column].append(pc.assume_timezone(part, "UTC") if in_utc else part)

    def take(self) -> dict[str, pa.ChunkedArray]:
        """Return the columns, each of one type."""
        return {column: _one_type(parts) for column, parts in self._parts.items()}


def draft(
    columns: Mapping[str, pa.ChunkedArray],
    headers: Mapping[str, str],
    *,
    name: str,
    timezone: str | None,
    about: About,
) -> Draft:
    """Return columns as a draft in the order of time; its rows are counted in that order, from 1.

    Parameters
    ----------
    columns, headers
        By names as in `request.COLUMNS`: values, and what the database calls them.
    timezone
        Where the times are local to; times that a database keeps as instants are brought there. None for times as
        they are, instants in UTC.

    Raises
    ------
    InvalidInput
        The column of the time holds no times, or that of a price no numbers.
    """
    times = columns["timestamp"]
    parsed = timestamps.parse(times, columns.get("clock"), timezone=timezone)
    if np.isnat(parsed.values).all():
        raise _unreadable("timestamp", headers, _first(times))
    order = np.argsort(parsed.values, kind="stable")
    rows = pd.RangeIndex(1, len(order) + 1, name="row")
    frame = pd.DataFrame({"timestamp": parsed.values[order]}, index=rows)
    values, remarks = numbers.parse({column: columns[column] for column in FEATURES if column in columns}, "")
    findings = [*parsed.findings, *remarks]
    bad = _bad_cells(times, parsed.bad, order, headers["timestamp"])
    unreadable = int(parsed.bad.sum())
    used = {"timestamp": " + ".join(headers[column] for column in ("timestamp", "clock") if column in headers)}
    for column, found in values.items():
        if np.isnan(found.values).all():
            if column in PRICES:
                raise _unreadable(column, headers, _first(columns[column]))
            if not found.bad.any():
                findings.append(_empty_column(headers[column]))
                continue
        frame[column] = found.values[order]
        used[column] = headers[column]
        bad += _bad_cells(columns[column], found.bad, order, headers[column])
        unreadable += int(found.bad.sum())
    return Draft(
        frame=frame, name=name, source="sql", timezone=parsed.timezone, columns=used,
        bad_cells=tuple(sorted(bad, key=lambda cell: cell.row)), unreadable=unreadable, findings=tuple(findings),
        about=about,
    )  # fmt: skip


def cut(whole: Draft, start: datetime | None, end: datetime | None) -> Draft:
    """Return the candles from `start` up to and without `end`, times without an offset as the draft has them.

    Candles whose time could not be read stay: they are faults to be seen.
    """
    times = whole.frame["timestamp"]
    keep = np.ones(len(times), dtype=bool)
    if start is not None:
        keep &= (times >= _local(start, whole.timezone)).to_numpy() | times.isna().to_numpy()
    if end is not None:
        keep &= (times < _local(end, whole.timezone)).to_numpy() | times.isna().to_numpy()
    if keep.all():
        return whole
    numbers_of = np.cumsum(keep)
    frame = whole.frame[keep]
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="row")
    bad = [
        BadCell(int(numbers_of[cell.row - 1]), cell.column, cell.text) for cell in whole.bad_cells if keep[cell.row - 1]
    ]
    unreadable = len(bad) if len(bad) < len(whole.bad_cells) else whole.unreadable
    return Draft(
        frame=frame, name=whole.name, source=whole.source, timezone=whole.timezone, columns=whole.columns,
        bad_cells=tuple(bad), unreadable=unreadable, findings=whole.findings, about=whole.about,
    )  # fmt: skip


def _local(moment: datetime, timezone: str | None) -> pd.Timestamp:
    """Return a moment as the times of a draft are written."""
    stamp = pd.Timestamp(moment)
    if stamp.tzinfo is None:
        return stamp
    return stamp.tz_convert(timezone or "UTC").tz_localize(None)


def _array(values: Sequence[Any], *, exact: bool) -> pa.Array:
    """Return values as floats where they are numbers, as times where they are times, else as text.

    Parameters
    ----------
    exact
        Whole numbers stay whole: nanoseconds since 1970 are more than a float can tell apart.
    """
    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return pa.nulls(len(values))
    if kinds == {int} and exact:
        try:
            return pa.array(values, pa.int64())
        except (OverflowError, pa.ArrowInvalid):
            pass
    if kinds <= _NUMBERS:
        return pa.array(np.array(values, dtype=np.float64))
    if all(issubclass(kind, datetime) for kind in kinds):
        try:
            return _instants(values)
        except (pa.ArrowException, OverflowError, ValueError):
            pass  # before 1678 or after 2262, or with and without a zone mixed
    if kinds == {date}:
        return pa.array(values, pa.date32())
    return pa.array([_text(value) for value in values], pa.string())


def _instants(values: Sequence[datetime | None]) -> pa.Array:
    aware = {value.tzinfo is not None for value in values if value is not None}
    if aware == {True}:
        return pa.array(values, pa.timestamp("us", tz="UTC"))
    if aware == {False}:
        return pa.array(values, pa.timestamp("us"))
    raise ValueError("times with and without a zone")


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, timedelta):  # a time of day, as MySQL has it
        return f"{value}".rpartition(" ")[2]
    if isinstance(value, bytes | memoryview):
        return bytes(value[:200]).decode("utf-8", "replace")
    return str(value)


def _one_type(parts: Sequence[pa.Array]) -> pa.ChunkedArray:
    """Join chunks of a column; where they differ, numbers become floats and everything else text."""
    kinds = {part.type for part in parts if not pa.types.is_null(part.type)}
    if len(kinds) > 1:
        every = all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds)
        kinds = {pa.float64() if every else pa.string()}
    kind = next(iter(kinds), pa.float64())
    return pa.chunked_array([pc.cast(part, kind, safe=False) for part in parts], kind)


def _bad_cells(column: pa.ChunkedArray, bad: NDArray[np.bool_], order: NDArray[np.intp], header: str) -> list[BadCell]:
    places = np.flatnonzero(bad[order])[:SHOWN_CELLS]
    return [BadCell(int(place) + 1, header, shorten(str(column[int(order[place])].as_py()))) for place in places]


def _first(column: pa.ChunkedArray) -> str:
    return next((shorten(str(cell.as_py())) for cell in column if cell.is_valid), "")


def _empty_column(header: str) -> Finding:
    message = text("Column “{column}” is empty and is left out.", column=shorten(header))
    return Finding("empty_column", "info", message)


def _unreadable(column: str, headers: Mapping[str, str], value: str) -> InvalidInput:
    header = shorten(headers[column])
    if column == "timestamp":
        return InvalidInput(
            "no_times",
            text("Column “{column}” holds no times; the first row says “{value}”.", column=header, value=value),
            text("Choose the column of the time: dates, or seconds or milliseconds since 1970."),
        )
    return InvalidInput(
        "no_numbers",
        text("Column “{column}” holds no numbers; the first row says “{value}”.", column=header, value=value),
        text("Choose a column of prices."),
    )
