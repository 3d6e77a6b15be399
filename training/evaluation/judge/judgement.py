"""Judges a model and the baselines at the same cutoffs."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
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
from training.evaluation.judge.figures import TARGETS, Line, Mark, line
from training.evaluation.records import KEYS
from training.evaluation.report import Report
from training.evaluation.walk_forward import SETTINGS, OnStep, walk_forward
from training.run.provenance import PACKAGES, code_digest

BASELINES: tuple[Forecaster, ...] = (Ewma(), Window(20), Window(100), Garch())
OVER_ALL, TOGETHER = "all", "together"


@dataclass(frozen=True, eq=False)
class Judgement:
    """The judge's table."""

    model: str
    # Block to lines: of its groups (`crypto/1h`), of its markets with several groups (`crypto`), and `all`. Where there
    # are several blocks, `together` has all cutoffs.
    blocks: Mapping[str, Mapping[str, Line]]
    report: Report  # the scores behind them
    depends_on: Mapping[str, Any]  # digests of forecasters, candles and cutoffs, and the seed: `evaluation.json`
    settings: Mapping[str, Any] = field(default_factory=dict)  # sampling and options
    notes: Sequence[str] = ()  # what the reader should know about data and model

    def mark(self, block: str, part: str, figure: str) -> Mark:
        """Return whether a figure reaches its target."""
        of_part = self.blocks[block][part]
        chance = of_part.ks_chance if figure == "ks" else None
        mark = TARGETS[figure].mark(of_part.figures[figure], part=part != OVER_ALL, chance=chance)
        return "close" if mark == "missed" and of_part.times < FEWEST_TIMES else mark  # too few for a conclusion

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form: each line with a key `marks`, figure to mark."""
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
                    part: {**line.to_dict(), "marks": {name: self.mark(block, part, name) for name in TARGETS}}
                    for part, line in lines.items()
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

    Scores are stored in `folder`, so that a stopped run resumes; errors as in `walk_forward`.
    """
    cutoffs = [cutoff for block in blocks.values() for cutoff in block]
    results = walk_forward([forecaster, *BASELINES], cutoffs, folder, seed=seed, on_step=on_step)
    names = [baseline.name for baseline in BASELINES]
    report = Report(results, names)
    table = report.table.join(report.foreseen)
    block_of = {key_of(cutoff): block for block, members in blocks.items() for cutoff in members}
    keys = table.index.to_frame(index=False)[KEYS].itertuples(index=False, name=None)
    block_names = np.array([block_of[key] for key in keys])
    lines = {block: _lines(table[block_names == block], forecaster.name, names) for block in blocks if blocks[block]}
    if len(lines) > 1:
        lines[TOGETHER] = _lines(table, forecaster.name, names)
    depends_on = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    return Judgement(forecaster.name, lines, report, depends_on, settings or {}, notes)


def key_of(cutoff: Cutoff) -> tuple[Any, ...]:
    """Return the key of a cutoff in tables."""
    return tuple(getattr(cutoff, key) for key in KEYS)


def _lines(table: pd.DataFrame, model: str, baselines: Sequence[str]) -> dict[str, Line]:
    groups = table.index.get_level_values("group")
    markets = groups.str.partition("/").get_level_values(0)
    lines: dict[str, Line] = {}
    for market in sorted(set(markets)):
        of_market = sorted(set(groups[markets == market]))
        for group in of_market:
            lines[group] = line(table[groups == group], model, baselines)
        if len(of_market) > 1:
            lines[market] = line(table[markets == market], model, baselines)
    return {**lines, OVER_ALL: line(table, model, baselines)}
