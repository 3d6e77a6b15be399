"""Decide which column of a table has which role and unit: what is stated first, then names, then values."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pyarrow.compute as pc

from kronos_app.data.candle_frame import PRICES
from kronos_app.data.draft import Finding
from kronos_app.data.upload.cells import is_number, is_text
from kronos_app.data.upload.choice import Choice, unit_names
from kronos_app.data.upload.columns import (
    asset_of,
    candidates,
    choose_times,
    in_group,
    is_quote_currency,
    plain,
    preference,
    roles_of,
    shorten_list,
)
from kronos_app.data.upload.files.table import Selection, Table, text_at
from kronos_app.data.upload.mapping import ColumnMapping
from kronos_app.data.upload.timestamps import are_dates
from kronos_app.data.upload.unit_choice import choose_units
from kronos_app.data.upload.wide import split_headers
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text


@dataclass(frozen=True)
class Inference:
    """The mapping by which a table is read, and what was decided on the way."""

    mapping: ColumnMapping
    findings: tuple[Finding, ...]


def selection(stated: ColumnMapping) -> Selection:
    """Return a function that selects stated columns, those with known names, and an index without a name."""

    def select(headers: Sequence[str]) -> Collection[int]:
        fields = [name for name, _ in split_headers(headers)]
        times = choose_times(fields)
        if not times:  # the cells decide which column holds the times
            return range(len(headers))
        named = {position for positions in candidates(fields).values() for position in positions}
        qualifiers = {position for position, field in enumerate(fields) if in_group(field, "qualifiers")}
        listed = {position for position, header in enumerate(headers) if header in stated.columns}
        return sorted(named | qualifiers | listed | set(times.values()))

    return select


def infer(table: Table, stated: ColumnMapping) -> Inference:
    """Return the mapping by which a table is read: what is stated, completed by names and values of the columns.

    Raises InvalidInput: a stated column is missing.
    """
    if missing := [header for header in stated.columns if header not in table.headers]:
        raise InvalidInput(
            "unknown_header",
            text(
                "“{name}” has no column {missing}; its columns are: {found}.",
                name=table.name, missing=shorten_list(missing), found=shorten_list(table.headers),
            ),
            text("Name columns in the field “columns” as they are in the file."),
        )  # fmt: skip
    choice = Choice(table, stated)
    _choose_times(choice)
    _choose_prices(choice)
    _choose_volume_and_amount(choice)
    if symbols := [p for p in choice.find_free("symbol") if p in table.cells]:
        choice.roles["symbol"] = symbols[0]
    choose_units(choice)
    inferred = {table.headers[p]: role for role, p in choice.roles.items() if table.headers[p] not in stated.columns}
    columns, units = {**inferred, **stated.columns}, {**choice.units, **stated.units}
    return Inference(stated.model_copy(update={"columns": columns, "units": units}), tuple(choice.findings))


def _choose_times(choice: Choice) -> None:
    """Choose the columns of the time unless one is stated."""
    table = choice.table
    if {"timestamp", "date"} & choice.roles.keys():
        return
    named = {
        role: position
        for role, position in choose_times(table.fields).items()
        if role not in choice.roles and choice.is_free(position) and not _counts_rows(table, position)
    }
    choice.roles |= named or _choose_times_by_values(choice)


def _choose_times_by_values(choice: Choice) -> dict[str, int]:
    """Return the column whose cells are written as dates and differ most, where no name says which it is."""
    prices = {position for role in PRICES for position in choice.candidates.get(role, ())}
    dates = {
        position: pc.count_distinct(cells).as_py()
        for position, cells in choice.table.cells.items()
        if choice.is_free(position) and position not in prices and are_dates(cells)
    }
    position = max(dates, key=lambda p: dates[p], default=None)
    if position is None or dates[position] < 2:
        return {}
    choice.add("time_column", "info", text(
        "Column “{column}” was read as the time, because its cells are dates.", column=choice.header(position)
    ))  # fmt: skip
    return {"timestamp": position}


def _counts_rows(table: Table, position: int) -> bool:
    """Return whether a column without a name, the index of some data frame, counts rows and holds no times."""
    cells = table.cells.get(position)
    if cells is None or not in_group(table.fields[position], "unnamed"):
        return False
    if not (is_text(cells) or is_number(cells)):
        return False
    first = next(filter(None, (text_at(cells, row).strip() for row in range(min(10, len(cells))))), "")
    return re.fullmatch(r"\d{0,7}(\.0)?", first) is not None  # 20240131 is a date


def _choose_prices(choice: Choice) -> None:
    """Choose the best name of each price that has numbers."""
    inferred = {role for role in PRICES if role not in choice.roles}
    for role in PRICES:
        _choose(choice, role, choice.find_free(role))
    chosen = [choice.roles[role] for role in PRICES if role in inferred & choice.roles.keys()]
    adjusted = [p for p in chosen if in_group(choice.table.fields[p], "adjusted")]
    if adjusted and len(adjusted) < len(chosen):
        choice.add("mixed_adjustment", "warning", text(
            "“{column}” is adjusted, but the other prices may not be: candles may be inconsistent.",
            column=choice.header(adjusted[0]),
        ))  # fmt: skip


def _choose_volume_and_amount(choice: Choice) -> None:
    """Choose both by name, and by their sizes where names leave it open."""
    volumes, amounts = choice.find_free("volume"), choice.find_free("amount")
    pair = _base_and_quote(choice, [*volumes, *amounts])
    if pair and not {"volume", "amount"} & choice.roles.keys():
        volumes, amounts = [pair[0], *(p for p in volumes if p not in pair)], [pair[1]]
    both_inferred = not {"volume", "amount"} & choice.roles.keys()
    _choose(choice, "volume", volumes)
    amounts = [p for p in amounts if choice.is_free(p)]
    sure = [p for p in amounts if p in pair or not in_group(choice.table.fields[p], "rates_as_well")]
    unsure = [p for p in amounts if p not in sure and not _is_rate(choice, p)]
    _choose(choice, "amount", sure + unsure)
    if both_inferred:
        _exchange_volume_and_amount(choice)


def _choose(choice: Choice, role: str, positions: Sequence[int]) -> None:
    """Give a role to the first column with numbers other than zero; a finding names the other candidates."""
    positions = [p for p in positions if choice.is_free(p)]
    if not positions:
        return
    chosen = positions[0]
    if len(positions) > 1:
        chosen = next((p for p in positions if np.nan_to_num(choice.values(p)).any()), chosen)
    choice.roles[role] = chosen
    others = [p for p in positions if p != chosen]
    if not others:
        return
    fields = choice.table.fields
    equal = [p for p in others if preference(fields[p], role) == preference(fields[chosen], role)]
    doubtful = any(not np.array_equal(choice.values(p), choice.values(chosen), equal_nan=True) for p in equal)
    choice.add("column_choice", "warning" if doubtful else "info", text(
        "“{column}” was read as {role}. Also possible, and left out: {others}.",
        column=choice.header(chosen), role=role, others=shorten_list([choice.table.headers[p] for p in others]),
    ))  # fmt: skip


def _base_and_quote(choice: Choice, positions: Sequence[int]) -> Sequence[int]:
    """Return the volume in pieces and that in money, as `Volume BTC` and `Volume USDT`; empty if there are none."""
    fields = choice.table.fields
    assets = [p for p in positions if asset_of(fields[p]) is not None]
    for quote in sorted(assets, key=lambda p: not is_quote_currency(asset_of(fields[p]))):
        for base in assets:
            ratio = choice.amount_ratio(quote, base) if base != quote else None
            if ratio is not None and 0.8 < ratio < 1.25:
                return base, quote
    roles = {p: roles_of(fields[p])[0] for p in positions}
    if "close" not in choice.roles or "amount" in roles.values():
        return ()
    volumes = [p for p in positions if unit_names(choice, [p]) == {None} and "tick" not in plain(fields[p])]
    for base, quote in permutations(volumes, 2):
        if choice.is_money(quote, base, counted=in_group(fields[base], "pieces")):
            return base, quote
    return ()


def _exchange_volume_and_amount(choice: Choice) -> None:
    """Exchange both where the volume is the amount times the price, as Huobi calls them."""
    if not {"volume", "amount", "close"} <= choice.roles.keys():
        return
    volume, amount = choice.roles["volume"], choice.roles["amount"]
    if unit_names(choice, [volume, amount]) == {None} and choice.is_money(volume, amount, counted=False):
        choice.roles |= {"volume": amount, "amount": volume}
        choice.add("column_choice", "info", text(
            "“{volume}” equals price times “{amount}”: it was read as amount, and “{amount}” as volume.",
            volume=choice.header(volume), amount=choice.header(amount),
        ))  # fmt: skip


def _is_rate(choice: Choice, position: int) -> bool:
    """Return whether a column called `turnover` or the like holds the share of what was traded, not an amount."""
    values = choice.values(position)
    traded = values[np.isfinite(values) & (values > 0)]
    size = float(np.median(traded)) if len(traded) else 0.0
    ratio, close = choice.amount_ratio(position, choice.roles.get("volume")), choice.median_close()
    if ratio is not None:
        rate = ratio < 0.03 and size <= 100
        plausible = 0.03 <= ratio <= 300
    else:
        rate = size <= 100 and (close is None or size < 10 * close)
        plausible = not rate
    column = choice.header(position)
    if rate:
        choice.add("rate", "info", text(
            "Column “{column}” is no amount: its values are a rate. It is left out.", column=column
        ))  # fmt: skip
    elif not plausible:
        choice.add("doubtful_amount", "warning", text(
            "Column “{column}” was read as amount, though it is far from price times volume.", column=column
        ))  # fmt: skip
    return rate
