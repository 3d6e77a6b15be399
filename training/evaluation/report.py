"""Tables and words about a walk forward: who did how well, at which step, in which market, in calm and in storm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from training.errors import Message
from training.evaluation import scores
from training.evaluation.inference import Difference, Estimate, diebold_mariano, ratio
from training.evaluation.summary import FORESEEN, by_cutoff, crps_ratio, figures, foreseen, paired, ranking, verdict
from training.evaluation.walk_forward import Results

REGIMES = ("calm", "usual", "wild")
BY_STEP = ("crps", "wis", "covered_50", "covered_80", "covered_90", "covered_95", "absolute", "hit", "brier")


@dataclass(frozen=True)
class Row:
    """A forecaster's line: its figures, and how it stands against the best baseline.

    Attributes
    ----------
    skill
        Ratio of its CRPS to the best baseline's.
    test
        Whether the two differ.
    """

    figures: Mapping[str, Estimate]
    skill: Estimate
    test: Difference


class Report:
    """Figures of a walk forward.

    Parameters
    ----------
    baselines
        Names of the forecasters that are baselines: the one of lowest CRPS is what others are measured by.
    """

    def __init__(self, results: Results, baselines: Sequence[str]) -> None:
        self.results = results
        self.names = list(results.files)
        self.models = [name for name in self.names if name not in baselines]
        self._baselines = [name for name in self.names if name in baselines]

    @cached_property
    def table(self) -> pd.DataFrame:
        """Return the scores of every forecaster at every cutoff (`summary.by_cutoff`)."""
        return pd.concat([by_cutoff(part) for part in self.results.parts()])

    @cached_property
    def foreseen(self) -> pd.Series:
        """Return what a walk would score that knew the volatility to come, by cutoff (`summary.foreseen`)."""
        found: pd.Series = pd.concat([foreseen(part) for part in self.results.parts(self.names[0])])
        return found

    @cached_property
    def best_baseline(self) -> str:
        """Return the baseline of lowest mean CRPS."""
        return ranking(self.table, self._baselines)[0]

    @cached_property
    def rows(self) -> dict[str, Row]:
        """Return a line a forecaster."""
        overlap = self.results.overlap
        found = {}
        for name in self.names:
            pairs = paired(self.table, name, self.best_baseline)
            times = pairs.index.get_level_values("time").to_numpy()
            one, other = pairs["one"].to_numpy(), pairs["other"].to_numpy()
            skill = crps_ratio(self.table, name, self.best_baseline, overlap=overlap)
            test = diebold_mariano(one, other, times, overlap=overlap)
            found[name] = Row(figures(self.of(name), overlap=overlap), skill, test)
        return found

    @property
    def volatility_foreseen(self) -> Estimate:
        """Return the CRPS of that walk as a ratio to the best baseline's: what is between it and 1 was to be gained."""
        pairs = self.of(self.best_baseline).join(self.foreseen)
        times = pairs.index.get_level_values("time").to_numpy()
        return ratio(pairs[FORESEEN].to_numpy(), pairs["crps"].to_numpy(), times, overlap=self.results.overlap)

    @property
    def verdicts(self) -> dict[str, Message]:
        """Return one sentence a model: whether it is better than the best baseline."""
        return {name: verdict(name, self.best_baseline, self.rows[name].skill) for name in self.models}

    def of(self, name: str) -> pd.DataFrame:
        """Return the rows of one forecaster in `table`."""
        return self.table[self.table.index.get_level_values("forecaster") == name]

    def by_step(self) -> pd.DataFrame:
        """Return mean scores `BY_STEP` by forecaster and step, a file in memory at a time."""
        sums: list[pd.DataFrame] = []
        counts: list[pd.DataFrame] = []
        for part in self.results.parts():
            grouped = part.groupby(["forecaster", "step"])[list(BY_STEP)]
            sums.append(grouped.sum())
            counts.append(grouped.count())
        total, known = (pd.concat(one).groupby(level=[0, 1], sort=False).sum() for one in (sums, counts))
        return total / known.where(known > 0)

    def by_group(self) -> pd.DataFrame:
        """Return CRPS, coverage and skill by market and forecaster; see `_skill_by`."""
        return self._skill_by(lambda table: table.index.get_level_values("group").to_numpy())

    def by_regime(self) -> pd.DataFrame:
        """Return the same by thirds of the volatility before the cutoff, each symbol by its own."""
        return self._skill_by(_regime)

    def by_period(self, frequency: str) -> pd.DataFrame:
        """Return the same by period of the cutoff: `M`, `Q`, `Y`."""

        def period(table: pd.DataFrame) -> np.ndarray:
            times = pd.DatetimeIndex(table.index.get_level_values("time").to_numpy().view("M8[ns]"))
            return times.to_period(frequency).astype(str).to_numpy()

        return self._skill_by(period)

    def worst(self, name: str, count: int) -> pd.DataFrame:
        """Return the cutoffs at which a forecaster lost most against the best baseline, worst first.

        Returns
        -------
        pandas.DataFrame
            Index group, symbol, time, known_at; columns one, other (its CRPS and the best baseline's), lost (their
            difference).
        """
        pairs = paired(self.table, name, self.best_baseline)
        return pairs.assign(lost=pairs["one"] - pairs["other"]).nlargest(count, "lost")

    def calibration(self, name: str) -> dict[str, Any]:
        """Return whether a forecaster means what it says, JSON-ready.

        Keys pit (share in each tenth, all steps), ks and p (of the last step, one value a forecast), reliability (mean
        chance of a rise, share that rose, number: by tenths, last step), hits (share of right directions of the last
        step, with its binomial interval).
        """
        parts = list(self.results.parts(name))
        last = pd.concat([part[part["step"] == part["step"].max()] for part in parts])
        counts = sum(scores.histogram(part["pit"].to_numpy()) * part["pit"].count() for part in parts)
        distance, p = scores.evenness(last["pit"].to_numpy())
        share, low, high = scores.hit_rate(last["hit"].to_numpy())
        total = sum(int(part["pit"].count()) for part in parts)
        return {
            "pit": (np.asarray(counts) / max(1, total)).tolist(),
            "ks": Estimate(distance).to_dict()["value"],
            "p": Estimate(p).to_dict()["value"],
            "reliability": scores.reliability(last["chance"].to_numpy(), last["rose"].to_numpy()),
            "hits": Estimate(share, low, high).to_dict(),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form of figures, skills, tests and verdicts."""
        return {
            "best_baseline": self.best_baseline,
            "cutoffs": int(self.of(self.names[0]).shape[0]),
            FORESEEN: self.volatility_foreseen.to_dict(),
            "forecasters": {
                name: {
                    "figures": {key: estimate.to_dict() for key, estimate in row.figures.items()},
                    "skill": row.skill.to_dict(),
                    "diebold_mariano": {"statistic": row.test.statistic, "p": row.test.p, "times": row.test.times},
                }
                for name, row in self.rows.items()
            },
            "verdicts": {name: told.to_dict() for name, told in self.verdicts.items()},
        }

    def _skill_by(self, key: Callable[[pd.DataFrame], np.ndarray]) -> pd.DataFrame:
        """Return a line a part and forecaster: cutoffs, crps, coverage_50/80/90/95, and skill, low, high.

        Skill is the ratio of the CRPS to the best baseline's, the best one of all parts together.
        """
        lines = []
        of_part = self.table.assign(part=key(self.table))
        for part, table in of_part.groupby("part", sort=False):
            for name in self.names:
                mine = table[table.index.get_level_values("forecaster") == name]
                if mine.empty:
                    continue
                skill = crps_ratio(table, name, self.best_baseline, overlap=self.results.overlap)
                means = mine[["crps", "coverage_50", "coverage_80", "coverage_90", "coverage_95"]].mean()
                lines.append({"part": part, "forecaster": name, "cutoffs": len(mine), **means, **_told(skill)})
        return pd.DataFrame(lines).set_index(["part", "forecaster"])


def _told(skill: Estimate) -> dict[str, float | None]:
    return {"skill": skill.value, "low": skill.low, "high": skill.high}


def _regime(table: pd.DataFrame) -> np.ndarray:
    place = table["past_volatility"].groupby(["group", "symbol", "forecaster"]).rank(pct=True)
    thirds = np.minimum((place.to_numpy() * 3 - 1e-9).astype(int), 2)
    return np.asarray(np.array(REGIMES)[thirds])
