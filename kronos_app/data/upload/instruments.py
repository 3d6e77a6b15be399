"""A sheet divided into drafts: one an instrument, and one a series where an instrument has several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kronos_app.data.about import About
from kronos_app.data.candle_frame import FEATURES, PRICES
from kronos_app.data.draft import BadCell, Draft, Finding
from kronos_app.data.upload.columns import shorten
from kronos_app.data.upload.sheet import Cells, Sheet
from kronos_app.data.upload.table import text_at
from kronos_app.errors import TooLarge
from kronos_app.i18n import text

SHOWN_CELLS = 100  # unreadable cells kept of each column; the rest is counted
MOST_SERIES = 2_000  # a column with more different values is hardly one of symbols


def split(sheet: Sheet) -> Iterator[Draft]:
    """Yield one draft an instrument, in the order in which they first occur.

    Raises
    ------
    TooLarge
        There are more instruments than `MOST_SERIES`.
    """
    sheet = _qualified(sheet)
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
        symbol = shorten(known[0]) if known else sheet.symbol
        name = symbol if sheet.several and symbol else sheet.name
        yield _draft(sheet, everything, name, About(symbol=symbol, origin=sheet.name), sheet.findings)
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


def _qualified(sheet: Sheet) -> Sheet:
    """Return a sheet whose symbols tell apart the series of one symbol, where times repeat and a column names them.

    NSE lists a share in several series, such as EQ and N5; contracts of one symbol have several expiries.
    """
    if not sheet.qualifiers or "timestamp" not in sheet.frame:
        return sheet
    lines = pd.DataFrame({"time": sheet.frame["timestamp"].to_numpy()})
    lines["symbol"] = "" if sheet.symbols is None else sheet.symbols.to_numpy()
    lines["full"] = lines["symbol"]
    used = []
    repeated = lines.duplicated(["time", "full"]).sum()
    for header, cells in sheet.qualifiers.items():
        if not repeated:
            break
        finer = (lines["full"] + " " + pd.Series(cells.to_numpy())).str.strip()
        left = lines.assign(full=finer).duplicated(["time", "full"]).sum()
        if left <= repeated / 2:
            lines["full"], repeated = finer, left
            used.append(header)
    if not used:
        return sheet
    several = lines.groupby("symbol")["full"].transform("nunique") > 1
    names = lines["full"].where(several, lines["symbol"])
    column = " + ".join(f"“{shorten(header)}”" for header in used)
    message = text(
        "{count} symbol(s) have several series, told apart by {column}, such as “{example}”; each was read alone.",
        count=int(lines.loc[several, "symbol"].nunique()), column=column, example=shorten(str(names[several].iloc[-1])),
    )  # fmt: skip
    symbols = pa.chunked_array([pa.array(names, pa.string())])
    header = sheet.cells["symbol"].header + " + " if "symbol" in sheet.cells else ""
    named = Cells(symbols, np.zeros(len(names), dtype=bool), header + " + ".join(map(shorten, used)))
    findings = (*sheet.findings, Finding("several_series", "info", message))
    return replace(sheet, symbols=symbols, cells={**sheet.cells, "symbol": named}, findings=findings)


def _split_finding(sheet: Sheet, count: int) -> Finding:
    message = text(
        "One of {count} instruments in “{name}”, told apart by column “{column}”.",
        count=count, name=sheet.name, column=sheet.cells["symbol"].header,
    )  # fmt: skip
    return Finding("split_by_symbol", "info", message)


def _draft(sheet: Sheet, where: NDArray[np.int64], name: str, about: About, findings: Sequence[Finding]) -> Draft:
    """Return the lines `where` as a draft."""
    frame = sheet.frame.iloc[where]
    remarks = list(findings)
    bad: list[BadCell] = []
    unreadable = 0
    columns = {}
    for column, read in sheet.cells.items():
        faulty = read.bad[where]
        if column in FEATURES and column not in PRICES and not faulty.any() and frame[column].isna().all():
            frame = frame.drop(columns=column)
            remarks.append(_empty_column(read.header))
            continue
        columns[column] = read.header
        bad += _bad_cells(read.cells, where[faulty], sheet.frame.index, read.header)
        unreadable += int(faulty.sum())
    return Draft(
        frame=frame, name=name, source="upload", timezone=sheet.timezone, columns=columns,
        needs_timestamps="timestamp" not in frame, bad_cells=tuple(sorted(bad, key=lambda cell: cell.row)),
        unreadable=unreadable, findings=tuple(remarks), unused=sheet.unused, about=about,
    )  # fmt: skip


def _bad_cells(
    column: pa.ChunkedArray, where: NDArray[np.int64], rows: pd.Index[int], header: str
) -> Iterator[BadCell]:
    for position in where[:SHOWN_CELLS]:
        yield BadCell(int(rows[position]), header, shorten(text_at(column, int(position))))


def _empty_column(header: str) -> Finding:
    return Finding("empty_column", "info", text("Column “{column}” is empty and is left out.", column=header))
