"""What came of a task, and how a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from training.errors import Message
from training.evaluation.inference import Estimate
from training.evaluation.tasks.presets import Task
from training.evaluation.tasks.published import PAPER, PUBLISHED

ORIENTATION = f"{PAPER}, of other data and other years, for orientation:"


@dataclass(frozen=True)
class Market:
    """What came of one market.

    Attributes
    ----------
    name
        Market and interval.
    taken
        What was taken of it, in words.
    rows
        Figures by forecaster, the model first.
    """

    name: str
    taken: str
    rows: Mapping[str, Mapping[str, Estimate]]


@dataclass(frozen=True)
class Outcome:
    """What came of a task: by market, and what to know about it."""

    task: Task
    markets: Sequence[Market]
    warnings: Sequence[Message]

    def average(self) -> pd.DataFrame:
        """Return the means over markets by forecaster and figure, as the paper has them of its data sets."""
        columns = [one for market in self.markets for one in _columns(market.rows)]
        tables = [_values(market.rows, list(dict.fromkeys(columns))) for market in self.markets]
        return pd.concat(tables).groupby(level=0, sort=False).mean()


def describe(outcome: Outcome) -> str:
    """Return what a terminal shows: warnings, a table a market, their average, and what was published."""
    parts = [str(one) for one in outcome.warnings]
    parts += [f"{market.name}: {market.taken}\n{_told(market.rows).to_string()}" for market in outcome.markets]
    if len(outcome.markets) > 1:
        parts.append(f"Average of {len(outcome.markets)} markets\n{_plain(outcome.average()).to_string()}")
    return "\n\n".join([*parts, _published(outcome.task)])


def _published(task: Task) -> str:
    lines = {
        (one.model, str(one.data), one.table): {name: one.figures.get(name, np.nan) for name in task.figures}
        for one in PUBLISHED[task.name]
    }
    table = pd.DataFrame.from_dict(lines, orient="index", columns=list(task.figures))
    table.index = pd.MultiIndex.from_tuples(list(lines), names=["model", "data", "table"])
    return f"{ORIENTATION}\n{_plain(table.reset_index()).to_string(index=False)}"


def _told(rows: Mapping[str, Mapping[str, Estimate]]) -> pd.DataFrame:
    """Return figures with their intervals; forecasters that have none are left out."""
    known = {name: row for name, row in rows.items() if any(np.isfinite(one.value) for one in row.values())}
    told = {
        name: {figure: _interval(row[figure]) if figure in row else "" for figure in _columns(known)}
        for name, row in known.items()
    }
    return pd.DataFrame.from_dict(told, orient="index")


def _interval(one: Estimate) -> str:
    if not np.isfinite(one.value):
        return ""
    return f"{one.value:.4f}" + ("" if one.low is None else f" [{one.low:.4f}, {one.high:.4f}]")


def _columns(rows: Mapping[str, Mapping[str, Estimate]]) -> list[str]:
    return list(dict.fromkeys(figure for row in rows.values() for figure in row))


def _values(rows: Mapping[str, Mapping[str, Estimate]], columns: Iterable[str]) -> pd.DataFrame:
    values = {name: {figure: row[figure].value for figure in columns if figure in row} for name, row in rows.items()}
    return pd.DataFrame.from_dict(values, orient="index", columns=list(columns), dtype=np.float64)


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    return table.map(lambda value: value if isinstance(value, str) else "" if np.isnan(value) else f"{value:.4f}")
