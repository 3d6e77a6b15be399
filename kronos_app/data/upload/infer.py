"""Decide which column of a table has which role and unit: what is stated first, then names, then values."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kronos_app.data.candle_frame import PRICES
from kronos_app.data.draft import Finding
from kronos_app.data.upload import numbers, ratios
from kronos_app.data.upload.columns import (
    UNNAMED,
    asset_of,
    candidates,
    choose_times,
    plain,
    preference,
    roles_of,
    shorten,
    shorten_list,
)
from kronos_app.data.upload.mapping import ColumnMapping, Role
from kronos_app.data.upload.names import (
    ADJUSTED,
    PIECES,
    QUALIFIERS,
    QUOTE_CURRENCIES,
    RATES_AS_WELL,
)
from kronos_app.data.upload.table import Selection, Table, text_at
from kronos_app.data.upload.timestamps import are_dates
from kronos_app.data.upload.unit_choice import UnitChoice
from kronos_app.data.upload.units import split_unit
from kronos_app.data.upload.wide import split_headers
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text


@dataclass(frozen=True)
class Inference:
    """The mapping by which a table is read, and what was decided on the way."""

    mapping: ColumnMapping
    findings: tuple[Finding, ...]


def selection(stated: ColumnMapping) -> Selection:
    """Return which columns may be used: those that are stated, those with known names, and an index without a name."""

    def select(headers: Sequence[str]) -> Collection[int]:
        fields = [name for name, _ in split_headers(headers)]
        positions = {position for where in candidates(fields).values() for position in where}
        times = choose_times(fields)
        positions |= set(times.values() if times else range(len(headers)))  # else their cells tell
        positions |= {position for position, header in enumerate(fields) if plain(header) in QUALIFIERS}
        return sorted(positions | {headers.index(header) for header in stated.columns if header in headers})

    return select


def infer(table: Table, stated: ColumnMapping | None = None) -> Inference:
    """Return the mapping by which a table is read: what is stated, completed by names and values of the columns.

    Raises
    ------
    InvalidInput
        A stated column is not there.
    """
    stated = stated or ColumnMapping()
    missing = [header for header in stated.columns if header not in table.headers]
    if missing:
        raise InvalidInput(
            "unknown_header",
            text(
                "“{name}” has no column {missing}; its columns are: {found}.",
                name=table.name, missing=shorten_list(missing), found=shorten_list(table.headers),
            ),
            text("Name columns in the field “columns” as they are in the file."),
        )  # fmt: skip
    choice = _Choice(table, stated)
    choice.choose_times()
    choice.choose_prices()
    choice.choose_volume_and_amount()
    choice.choose_symbol()
    choice.choose_units()
    columns: dict[str, Role] = {table.headers[p]: role for role, p in choice.roles.items()}
    columns |= stated.columns
    mapping = stated.model_copy(update={"columns": columns, "units": {**choice.units, **stated.units}})
    return Inference(mapping, tuple(choice.findings))


class _Choice(UnitChoice):
    """Roles as they are decided, one after another."""

    def choose_times(self) -> None:
        """Choose the columns of the time unless one is stated."""
        if any(role in self._taken for role in ("timestamp", "date")):
            return
        for role, position in choose_times(self.table.fields).items():
            header = self.table.headers[position]
            cells = self.table.cells.get(position)
            name = self.table.fields[position]
            if role in self._taken or header in self.stated.columns:
                continue
            if not (cells is not None and _only_counts(cells, name)):
                self.roles[role] = position  # type: ignore[index]

        if not self.roles:
            self._choose_times_by_values()

    def _choose_times_by_values(self) -> None:
        """Choose the column whose cells are written as dates and differ most, where no name says which it is."""
        named = {p for role in PRICES for p in self._free.get(role, [])} | set(self._taken.values())
        dates = {
            position: pc.count_distinct(cells).as_py()
            for position, cells in self.table.cells.items()
            if position not in named and self.table.headers[position] not in self.stated.columns and are_dates(cells)
        }
        position = max(dates, key=lambda p: dates[p], default=None)
        if position is None or dates[position] < 2:
            return
        self.roles["timestamp"] = position
        self._add("time_column", "info", text(
            "Column “{column}” was read as the time, because its cells are dates.",
            column=shorten(self.table.headers[position]),
        ))  # fmt: skip

    def choose_prices(self) -> None:
        """Choose the best name of each price that has numbers."""
        for role in PRICES:
            if role not in self._taken:
                self._choose(role, self._free.get(role, []))  # type: ignore[arg-type]
        chosen = {role: p for role, p in self.roles.items() if role in PRICES}
        adjusted = [p for p in chosen.values() if plain(self.table.fields[p]) in ADJUSTED]
        if adjusted and len(adjusted) < len(chosen):
            self._add("mixed_adjustment", "warning", text(
                "“{column}” is adjusted and the other prices may not be: candles may be impossible.",
                column=shorten(self.table.headers[adjusted[0]]),
            ))  # fmt: skip

    def choose_volume_and_amount(self) -> None:
        """Choose both by name, and by their sizes where names leave it open."""
        volumes, amounts = self._free.get("volume", []), self._free.get("amount", [])
        if "volume" in self._taken:
            volumes = []
        if "amount" in self._taken:
            amounts = []
        pair = self._base_and_quote([*volumes, *amounts])
        if pair is not None and "volume" not in self._taken and "amount" not in self._taken:
            volumes, amounts = [pair[0], *(p for p in volumes if p not in pair)], [pair[1]]
        self._choose("volume", volumes)
        amounts = [p for p in amounts if p not in self.roles.values()]
        sure = [p for p in amounts if plain(self.table.fields[p]) not in RATES_AS_WELL or p in (pair or ())]
        unsure = [p for p in amounts if p not in sure and not self._is_rate(p)]
        self._choose("amount", sure + unsure)
        self._exchange_volume_and_amount()

    def _exchange_volume_and_amount(self) -> None:
        """Exchange both where the volume is the amount times the price, as Huobi calls them."""
        volume, amount, close = self.roles.get("volume"), self.roles.get("amount"), self._position("close")
        if volume is None or amount is None or close is None:
            return
        if any(split_unit(self.table.fields[p])[1] for p in (volume, amount)):
            return
        if ratios.is_money(*map(self._values, (volume, amount, close)), counted=False):
            self.roles |= {"volume": amount, "amount": volume}
            self._add("column_choice", "info", text(
                "“{volume}” is price times “{amount}”, so that the former was read as amount and the latter as volume.",
                volume=shorten(self.table.headers[volume]), amount=shorten(self.table.headers[amount]),
            ))  # fmt: skip

    def choose_symbol(self) -> None:
        """Choose the column that names the instruments."""
        if "symbol" not in self._taken:
            free = [p for p in self._free.get("symbol", []) if p in self.table.cells]
            if free:
                self.roles["symbol"] = free[0]

    def _choose(self, role: Role, positions: Sequence[int]) -> None:
        """Give a role to the first column that has numbers other than zero, and say which others there are."""
        positions = [p for p in positions if p not in self.roles.values()]
        if not positions or role in self._taken:
            return
        chosen = positions[0]
        if len(positions) > 1:
            chosen = next((p for p in positions if np.nan_to_num(self._values(p)).any()), chosen)
        self.roles[role] = chosen
        others = [p for p in positions if p != chosen]
        if not others:
            return
        headers, fields = self.table.headers, self.table.fields
        equal = [p for p in others if preference(fields[p], role) == preference(fields[chosen], role)]
        doubtful = any(not np.array_equal(self._values(p), self._values(chosen), equal_nan=True) for p in equal)
        self._add(
            "column_choice",
            "warning" if doubtful else "info",
            text(
                "“{column}” was read as {role}. Also possible, and left out: {others}.",
                column=shorten(headers[chosen]), role=role, others=shorten_list([headers[p] for p in others]),
            ),
        )  # fmt: skip

    def _base_and_quote(self, positions: Sequence[int]) -> tuple[int, int] | None:
        """Return the volumes in pieces and in money, as in `Volume BTC` and `Volume USDT`, or Stücke and Volumen."""
        fields = self.table.fields
        pool = [p for p in positions if asset_of(fields[p]) is not None]
        for quote in sorted(pool, key=lambda p: asset_of(fields[p]) not in QUOTE_CURRENCIES):
            for base in pool:
                ratio = self._amount_ratio(quote, base) if base != quote else None
                if ratio is not None and 0.8 < ratio < 1.25:
                    return base, quote
        close = self._position("close")
        named = [p for p in positions if roles_of(fields[p])[:1] == ("volume",) and not split_unit(fields[p])[1]]
        named = [p for p in named if "tick" not in plain(fields[p])]
        if close is None or any(roles_of(fields[p])[0] == "amount" for p in positions):
            return None
        for base, quote in permutations(named, 2):
            counted = plain(fields[base]) in PIECES
            if ratios.is_money(*map(self._values, (quote, base, close)), counted=counted):
                return base, quote
        return None

    def _is_rate(self, position: int) -> bool:
        """Return whether a column called `turnover` or the like holds the share of what was traded, not an amount."""
        header = self.table.headers[position]
        values = self._values(position)
        traded = values[np.isfinite(values) & (values > 0)]
        size = float(np.median(traded)) if len(traded) else 0.0
        ratio = self._amount_ratio(position, self._position("volume"))
        close = self._median_close()
        if ratio is not None:
            rate = ratio < 0.03 and size <= 100
            known = 0.03 <= ratio <= 300
        else:
            rate = size <= 100 and (close is None or size < 10 * close)
            known = not rate
        if rate:
            self._add("rate", "info", text(
                "Column “{column}” is no amount: its values are a rate. It is left out.", column=shorten(header)
            ))  # fmt: skip
        elif not known:
            self._add("doubtful_amount", "warning", text(
                "Column “{column}” was read as amount, though it is far from price times volume.",
                column=shorten(header),
            ))  # fmt: skip
        return rate


def _only_counts(column: pa.ChunkedArray, header: str) -> bool:
    """Return whether a column without a name, the index of some data frame, counts rows instead of telling the time."""
    if plain(header) not in UNNAMED:
        return False
    if not (numbers.is_text(column) or numbers.is_number(column)):
        return False
    cells = [text_at(column, place).strip() for place in range(min(10, len(column)))]
    return re.fullmatch(r"\d{0,7}(\.0)?", next(filter(None, cells), "")) is not None  # 20240131 is a date
