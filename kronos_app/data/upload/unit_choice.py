"""In which units the numbers of a table count: by headers, by amount and price, or as a vendor writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kronos_app.data.candle_frame import FEATURES, PRICES
from kronos_app.data.draft import Finding, Severity
from kronos_app.data.upload import numbers, ratios
from kronos_app.data.upload.columns import candidates, plain, shorten
from kronos_app.data.upload.mapping import ColumnMapping, Role
from kronos_app.data.upload.names import FIXED_POINT_MARKERS, LOTS_AND_THOUSANDS_MARKERS, OPEN_INTEREST, PIECES
from kronos_app.data.upload.table import Table
from kronos_app.data.upload.units import LOT, LOTS, UNITS, simplify, split_unit
from kronos_app.i18n import Text, text


@dataclass
class UnitChoice:
    """The roles of a table's columns as they are decided, and the units that follow from them."""

    table: Table
    stated: ColumnMapping
    roles: dict[Role, int] = field(default_factory=dict)
    units: dict[str, str | float] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    _numbers: dict[int, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._free = {
            role: [p for p in where if self.table.headers[p] not in self.stated.columns]
            for role, where in candidates(self.table.fields).items()
        }
        self._taken = {role: p for p, h in enumerate(self.table.headers) if (role := self.stated.columns.get(h))}

    def choose_units(self) -> None:
        """Take the units that headers name."""
        self._choose_fixed_point()
        self._choose_implied()
        for role in ("volume", "amount", *PRICES):
            position = self._position(role)
            if position is None or role in self.stated.units:
                continue
            name, unit = split_unit(self.table.fields[position])
            if unit is None:
                continue
            if unit in LOTS and role == "volume":
                self._choose_lots(position, unit)
            elif unit not in LOTS and not (role in PRICES and _is_letter(name, self.table.fields[position])):
                self.units[role] = unit

    def _choose_fixed_point(self) -> None:
        """Recognise whole prices that count billionths, as Databento's files have them."""
        positions = [self._position(role) for role in PRICES]
        if any(p is None or p not in self.table.cells for p in positions) or set(PRICES) & set(self.stated.units):
            return
        if not all(_first_is_whole(self.table.cells[p], 1_000_000) for p in positions if p is not None):
            return
        values = np.concatenate([self._values(p) for p in positions if p is not None])
        values = values[np.isfinite(values) & (values != 0)]
        if not len(values) or (values % 1).any() or np.abs(values).min() < 1e6:
            return
        marked = sum(plain(header) in FIXED_POINT_MARKERS for header in self.table.fields) > 1
        if marked or (np.abs(values).min() >= 1e9 and not (values % 1e5).any()):
            self.units |= dict.fromkeys(PRICES, 1e-9)
            self._add("fixed_point", "warning", text(
                "Prices are whole numbers such as {value}, read as billionths. State the unit 1 to change that.",
                value=f"{values[0]:.0f}",
            ))  # fmt: skip
        elif np.abs(values).min() >= 1e10:
            self._add("fixed_point", "warning", text(
                "Prices are whole numbers such as {value}. If they count billionths, state the unit 1e-9.",
                value=f"{values[0]:.0f}",
            ))  # fmt: skip

    def _choose_implied(self) -> None:
        """Take lots and thousands that amount, price and volume imply where no header names a unit."""
        volume, amount = self._position("volume"), self._position("amount")
        if volume is None or amount is None or {"volume", "amount", *PRICES} & {*self.stated.units, *self.units}:
            return
        fields = [plain(header) for header in self.table.fields]
        units = {split_unit(self.table.fields[p])[1] for p in (volume, amount)}
        if units & set(LOTS) or OPEN_INTEREST.intersection(fields):
            return
        power = ratios.power_of_ten(self._amount_ratios(amount, volume))
        name = self.table.fields[volume]
        shares = plain(name) in PIECES or "股" in name
        if power == 2 and None in units and not shares:
            self.units["volume"] = "lots"
        elif power == 3 and "張" in name:
            self.units["volume"] = "thousand"
        elif power == -1 and LOTS_AND_THOUSANDS_MARKERS.intersection(fields):
            self.units |= {"volume": "lots", "amount": "thousand"}
        elif power not in {None, 0} and "doubtful_amount" not in {finding.code for finding in self.findings}:
            self._add("doubtful_amount", "warning", text(
                "“{amount}” is {ratio} times price times “{volume}”: one of them counts in another unit. State that "
                "unit.",
                amount=shorten(self.table.headers[amount]), volume=shorten(self.table.headers[volume]),
                ratio=f"{10.0**power:g}",
            ))  # fmt: skip

    def _choose_lots(self, position: int, unit: str) -> None:
        """Decide how many shares a lot has: 100, unless amount or open interest say that lots are contracts."""
        header = self.table.headers[position]
        ratio = self._amount_ratio(self._position("amount"), position)
        if ratio is not None and 0.5 * LOT < ratio < 2 * LOT:
            self.units["volume"] = unit
        elif ratio is None and not any(plain(h) in OPEN_INTEREST for h in self.table.fields):
            self.units["volume"] = unit
            self._add("unit", "warning", text(
                "Column “{column}” counts lots; each was read as {count} shares. State another unit if it has more or "
                "fewer.", column=shorten(header), count=LOT,
            ))  # fmt: skip
        else:
            if LOTS[unit] != 1:
                self.units["volume"] = LOTS[unit]
            self._add("unit", "warning", text(
                "Column “{column}” counts lots of unknown size; its numbers are lots. State the unit to change that.",
                column=shorten(header),
            ))  # fmt: skip

    def _amount_ratio(self, amount: int | None, volume: int | None) -> float | None:
        """Return the median of amount / (volume × close) with the units of headers; None where there is none."""
        if amount is None or volume is None:
            return None
        ratio = self._amount_ratios(amount, volume)
        return float(np.median(ratio)) if len(ratio) else None

    def _amount_ratios(self, amount: int, volume: int) -> NDArray[np.float64]:
        """Return amount / (volume × close) of each candle that has it, with the units of headers."""
        close = self._position("close")
        if close is None:
            return np.array([])
        units = [split_unit(self.table.fields[p])[1] for p in (amount, volume)]
        factors = [1.0 if unit is None else LOTS.get(unit, UNITS[unit]) for unit in units]
        return ratios.ratios(*map(self._values, (amount, volume, close))) * factors[0] / factors[1]

    def _median_close(self) -> float | None:
        position = self._position("close")
        values = np.array([]) if position is None else self._values(position)
        return float(np.nanmedian(values)) if np.isfinite(values).any() else None

    def _position(self, role: str) -> int | None:
        return self._taken.get(role, self.roles.get(role))  # type: ignore[call-overload, no-any-return]

    def _values(self, position: int) -> NDArray[np.float64]:
        """Return the numbers of a column; all columns that may hold some are read together, as their marks agree."""
        if not self._numbers:
            stated = [p for role, p in self._taken.items() if role in FEATURES]
            where = {p for role in FEATURES for p in self._free.get(role, [])} | set(stated)
            cells = {str(p): self.table.cells[p] for p in sorted(where) if p in self.table.cells}
            usable = {name: c for name, c in cells.items() if numbers.is_text(c) or numbers.is_number(c)}
            parsed = numbers.parse(usable, self.table.delimiter)[0]
            self._numbers = {int(name): column.values for name, column in parsed.items()}
        return self._numbers.get(position, np.full(len(self.table.rows), np.nan))

    def _add(self, code: str, severity: Severity, message: Text) -> None:
        self.findings.append(Finding(code, severity, message))


def _is_letter(name: str, header: str) -> bool:
    """Return whether the unit of a header is one letter: behind a price it stands for something else, such as a bid."""
    return len(re.sub(r"[\W_]", "", simplify(header).strip("\ufeff \t\"'<>")[len(name) :])) == 1


def _first_is_whole(cells: pa.ChunkedArray, least: int) -> bool:
    """Return whether the first cell that is not empty is a large whole number."""
    if not (numbers.is_text(cells) or pa.types.is_integer(cells.type)):
        return False
    digits = next((str(cell).strip() for cell in cells.slice(0, 50).to_pylist() if cell not in {None, ""}), "")
    return digits.isdecimal() and float(digits) >= least  # of any length, as `int` is not
