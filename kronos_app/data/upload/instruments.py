"""A sheet split into drafts: one an instrument, and one a series where an instrument has several."""

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
from kronos_app.data.upload.files.table import text_at
from kronos_app.data.upload.sheet import Cells, Sheet
from kronos_app.errors import TooLarge
from kronos_app.i18n import text

SHOWN_CELLS = 100  # unreadable cells listed of each column; the rest is counted
MOST_SERIES = 2_000  # a column with more different values is hardly one of symbols


def split(sheet: Sheet) -> Iterator[Draft]:
    """Yield one draft an instrument, in the order in which they first occur.

    Raises TooLarge: there are more instruments than `MOST_SERIES`.
    """
    sheet = _qualified(sheet)
    symbols = [] if sheet.symbols is None else [s for s in pc.unique(sheet.symbols).to_pylist() if s]
    if len(symbols) > MOST_SERIES:
        raise TooLarge(
            "too_many_symbols",
            text(
                "“{name}” holds {count} instruments in column “{column}”, more than the limit of {most}.",
                name=sheet.name, count=len(symbols), column=sheet.cells["symbol"].header, most=MOST_SERIES,
            ),
            text("Upload fewer instruments at a time, or rename the column if it is no symbol."),
        )  # fmt: skip
    if len(symbols) < 2:
        symbol = shorten(symbols[0]) if symbols else sheet.symbol
        name = symbol if sheet.several and symbol else sheet.name
        yield _draft(sheet, np.arange(len(sheet.frame)), name, symbol, sheet.findings)
        return
    codes = np.asarray(pc.index_in(sheet.symbols, value_set=pa.array(symbols, pa.string())).fill_null(-1).to_numpy())
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(symbols) + 1))
    message = text(
        "One of {count} instruments in “{name}”, distinguished by column “{column}”.",
        count=len(symbols), name=sheet.name, column=sheet.cells["symbol"].header,
    )  # fmt: skip
    findings = [*sheet.findings, Finding("split_by_symbol", "info", message)]
    if nameless := [int(row) for row in sheet.frame.index[order[: bounds[0]]]]:
        message = text(
            "{count} row(s) name no instrument and are left out; first in row {row}.",
            count=len(nameless), row=nameless[0],
        )  # fmt: skip
        findings.append(Finding("no_symbol", "warning", message, tuple(nameless[:5])))
    for position, symbol in enumerate(map(shorten, symbols)):
        yield _draft(sheet, order[bounds[position] : bounds[position + 1]], symbol, symbol, findings)


def _qualified(sheet: Sheet) -> Sheet:
    """Return a sheet whose symbols include the series of a symbol, where times repeat and a column names the series.

    NSE lists a share in several series, such as EQ and N5; contracts of one symbol have several expiries.
    """
    if not sheet.qualifiers or "timestamp" not in sheet.frame:
        return sheet
    lines = pd.DataFrame({"time": sheet.frame["timestamp"].to_numpy()})
    lines["symbol"] = "" if sheet.symbols is None else sheet.symbols.to_numpy()
    lines["full"] = lines["symbol"]
    used = []
    repeated = lines.duplicated(["time", "full"]).sum()
    for header, values in sheet.qualifiers.items():
        if not repeated:
            break
        finer = (lines["full"] + " " + pd.Series(values.to_numpy())).str.strip()
        left = lines.assign(full=finer).duplicated(["time", "full"]).sum()
        if left <= repeated / 2:
            lines["full"], repeated = finer, left
            used.append(shorten(header))
    if not used:
        return sheet
    several = lines.groupby("symbol")["full"].transform("nunique") > 1
    names = lines["full"].where(several, lines["symbol"])
    message = text(
        "{count} symbol(s) have several series, distinguished by {column}, such as “{example}”; each "
        "was read separately.",
        count=int(lines.loc[several, "symbol"].nunique()), column=" + ".join(f"“{header}”" for header in used),
        example=shorten(str(names[several].iloc[-1])),
    )  # fmt: skip
    symbols = pa.chunked_array([pa.array(names, pa.string())])
    headers = ([sheet.cells["symbol"].header] if "symbol" in sheet.cells else []) + used
    cells = {**sheet.cells, "symbol": Cells(symbols, np.zeros(len(names), dtype=bool), " + ".join(headers))}
    findings = (*sheet.findings, Finding("several_series", "info", message))
    return replace(sheet, symbols=symbols, cells=cells, findings=findings)


def _draft(sheet: Sheet, where: NDArray[np.int64], name: str, symbol: str | None, findings: Sequence[Finding]) -> Draft:
    """Return the lines `where` as a draft."""
    frame = sheet.frame.iloc[where]
    remarks = list(findings)
    bad: list[BadCell] = []
    unreadable = 0
    columns = {}
    for column, cells in sheet.cells.items():
        faulty = where[cells.bad[where]]
        if column in FEATURES and column not in PRICES and not len(faulty) and frame[column].isna().all():
            frame = frame.drop(columns=column)
            message = text("Column “{column}” is empty and is left out.", column=cells.header)
            remarks.append(Finding("empty_column", "info", message))
            continue
        columns[column] = cells.header
        bad += [
            BadCell(int(sheet.frame.index[line]), cells.header, shorten(text_at(cells.cells, int(line))))
            for line in faulty[:SHOWN_CELLS]
        ]
        unreadable += len(faulty)
    return Draft(
        frame=frame, name=name, source="upload", timezone=sheet.timezone, columns=columns,
        needs_timestamps="timestamp" not in frame, bad_cells=tuple(sorted(bad, key=lambda cell: cell.row)),
        unreadable=unreadable, findings=tuple(remarks), unused=sheet.unused,
        about=About(symbol=symbol, origin=sheet.name),
    )  # fmt: skip
