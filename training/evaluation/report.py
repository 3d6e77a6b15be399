"""Tables and verdicts of a walk-forward evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from training.errors import Message
from training.evaluation import scores, summary
from training.evaluation.files import json_object
from training.evaluation.inference import Difference, Estimate, diebold_mariano, ratio
from training.evaluation.verdicts import verdict_on_baseline
from training.evaluation.walk_forward import Results

REGIMES = ("calm", "usual", "wild")
BY_STEP = ("crps", "wis", "covered_50", "covered_80", "covered_90", "covered_95", "absolute", "hit", "brier")


@dataclass(frozen=True)
class Row:
    """A forecaster: its figures, the ratio of its CRPS to the best baseline's, and the test of their difference."""

    figures: Mapping[str, Estimate]
    skill: Estimate
    test: Difference


class Report:
    """Figures of a walk-forward evaluation; `baselines` are the names of the forecasters that are baselines."""

    def __init__(self, results: Results, baselines: Sequence[str]) -> None:
        self.results = results
        self.names = list(results.files)
        self.models = [name for name in self.names if name not in baselines]
        self._baselines = [name for name in self.names if name in baselines]

    @cached_property
    def table(self) -> pd.DataFrame:
        """Return the scores of every forecaster at every cutoff (`summary.by_cutoff`)."""
        return pd.concat([summary.by_cutoff(part) for part in self.results.parts()])

    @cached_property
    def foreseen(self) -> pd.Series:
        """Return the CRPS of a walk that knows the future volatility, by cutoff (`summary.foreseen`)."""
        crps: pd.Series = pd.concat([summary.foreseen(part) for part in self.results.parts(self.names[0])])
        return crps

    @cached_property
    def best_baseline(self) -> str:
        """Return the baseline of lowest mean CRPS, which models are compared with."""
        return summary.ranking(self.table, self._baselines)[0]

    @cached_property
    def rows(self) -> dict[str, Row]:
        """Return a row for each forecaster."""
        overlap = self.results.overlap
        rows = {}
        for name in self.names:
            pairs = summary.paired(self.table, name, self.best_baseline)
            test = diebold_mariano(
                pairs["scores"].to_numpy(), pairs["reference"].to_numpy(), summary.times_of(pairs), overlap=overlap
            )
            skill = summary.crps_ratio(self.table, name, self.best_baseline, overlap=overlap)
            rows[name] = Row(summary.figures(summary.rows_of(self.table, name), overlap=overlap), skill, test)
        return rows

    @property
    def volatility_foreseen(self) -> Estimate:
        """Return the ratio of that CRPS to the best baseline's: the gain of a perfect volatility forecast."""
        pairs = self.of(self.best_baseline).join(self.foreseen)
        crps, overlap = pairs["crps"].to_numpy(), self.results.overlap
        return ratio(pairs[summary.FORESEEN].to_numpy(), crps, summary.times_of(pairs), overlap=overlap)

    @property
    def verdicts(self) -> dict[str, Message]:
        """Return one sentence for each model: whether it is better than the best baseline."""
        return {name: verdict_on_baseline(name, self.best_baseline, self.rows[name].skill) for name in self.models}

    def of(self, name: str) -> pd.DataFrame:
        """Return the rows of one forecaster in `table`."""
        return summary.rows_of(self.table, name)

    def by_step(self) -> pd.DataFrame:
        """Return mean scores `BY_STEP` by forecaster and step, a file in memory at a time."""
        groups = [part.groupby(["forecaster", "step"])[list(BY_STEP)] for part in self.results.parts()]
        total, known = (
            pd.concat(parts).groupby(level=[0, 1], sort=False).sum()
            for parts in zip(*((group.sum(), group.count()) for group in groups), strict=True)
        )
        means: pd.DataFrame = total / known.where(known > 0)
        return means

    def by_group(self) -> pd.DataFrame:
        """Return CRPS, coverage and skill by market and forecaster; see `_skill_by`."""
        return self._skill_by(self.table.index.get_level_values("group").to_numpy())

    def by_regime(self) -> pd.DataFrame:
        """Return the same by thirds of the volatility before the cutoff, within each symbol."""
        rank = self.table["past_volatility"].groupby(["group", "symbol", "forecaster"]).rank(pct=True)
        thirds = np.minimum((rank.to_numpy() * 3 - 1e-9).astype(int), 2)
        return self._skill_by(np.array(REGIMES)[thirds])

    def by_period(self, frequency: str) -> pd.DataFrame:
        """Return the same by period of the cutoff: `M`, `Q`, `Y`."""
        times = pd.DatetimeIndex(summary.times_of(self.table).view("M8[ns]"))
        return self._skill_by(times.to_period(frequency).astype(str).to_numpy())

    def worst(self, name: str, count: int) -> pd.DataFrame:
        """Return the cutoffs at which a forecaster lost most against the best baseline, worst first.

        Returns
        -------
        pandas.DataFrame
            By `KEYS`, columns scores, reference (its CRPS and the best baseline's), lost (their difference).
        """
        pairs = summary.paired(self.table, name, self.best_baseline)
        return pairs.assign(lost=pairs["scores"] - pairs["reference"]).nlargest(count, "lost")

    def calibration(self, name: str) -> dict[str, Any]:
        """Return the calibration of a forecaster, JSON-ready.

        Keys pit (share in each tenth, all steps), ks and p (of the last step, one value a forecast), reliability (mean
        P(up), share that rose, number: by tenths, last step), hits (share of correct directions at the last step, with
        its binomial interval).
        """
        parts = list(self.results.parts(name))
        last = pd.concat([part[part["step"] == part["step"].max()] for part in parts])
        distance, p = scores.uniformity(last["pit"].to_numpy())
        counts = [scores.histogram(part["pit"].to_numpy()) * part["pit"].count() for part in parts]
        return json_object(
            pit=np.sum(counts, axis=0) / max(1, sum(int(part["pit"].count()) for part in parts)),
            ks=distance,
            p=p,
            reliability=scores.reliability(last["chance"].to_numpy(), last["rose"].to_numpy()),
            hits=Estimate(*scores.hit_rate(last["hit"].to_numpy())),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form of figures, skills, tests and verdicts."""
        forecasters = {
            name: {"figures": row.figures, "skill": row.skill, "diebold_mariano": row.test}
            for name, row in self.rows.items()
        }
        return json_object(
            best_baseline=self.best_baseline,
            cutoffs=len(self.of(self.names[0])),
            volatility_foreseen=self.volatility_foreseen,
            forecasters=forecasters,
            verdicts=self.verdicts,
        )

    def _skill_by(self, parts: np.ndarray) -> pd.DataFrame:
        """Return a row a part and forecaster: cutoffs, crps, coverage_50/80/90/95, and skill, low, high.

        Skill is the ratio of the CRPS to that of the best baseline of all parts together.
        """
        rows = []
        for part, table in self.table.assign(part=parts).groupby("part", sort=False):
            for name in self.names:
                mine = summary.rows_of(table, name)
                if mine.empty:
                    continue
                skill = summary.crps_ratio(table, name, self.best_baseline, overlap=self.results.overlap)
                means = mine[["crps", "coverage_50", "coverage_80", "coverage_90", "coverage_95"]].mean()
                interval = {"skill": skill.value, "low": skill.low, "high": skill.high}
                rows.append({"part": part, "forecaster": name, "cutoffs": len(mine), **means, **interval})
        return pd.DataFrame(rows).set_index(["part", "forecaster"])
