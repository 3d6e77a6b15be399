"""The decimal mark of a file's numbers, a point or a comma, decided from whole columns together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from kronos_app.data.candle_frame import PRICES
from kronos_app.data.draft import Finding
from kronos_app.data.upload.cells import count_matches
from kronos_app.i18n import text

Mark = Literal[".", ","]
OTHER: Mapping[Mark, Mark] = {".": ",", ",": "."}
FEW = 5  # fewer cells than this are no habit of a column
_SIGN = r"^[+-]?"


@dataclass(frozen=True)
class _Evidence:
    """How many cells of a column are evidence about one mark."""

    decimal: int  # it can only be the decimal mark
    group: int  # it can only separate thousands
    either: int  # such as `1.234`, which allow both
    hundreds: int  # those of `either` that end in two zeros
    small: int  # whole numbers from 1 to 999 without any mark
    large: int  # whole numbers from 1000 on without any mark

    @property
    def certain(self) -> bool:
        """Return whether some cell allows only one reading."""
        return bool(self.decimal or self.group)

    @property
    def vote(self) -> int:
        """Return the number of cells with a decimal mark less those with a thousands separator."""
        if self.certain:
            return self.decimal - self.group
        # Numbers from 1000 on have the mark and smaller ones have none: it separates thousands.
        if self.either and self.small and not self.large:
            return -self.either
        return self.either if self.large else 0


@dataclass(frozen=True)
class _Column:
    """The evidence of a column about both marks."""

    price: bool
    dot: _Evidence
    comma: _Evidence

    @property
    def certain(self) -> bool:
        return self.dot.certain or self.comma.certain

    @property
    def vote(self) -> int:
        return self.dot.vote - self.comma.vote

    @property
    def decides_alone(self) -> bool:
        """Return whether the column may differ from the others, as volumes that are grouped where prices are not."""
        if self.certain:
            return self.vote != 0
        return any(e.vote < 0 and e.either >= FEW and e.small > 1 for e in (self.dot, self.comma))


def decide(
    columns: Mapping[str, pa.ChunkedArray], delimiter: str, *, spaced: bool = False
) -> tuple[dict[str, Mark], list[Finding]]:
    """Return the decimal mark of each column, and a finding where the file allows both readings.

    Parameters
    ----------
    columns
        Text without currency signs and suffixes, by name; prices are known by theirs.
    delimiter
        Of the file: a comma between cells is hardly a decimal mark as well. Empty in JSON and Parquet, whose own
        numbers have points.
    spaced
        Whether spaces or apostrophes separate thousands, so that points and commas do not.
    """
    marked = {
        name: _Column(name in PRICES, _evidence(cells, "."), _evidence(cells, ","))
        for name, cells in columns.items()
        if _may_be_marked(cells)
    }
    pointed = {name: cells for name, cells in columns.items() if name not in marked}
    certain = sum(column.vote for column in marked.values() if column.certain) + sum(map(len, pointed.values()))
    total = certain or sum(column.vote for column in marked.values())
    if total:
        own: dict[str, Mark] = dict.fromkeys(pointed, ".")
        own |= {name: "." if column.vote > 0 else "," for name, column in marked.items() if column.decides_alone}
        common: Mark = "." if total > 0 else ","
        return {name: own.get(name, common) for name in columns}, []
    if spaced:
        dots, commas = sum(c.dot.either for c in marked.values()), sum(c.comma.either for c in marked.values())
        return dict.fromkeys(columns, "," if commas > dots else "."), []
    point, findings = _choose_open(list(marked.values()), delimiter)
    return dict.fromkeys(columns, point), findings


def _choose_open(columns: list[_Column], delimiter: str) -> tuple[Mark, list[Finding]]:
    """Choose where every cell allows both readings."""
    dots, commas = sum(c.dot.either for c in columns), sum(c.comma.either for c in columns)
    if commas:
        # Volumes are grouped more often than prices have three decimals of one kind and volumes of another.
        grouped = dots and any(c.comma.either for c in columns if not c.price)
        return _ambiguous("1,234", "." if grouped or delimiter in {",", ""} else ",")
    rounded = sum(c.dot.hundreds for c in columns)
    small = any(c.dot.small for c in columns) and not any(c.dot.either for c in columns if not c.price)
    if not dots or (small and rounded < dots):
        return ".", []  # prices with three decimals beside small whole volumes are common
    return _ambiguous("1.234", "," if rounded == dots >= FEW else ".")


def _ambiguous(example: str, point: Mark) -> tuple[Mark, list[Finding]]:
    values = {"example": example, "decimal": "1.234", "whole": "1234"}
    if example[1] == point:
        message = text(
            "Numbers such as “{example}” may mean {whole} or {decimal}; they were read as {decimal} (decimal mark).",
            **values,
        )
    else:
        message = text(
            "Numbers such as “{example}” may mean {whole} or {decimal}; they were read as {whole} (thousands "
            "separator).",
            **values,
        )
    return point, [Finding("ambiguous_decimal", "warning", message)]


def _may_be_marked(cells: pa.ChunkedArray) -> bool:
    """Return whether a column's marks have to be examined: most columns have points that can only be decimal."""
    if count_matches(cells, r",|\.\d+\."):
        return True
    return not count_matches(cells.slice(0, 1000), r"^[+-]?\d*\.(\d{0,2}|\d{4,})$|^[+-]?(\d{4,}|0)\.\d+$")


def _evidence(cells: pa.ChunkedArray, mark: Mark) -> _Evidence:
    m, o = (r"\.", ",") if mark == "." else (",", r"\.")
    both = rf"{o}\d+{m}\d*$"
    lone = rf"{_SIGN}\d*{m}(\d{{0,2}}|\d{{4,}})$|{_SIGN}(\d{{4,}}|0+){m}\d+$"
    return _Evidence(
        decimal=count_matches(cells, rf"{both}|{lone}"),
        group=count_matches(cells, rf"{m}\d+{o}|{m}\d+{m}"),
        either=count_matches(cells, rf"{_SIGN}[1-9]\d{{0,2}}{m}\d{{3}}$"),
        hundreds=count_matches(cells, rf"{_SIGN}[1-9]\d{{0,2}}{m}\d00$"),
        small=count_matches(cells, rf"{_SIGN}[1-9]\d{{0,2}}$"),
        large=count_matches(cells, rf"{_SIGN}[1-9]\d{{3,}}$"),
    )
