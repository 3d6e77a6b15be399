"""How forecasts did, many together: against random walks, and against what their bands promise.

Forecasts made candle after candle overlap, and what overlaps tells the same story again. So everything that says how
sure a figure is counts forecasts that lie *apart*: of one series, none begins before the other has ended.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kronos_app.i18n import Text, text
from kronos_app.services.ledger.comparison import COVERAGE_LEVELS, MODEL, NAMES
from kronos_app.store.ledger import LedgerEntry

Array = npt.NDArray[np.float64]

BASELINES = tuple(name for name in NAMES if name != MODEL)
# With fewer forecasts apart nothing can be said.
FEWEST_APART = 5
# Running figures look back over so many forecasts apart.
RECENT_APART = 20
CONFIDENCE = 0.95
DRAWS, SEED = 1000, 0


@dataclass(frozen=True)
class Skill:
    """CRPS as a share of a baseline's, below 1 better; its 95 % interval where enough forecasts lie apart."""

    ratio: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Record:
    """The graded forecasts of one group.

    Attributes
    ----------
    model, symbol
        What they have in common; None where they differ.
    forecasts
        How many; several of one model, series, cutoff and horizon count as one.
    apart
        How many of them do not overlap.
    candles
        How many candles were compared.
    crps
        Mean CRPS as a share of the last known close (0.01 is one percent).
    direction
        Share of steps whose median lay on the right side of the last close, None where nothing moved.
    coverage
        Level of a central band to the share of closes inside it.
    alarms
        Levels whose coverage lately lies outside of what their band allows for, with that coverage.
    skill
        By baseline.
    verdict
        In words.
    """

    model: str | None
    symbol: str | None
    forecasts: int
    apart: int
    candles: int
    crps: float
    direction: float | None
    coverage: Mapping[float, float]
    alarms: Mapping[float, float]
    skill: Mapping[str, Skill]
    verdict: Text

    def to_dict(self, language: str = "en") -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "model": self.model,
            "symbol": self.symbol,
            "forecasts": self.forecasts,
            "apart": self.apart,
            "candles": self.candles,
            "crps": self.crps,
            "direction": self.direction,
            "coverage": {f"{level:g}": share for level, share in self.coverage.items()},
            "alarms": {f"{level:g}": share for level, share in self.alarms.items()},
            "skill": {name: vars(skill) for name, skill in self.skill.items()},
            "verdict": self.verdict.render(language),
        }


def observations(entries: Iterable[LedgerEntry]) -> pd.DataFrame:
    """Return one row a graded forecast, by when its last candle fell due.

    Forecasts of one model, series, cutoff and horizon are not several pieces of evidence: they are averaged.

    Returns
    -------
    Columns `model symbol series horizon begin end matched direction`, `inside_LEVEL` (shares) and `crps_NAME` (shares
    of the last close); `begin` and `end` are UTC, without zone.
    """
    rows = [_observation(entry) for entry in entries if entry.state == "graded" and entry.grade and entry.matched]
    table = pd.DataFrame(rows, columns=_COLUMNS)
    if table.empty:
        return table
    same = ["model", "symbol", "series", "horizon", "begin", "end"]
    return table.groupby(same, as_index=False).mean().sort_values(["end", "begin"], ignore_index=True)


_KEYS = ["model", "symbol", "series", "horizon", "begin", "end"]
_COLUMNS = [
    *_KEYS,
    "matched",
    "direction",
    *(f"inside_{level:g}" for level in COVERAGE_LEVELS),
    *(f"crps_{name}" for name in NAMES),
]


def _observation(entry: LedgerEntry) -> list[Any]:
    assert entry.grade is not None
    scores = entry.grade["scores"]
    model = scores[MODEL]
    symbol = entry.symbol or entry.name
    series = " ".join(filter(None, (entry.source, symbol, entry.interval or str(entry.step), entry.adjustment)))
    direction = math.nan if model["direction"] is None else model["direction"]
    times = [utc(moment, entry.timezone).tz_localize(None) for moment in (entry.cutoff, entry.last)]
    inside = [model["coverage"][f"{level:g}"] for level in COVERAGE_LEVELS]
    crps = [scores[name]["crps"] / abs(entry.last_close) for name in NAMES]
    return [entry.model, symbol, series, entry.horizon, *times, entry.matched, direction, *inside, *crps]


def utc(moment: pd.Timestamp, timezone: str | None) -> pd.Timestamp:
    """Return a candle's time in UTC; without a zone it counts as UTC."""
    local = moment.tz_localize(timezone or "UTC", ambiguous=True, nonexistent="shift_forward")
    return local.tz_convert("UTC")


def records(table: pd.DataFrame) -> list[Record]:
    """Return a record for each model and symbol, those with most forecasts first."""
    groups = [record(part) for _, part in table.groupby(["model", "symbol"], sort=True)]
    return sorted(groups, key=lambda one: -one.forecasts)


def record(table: pd.DataFrame) -> Record:
    """Return the record of the `observations`, of which there must be one at least."""
    recent = running(table)
    latest = recent.iloc[-1]
    coverage = {level: _weighted(table, f"inside_{level:g}") for level in COVERAGE_LEVELS}
    alarms = {
        level: float(latest[f"share_{level:g}"])
        for level in COVERAGE_LEVELS
        if latest["apart"] >= FEWEST_APART
        and not latest[f"low_{level:g}"] <= latest[f"share_{level:g}"] <= latest[f"high_{level:g}"]
    }
    count = int(_apart(table).sum())
    skill = {name: _skill(table, name, count) for name in BASELINES}
    moved = table["direction"].notna()
    return Record(
        model=_common(table["model"]),
        symbol=_common(table["symbol"]),
        forecasts=len(table),
        apart=count,
        candles=round(table["matched"].sum()),
        crps=float(table[f"crps_{MODEL}"].mean()),
        direction=_weighted(table[moved], "direction") if moved.any() else None,
        coverage=coverage,
        alarms=alarms,
        skill=skill,
        verdict=verdict(skill, count),
    )


def running(table: pd.DataFrame) -> pd.DataFrame:
    """Return figures over the latest forecasts, as they stood whenever one was complete.

    Each looks back over `RECENT_APART` forecasts that lie apart and those between them. `low` and `high` bound the
    share that a band of the right width would have inside in 95 of 100 cases, were all closes of one forecast inside
    or outside together: an alarm is rather too late than wrong.

    Returns
    -------
    Columns `end apart ratio` and for each level `share_LEVEL low_LEVEL high_LEVEL`; `ratio` is CRPS as a share of the
    EWMA random walk's.
    """
    from scipy.stats import binom

    count = np.cumsum(_apart(table))
    start = np.searchsorted(count, count - RECENT_APART + 1)
    rows = np.arange(len(table)) + 1

    def window(values: Array) -> Array:
        total = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(total[rows] - total[start])

    apart = count - count[start] + 1
    model, baseline = (window(table[f"crps_{name}"].to_numpy(np.float64)) for name in (MODEL, "ewma"))
    ratio = np.divide(model, baseline, out=np.full(len(table), np.nan), where=baseline > 0)
    found: dict[str, Any] = {"end": table["end"].to_numpy(), "apart": apart, "ratio": ratio}
    weight = table["matched"].to_numpy(np.float64)
    tail = (1 - CONFIDENCE) / 2
    for level in COVERAGE_LEVELS:
        inside = table[f"inside_{level:g}"].to_numpy(np.float64)
        found[f"share_{level:g}"] = window(inside * weight) / window(weight)
        found[f"low_{level:g}"] = binom.ppf(tail, apart, level) / apart
        found[f"high_{level:g}"] = binom.ppf(1 - tail, apart, level) / apart
    return pd.DataFrame(found)


def verdict(skill: Mapping[str, Skill], apart: int) -> Text:
    """Say in words whether the model beat the best baseline, and how sure that is."""
    name, best = max(skill.items(), key=lambda item: item[1].ratio)
    if math.isinf(best.ratio):
        return text("{baseline} made no error so far: no forecast can do better here.", baseline=NAMES[name])
    if best.low is None or best.high is None:
        return text(
            "Too few to say which is better: of the graded forecasts {apart} do not overlap, and {fewest} are needed.",
            apart=apart,
            fewest=FEWEST_APART,
        )
    values = {
        "baseline": NAMES[name],
        "ratio": f"{best.ratio:.2f}",
        "low": f"{best.low:.2f}",
        "high": f"{best.high:.2f}",
        "apart": apart,
    }
    if best.high < 1:
        return text(
            "Better than {baseline} so far: CRPS {ratio} of its (95 % interval {low}–{high}, {apart} forecasts that do "
            "not overlap).",
            **values,
        )
    if best.low > 1:
        return text(
            "Worse than {baseline} so far: CRPS {ratio} of its (95 % interval {low}–{high}, {apart} forecasts that do "
            "not overlap).",
            **values,
        )
    return text(
        "No better than {baseline} so far: CRPS {ratio} of its (95 % interval {low}–{high}, {apart} forecasts that do "
        "not overlap).",
        **values,
    )


def _apart(table: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return 1 for each forecast that begins no earlier than the one of its series counted before has ended, else 0.

    Whatever the model: two models at one cutoff meet the same market.
    """
    ends: dict[str, Any] = {}
    counted = np.zeros(len(table), dtype=np.int64)
    columns = (table[name] for name in ("series", "begin", "end"))
    for row, (series, begin, end) in enumerate(zip(*columns, strict=True)):
        if series not in ends or begin >= ends[series]:
            counted[row] = 1
            ends[series] = end
    return counted


def _skill(table: pd.DataFrame, baseline: str, apart: int) -> Skill:
    """Return the ratio of sums with the interval of a circular block bootstrap, one block as long as what overlaps."""
    both = table[[f"crps_{MODEL}", f"crps_{baseline}"]].to_numpy(np.float64)
    ours, theirs = both.sum(axis=0)
    ratio = ours / theirs if theirs > 0 else math.inf if ours > 0 else 1.0
    if apart < FEWEST_APART or theirs <= 0:
        return Skill(float(ratio))
    length = math.ceil(len(both) / apart)
    blocks = math.ceil(len(both) / length)
    total = np.concatenate([np.zeros((1, 2)), np.cumsum(np.concatenate([both, both]), axis=0)])
    begin = np.random.default_rng(SEED).integers(len(both), size=(DRAWS, blocks))
    sums = (total[begin + length] - total[begin]).sum(axis=1)  # (DRAWS, 2)
    drawn = sums[sums[:, 1] > 0]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [tail, 1 - tail])
    return Skill(float(ratio), float(low), float(high))


def _weighted(table: pd.DataFrame, column: str) -> float:
    return float(np.average(table[column], weights=table["matched"]))


def _common(values: pd.Series[str]) -> str | None:
    return str(values.iloc[0]) if values.nunique() == 1 else None
