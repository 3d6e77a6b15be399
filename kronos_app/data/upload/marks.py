"""Which mark of a file's numbers is the decimal one: a point or a comma, judged by whole columns together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from kronos_app.data.candle_frame import PRICES
from kronos_app.data.draft import Finding
from kronos_app.i18n import text

Mark = Literal[".", ","]
OTHER: Mapping[Mark, Mark] = {".": ",", ",": "."}
FEW = 5  # fewer cells than this are no habit of a column
_SIGN = r"^[+-]?"


@dataclass(frozen=True)
class _Evidence:
    """Cells of a column by what they say about one mark.

    Attributes
    ----------
    decimal, group
        Cells in which it can only be the decimal mark, or can only stand between thousands.
    either
        Cells such as `1.234` that allow both.
    hundreds
        Of `either`, those that end in two zeros.
    small, large
        Whole numbers below 1000 and from there on, without any mark; zeros are not counted.
    """

    decimal: int
    group: int
    either: int
    hundreds: int
    small: int
    large: int

    @property
    def vote(self) -> int:
        """Return how many cells say that the mark is decimal, negative for those that say it groups."""
        if self.decimal or self.group:
            return self.decimal - self.group
        # Numbers from 1000 on have the mark and smaller ones have none: it stands between thousands.
        if self.either and self.small and not self.large:
            return -self.either
        return self.either if self.large else 0


def decide(
    columns: Mapping[str, pa.ChunkedArray], delimiter: str, *, spaced: bool = False
) -> tuple[dict[str, Mark], list[Finding]]:
    """Return the decimal mark of each column, and what to say where the file leaves both readings open.

    Parameters
    ----------
    columns
        Text without currency signs and suffixes, by name; prices are known by theirs.
    delimiter
        Of the file: a comma between cells is hardly a decimal mark as well. Empty in JSON and Parquet, whose own
        numbers have points.
    spaced
        Whether spaces or apostrophes stood between thousands, so that points and commas do not.
    """
    marked = {name: cells for name, cells in columns.items() if _may_be_marked(cells)}
    evidence = {name: (_evidence(cells, "."), _evidence(cells, ",")) for name, cells in marked.items()}
    votes = {name: dot.vote - comma.vote for name, (dot, comma) in evidence.items()}
    pointed = [name for name in columns if name not in marked]
    certain = sum(votes[name] for name, pair in evidence.items() if any(e.decimal or e.group for e in pair))
    certain += sum(len(columns[name]) for name in pointed)
    total = certain or sum(votes.values())
    if total:
        own: dict[str, Mark] = dict.fromkeys(pointed, ".")
        own |= {name: "." if votes[name] > 0 else "," for name, pair in evidence.items() if _speaks_for_itself(*pair)}
        common: Mark = "." if total > 0 else ","
        return {name: own.get(name, common) for name in columns}, []
    if spaced:
        dots, commas = (sum(pair[place].either for pair in evidence.values()) for place in (0, 1))
        return dict.fromkeys(columns, "," if commas > dots else "."), []
    point, findings = _open_choice(evidence, delimiter)
    return dict.fromkeys(columns, point), findings


def _speaks_for_itself(dot: _Evidence, comma: _Evidence) -> bool:
    """Return whether a column says enough to differ from the others, such as volumes grouped where prices are not."""
    if any(e.decimal or e.group for e in (dot, comma)):
        return dot.vote != comma.vote
    return any(e.vote < 0 and e.either >= FEW and e.small > 1 for e in (dot, comma))


def _open_choice(evidence: Mapping[str, tuple[_Evidence, _Evidence]], delimiter: str) -> tuple[Mark, list[Finding]]:
    """Choose where every cell allows both readings."""
    dots = sum(dot.either for dot, _ in evidence.values())
    commas = sum(comma.either for _, comma in evidence.values())
    if not commas:
        counts = sum(dot.either for name, (dot, _) in evidence.items() if name not in PRICES)
        rounded = sum(dot.hundreds for dot, _ in evidence.values())
        plain = sum(dot.small for dot, _ in evidence.values())
        if not dots or (plain and not counts and rounded < dots):
            return ".", []  # prices with three decimals beside small whole volumes are common
        point: Mark = "," if rounded == dots >= FEW else "."
        return point, [_ambiguous("1.234", point)]
    if dots:  # volumes are grouped more often than prices have three decimals of one kind and volumes of another
        grouped = sum(comma.either for name, (_, comma) in evidence.items() if name not in PRICES)
        point = "." if grouped or delimiter in {",", ""} else ","
    else:
        point = "." if delimiter in {",", ""} else ","
    return point, [_ambiguous("1,234", point)]


def _ambiguous(example: str, point: Mark) -> Finding:
    decimal = example[1] == point
    values = {"example": example, "decimal": "1.234", "whole": "1234"}
    message = (
        text(
            "Numbers such as “{example}” may mean {whole} or {decimal}; they were read as {decimal} (decimal mark).",
            **values,
        )
        if decimal
        else text(
            "Numbers such as “{example}” may mean {whole} or {decimal}; they were read as {whole} (mark between "
            "thousands).",
            **values,
        )
    )
    return Finding("ambiguous_decimal", "warning", message)


def _may_be_marked(cells: pa.ChunkedArray) -> bool:
    """Return whether a column's marks need a look: most columns have decimal points that can be nothing else."""
    if _count(cells, r",|\.\d+\."):
        return True
    return not _count(cells.slice(0, 1000), r"^[+-]?\d*\.(\d{0,2}|\d{4,})$|^[+-]?(\d{4,}|0)\.\d+$")


def _evidence(cells: pa.ChunkedArray, mark: Mark) -> _Evidence:
    m, o = (r"\.", ",") if mark == "." else (",", r"\.")
    both = rf"{o}\d+{m}\d*$"
    lone = rf"{_SIGN}\d*{m}(\d{{0,2}}|\d{{4,}})$|{_SIGN}(\d{{4,}}|0+){m}\d+$"
    return _Evidence(
        decimal=_count(cells, rf"{both}|{lone}"),
        group=_count(cells, rf"{m}\d+{o}|{m}\d+{m}"),
        either=_count(cells, rf"{_SIGN}[1-9]\d{{0,2}}{m}\d{{3}}$"),
        hundreds=_count(cells, rf"{_SIGN}[1-9]\d{{0,2}}{m}\d00$"),
        small=_count(cells, rf"{_SIGN}[1-9]\d{{0,2}}$"),
        large=_count(cells, rf"{_SIGN}[1-9]\d{{3,}}$"),
    )


def _count(column: pa.ChunkedArray, pattern: str) -> int:
    return int(pc.sum(pc.match_substring_regex(column, pattern)).as_py() or 0)
