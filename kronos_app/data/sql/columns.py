"""Builds a draft from the rows of a database, column by column, whatever types its driver returns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
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
from kronos_app.data.sql.request import SqlRequest
from kronos_app.data.upload import numbers, timestamps
from kronos_app.data.upload.columns import shorten
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

SHOWN_CELLS = 100
_NUMBERS = {int, float, Decimal, bool}


class ColumnBuilder:
    """Columns that grow with every chunk of rows.

    Parameters
    ----------
    places
        Role (`request.COLUMNS`) to position in a row.
    instants
        Positions whose times are in UTC although they carry no zone.
    """

    def __init__(self, places: Mapping[str, int], instants: Collection[int] = ()) -> None:
        self._places = dict(places)
        self._instants = instants
        self._parts: dict[str, list[pa.Array]] = {role: [] for role in places}
        self.count = 0

    def add(self, rows: Sequence[Sequence[Any]], symbol: str | None = None) -> None:
        """Add rows; with `symbol`, rows of other instruments are skipped."""
        if symbol is not None and "symbol" in self._places:
            where = self._places["symbol"]
            rows = [row for row in rows if str(row[where]).strip() == symbol]
        if not rows:
            return
        self.count += len(rows)
        values = list(zip(*rows, strict=True))
        for role, position in self._places.items():
            part = _array(values[position], exact=role not in FEATURES)
            in_utc = position in self._instants and pa.types.is_timestamp(part.type)
            self._parts[role].append(pc.assume_timezone(part, "UTC") if in_utc else part)

    def columns(self) -> dict[str, pa.ChunkedArray]:
        """Return the columns by role, each of one type."""
        return {role: _one_type(parts) for role, parts in self._parts.items()}


def draft(
    columns: Mapping[str, pa.ChunkedArray], headers: Mapping[str, str], request: SqlRequest, *, name: str, about: About
) -> Draft:
    """Return the candles in the range of a request as a draft, ascending; rows are numbered in that order, from 1.

    `columns` and `headers` are by role. Candles whose time cannot be read are faults and stay. Raises `InvalidInput`
    where the time column has no times or a price column no numbers.
    """
    times = columns["timestamp"]
    parsed = timestamps.parse(times, columns.get("clock"), timezone=request.timezone)
    if np.isnat(parsed.values).all():
        raise _unreadable("timestamp", headers, _first(times))
    order = np.argsort(parsed.values, kind="stable")
    order = order[_in_range(parsed.values, request, parsed.timezone)[order]]
    rows = pd.RangeIndex(1, len(order) + 1, name="row")
    frame = pd.DataFrame({"timestamp": parsed.values[order]}, index=rows)
    values, remarks = numbers.parse({role: columns[role] for role in FEATURES if role in columns}, "")
    findings = [*parsed.findings, *remarks]
    bad = _bad_cells(times, parsed.bad, order, headers["timestamp"])
    unreadable = int(parsed.bad[order].sum())
    used = {"timestamp": " + ".join(headers[role] for role in ("timestamp", "clock") if role in headers)}
    for role, column in values.items():
        if np.isnan(column.values).all():
            if role in PRICES:
                raise _unreadable(role, headers, _first(columns[role]))
            if not column.bad.any():
                findings.append(_empty_column(headers[role]))
                continue
        frame[role] = column.values[order]
        used[role] = headers[role]
        bad += _bad_cells(columns[role], column.bad, order, headers[role])
        unreadable += int(column.bad[order].sum())
    return Draft(
        frame=frame, name=name, source="sql", timezone=parsed.timezone, columns=used,
        bad_cells=tuple(sorted(bad, key=lambda cell: cell.row)), unreadable=unreadable, findings=tuple(findings),
        about=about,
    )  # fmt: skip


def _in_range(values: NDArray[np.datetime64], request: SqlRequest, timezone: str | None) -> NDArray[np.bool_]:
    times = pd.Series(values)
    inside = pd.Series(True, index=times.index)
    if request.start is not None:
        inside &= times >= _local(request.start, timezone)
    if request.end is not None:
        inside &= times < _local(request.end, timezone)
    return np.asarray(inside | times.isna())


def _local(moment: datetime, timezone: str | None) -> pd.Timestamp:
    stamp = pd.Timestamp(moment)
    return stamp if stamp.tzinfo is None else stamp.tz_convert(timezone or "UTC").tz_localize(None)


def _array(values: Sequence[Any], *, exact: bool) -> pa.Array:
    """Return values as floats, times or text, by their types.

    With `exact`, integers stay integers: nanoseconds since 1970 exceed the precision of a float.
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
    zoned = {value.tzinfo is not None for value in values if value is not None}
    if len(zoned) > 1:
        raise ValueError("times with and without a zone")
    return pa.array(values, pa.timestamp("us", tz="UTC" if zoned == {True} else None))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, timedelta):  # MySQL's type for a time of day
        return str(value).rpartition(" ")[2]
    if isinstance(value, bytes | memoryview):
        return bytes(value[:200]).decode("utf-8", "replace")
    return str(value)


def _one_type(parts: Sequence[pa.Array]) -> pa.ChunkedArray:
    """Join the chunks of a column; chunks of different types become floats if all are numbers, else text."""
    kinds = {part.type for part in parts if not pa.types.is_null(part.type)}
    if len(kinds) > 1:
        numeric = all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds)
        kinds = {pa.float64() if numeric else pa.string()}
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


def _unreadable(role: str, headers: Mapping[str, str], value: str) -> InvalidInput:
    header = shorten(headers[role])
    if role == "timestamp":
        return InvalidInput(
            "no_times",
            text("Column “{column}” contains no times; its first value is “{value}”.", column=header, value=value),
            text("Choose a column with dates, or with seconds or milliseconds since 1970."),
        )
    return InvalidInput(
        "no_numbers",
        text("Column “{column}” contains no numbers; its first value is “{value}”.", column=header, value=value),
        text("Choose a column with prices."),
    )
