"""The roles and units of a table's columns while they are inferred, and the numbers that decide them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from kronos_app.data.candle_frame import FEATURES
from kronos_app.data.draft import Finding, Severity
from kronos_app.data.upload import numbers
from kronos_app.data.upload.cells import Floats, is_number, is_text
from kronos_app.data.upload.columns import candidates, shorten
from kronos_app.data.upload.files.table import Table
from kronos_app.data.upload.mapping import ColumnMapping
from kronos_app.data.upload.units import LOTS, UNITS, split_unit
from kronos_app.i18n import Text

_FEWEST = 5  # candles that show a unit
_NEAR = 0.08  # of a power of ten: the average price of a candle is not far from its close
_MOSTLY = 0.9


@dataclass
class Choice:
    """What is stated and what has been inferred so far."""

    table: Table
    stated: ColumnMapping
    roles: dict[str, int] = field(default_factory=dict)  # positions of columns by role
    units: dict[str, str | float] = field(default_factory=dict)  # inferred units by role
    findings: list[Finding] = field(default_factory=list)
    _numbers: dict[int, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.roles = {role: p for p, h in enumerate(self.table.headers) if (role := self.stated.columns.get(h))}
        self.candidates = candidates(self.table.fields)

    def find_free(self, role: str) -> list[int]:
        """Return the columns that a role without a column may have, the best name first."""
        return [] if role in self.roles else [p for p in self.candidates.get(role, []) if self.is_free(p)]

    def is_free(self, position: int) -> bool:
        """Return whether nothing is stated about a column and it has no role."""
        return self.table.headers[position] not in self.stated.columns and position not in self.roles.values()

    def field_of(self, role: str) -> str:
        """Return the name of the column that has a role."""
        return self.table.fields[self.roles[role]]

    def header(self, position: int) -> str:
        """Return the header of a column, shortened for a message."""
        return shorten(self.table.headers[position])

    def add(self, code: str, severity: Severity, message: Text) -> None:
        """Add a finding."""
        self.findings.append(Finding(code, severity, message))

    def values(self, position: int | None) -> Floats:
        """Return the numbers of a column, NaN without one; columns are parsed together, as their marks agree."""
        if not self._numbers:
            named = chain.from_iterable(self.candidates.get(role, ()) for role in FEATURES)
            where = {p for p in named if self.table.headers[p] not in self.stated.columns}
            where |= {p for role, p in self.roles.items() if role in FEATURES}
            cells = {str(p): self.table.cells[p] for p in sorted(where) if p in self.table.cells}
            usable = {name: c for name, c in cells.items() if is_text(c) or is_number(c)}
            parsed = numbers.parse(usable, self.table.delimiter)[0]
            self._numbers = {int(name): column.values for name, column in parsed.items()}
        return self._numbers.get(-1 if position is None else position, np.full(len(self.table.rows), np.nan))

    def median_close(self) -> float | None:
        """Return the median close, None where there is none."""
        values = self.values(self.roles.get("close"))
        return float(np.nanmedian(values)) if np.isfinite(values).any() else None

    def amount_ratios(self, amount: int | None, volume: int | None) -> Floats:
        """Return amount / (volume × close) with the units of headers, of the candles where all three are positive."""
        if amount is None or volume is None or "close" not in self.roles:
            return np.array([])
        units = [split_unit(self.table.fields[p])[1] for p in (amount, volume)]
        factors = [1.0 if unit is None else LOTS.get(unit, UNITS[unit]) for unit in units]
        ratios = positive_ratios(self.values(amount), self.values(volume), self.values(self.roles["close"]))
        return ratios * factors[0] / factors[1]

    def amount_ratio(self, amount: int | None, volume: int | None) -> float | None:
        """Return the median of `amount_ratios`; None where there are none."""
        ratios = self.amount_ratios(amount, volume)
        return float(np.median(ratios)) if len(ratios) else None

    def is_money(self, amount: int, volume: int, *, counted: bool) -> bool:
        """Return whether the first of two columns called volume is the value of the pieces in the second.

        Parameters
        ----------
        counted
            Whether the second is called a number of pieces. Contracts may be worth a multiple of their price.
        """
        money, pieces = self.values(amount), self.values(volume)
        ratios = positive_ratios(money, pieces, self.values(self.roles["close"]))
        if not len(ratios):
            return False
        off = abs(float(np.log10(np.median(ratios))))
        price = abs(float(np.log10(np.median(money[pieces > 0] / pieces[pieces > 0]))))
        return off < (1.3 if counted else 0.1) and off < price / 2


def positive_ratios(amount: Floats, volume: Floats, close: Floats) -> Floats:
    """Return amount / (volume × close) of the candles for which that is finite and positive."""
    with np.errstate(all="ignore"):
        ratio = amount / (volume * close)
    return ratio[np.isfinite(ratio) & (ratio > 0)]


def power_of_ten(ratios: Floats) -> int | None:
    """Return the power of ten that nearly all ratios are; None where they are none, or too few.

    Prices that were adjusted afterwards drift away from amounts, so theirs are none.
    """
    if len(ratios) < _FEWEST:
        return None
    logarithms = np.log10(ratios)
    power = round(float(np.median(logarithms)))
    return power if float(np.mean(np.abs(logarithms - power) < _NEAR)) >= _MOSTLY else None


def unit_names(choice: Choice, positions: Sequence[int]) -> set[str | None]:
    """Return the units that the headers of some columns name, None for a header without one."""
    return {split_unit(choice.table.fields[position])[1] for position in positions}
