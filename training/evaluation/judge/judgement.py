"""A model and its yardsticks at the same cutoffs, and the table that comes of it."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from training.evaluation.baselines import Ewma, Garch, Window
from training.evaluation.cutoffs import Cutoff
from training.evaluation.forecasters import Forecaster
from training.evaluation.inference import FEWEST_TIMES
from training.evaluation.judge.figures import Line, line
from training.evaluation.judge.targets import TARGETS, Mark
from training.evaluation.records import KEYS
from training.evaluation.report import Report
from training.evaluation.walk_forward import SETTINGS, walk_forward
from training.run.provenance import PACKAGES, code_digest

OnStep = Callable[[int, int], None]
BASELINES: tuple[Forecaster, ...] = (Ewma(), Window(20), Window(100), Garch())
OVER_ALL, TOGETHER = "all", "together"


@dataclass(frozen=True, eq=False)
class Judgement:
    """What came out.

    Attributes
    ----------
    blocks
        Block to lines: those of its groups (`crypto/1h`), of its markets that have several (`crypto`), and `all`. Where
        there are several blocks, `together` has all cutoffs.
    report
        The scores behind them.
    depends_on
        Digests of model and baselines, candles and cutoffs, and the seed, as `walk_forward` notes them.
    settings
        How the model was asked.
    notes
        What else to know.
    """

    model: str
    blocks: Mapping[str, Mapping[str, Line]]
    report: Report
    depends_on: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def mark(self, block: str, part: str, figure: str) -> Mark:
        """Return whether a figure is what it has to be."""
        found = self.blocks[block][part]
        chance = found.ks_chance if figure == "ks" else None
        mark = TARGETS[figure].mark(found.figures[figure], part=part != OVER_ALL, chance=chance)
        return "close" if mark == "missed" and found.times < FEWEST_TIMES else mark  # nothing follows from so few

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form: each line with a key `marks`, figure to whether it was reached."""
        return {
            "model": self.model,
            "settings": dict(self.settings),
            "depends_on": dict(self.depends_on),
            "code": code_digest(),
            "packages": {name: version(name) for name in PACKAGES},
            "python": platform.python_version(),
            "targets": {name: target.text for name, target in TARGETS.items()},
            "blocks": {
                block: {
                    part: {**found.to_dict(), "marks": {name: self.mark(block, part, name) for name in TARGETS}}
                    for part, found in lines.items()
                }
                for block, lines in self.blocks.items()
            },
            "notes": list(self.notes),
        }


def judge(
    forecaster: Forecaster,
    blocks: Mapping[str, Sequence[Cutoff]],
    folder: Path,
    *,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
    on_step: OnStep | None = None,
) -> Judgement:
    """Forecast the cutoffs of all blocks with a model and the baselines, and return the table.

    Parameters
    ----------
    folder
        Where scores are kept, so that what was stopped goes on; see `walk_forward`.

    Raises
    ------
    DataError
        There are no cutoffs.
    RunError
        The folder cannot be written to.
    """
    places = [place for block in blocks.values() for place in block]
    results = walk_forward([forecaster, *BASELINES], places, folder, seed=seed, on_step=on_step)
    names = [one.name for one in BASELINES]
    report = Report(results, names)
    table = report.table.join(report.foreseen)
    block_of = {key_of(place): block for block, members in blocks.items() for place in members}
    keys = table.index.to_frame(index=False)[KEYS].itertuples(index=False, name=None)
    where = np.array([block_of[key] for key in keys])
    found = {block: _lines(table[where == block], forecaster.name, names) for block in blocks if blocks[block]}
    if len(found) > 1:
        found[TOGETHER] = _lines(table, forecaster.name, names)
    noted = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    return Judgement(forecaster.name, found, report, noted, settings or {}, notes)


def key_of(place: Cutoff) -> tuple[Any, ...]:
    """Return what a cutoff is found by in tables."""
    return tuple(getattr(place, key) for key in KEYS)


def _lines(table: pd.DataFrame, model: str, baselines: Sequence[str]) -> dict[str, Line]:
    groups = table.index.get_level_values("group")
    markets = groups.str.partition("/").get_level_values(0)
    found: dict[str, Line] = {}
    for market in sorted(set(markets)):
        inside = sorted(set(groups[markets == market]))
        for group in inside:
            found[group] = line(table[groups == group], model, baselines)
        if len(inside) > 1:
            found[market] = line(table[markets == market], model, baselines)
    return {**found, OVER_ALL: line(table, model, baselines)}
