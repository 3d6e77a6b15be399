"""The record of many graded forecasts: skill against random walks, and coverage against the nominal level.

Forecasts made at every candle overlap, and overlapping forecasts are not independent. So every figure that tells how
sure a result is counts forecasts that are *apart*: of one series, none begins before the one before it has ended.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kronos_app.i18n import Text, text
from kronos_app.services.core.view import Message, View
from kronos_app.services.ledger.comparison import BASELINES, COVERAGE_LEVELS, MODEL, ByLevel, forecaster_name
from kronos_app.store.ledger import LedgerEntry

Array = npt.NDArray[np.float64]

FEWEST_APART = 5  # below this number there is no interval and no verdict
RECENT_APART = 20  # forecasts that running figures look back over
CONFIDENCE = 0.95

_KEYS = ["model", "symbol", "series", "horizon", "begin", "end"]
_COLUMNS = [
    *_KEYS,
    "matched",
    "direction",
    *(f"inside_{level:g}" for level in COVERAGE_LEVELS),
    *(f"crps_{name}" for name in (MODEL, *BASELINES)),
]


class Skill(View):
    """CRPS ratio to a baseline, below 1 better; its 95 % confidence interval if enough forecasts are apart."""

    ratio: float
    low: float | None = None
    high: float | None = None


class Record(View):
    """The graded forecasts of one group.

    Attributes
    ----------
    model, symbol
        What all have in common; None where they differ.
    forecasts
        The number of graded entries.
    apart
        The number of forecasts that do not overlap.
    crps
        Mean CRPS as a share of the last known close (0.01 is one percent).
    direction
        Share of steps with the median on the right side of the last close, None where nothing moved.
    alarms
        Recent coverage of the levels where it is outside the range that chance allows.
    """

    model: str | None
    symbol: str | None
    forecasts: int
    apart: int
    candles: int
    crps: float
    direction: float | None
    coverage: ByLevel
    alarms: ByLevel
    skill: dict[str, Skill]
    verdict: Message


def tabulate(entries: Iterable[LedgerEntry]) -> pd.DataFrame:
    """Return one row per graded forecast, in the order of their last candles.

    Forecasts of one model, series, cutoff and horizon are not independent evidence: they are averaged.

    Returns
    -------
    Columns `model symbol series horizon begin end matched direction`, `inside_LEVEL` (shares), `crps_NAME` (shares of
    the last close) and `forecasts`, the number of entries in the row; `begin` and `end` are UTC, without zone.
    """
    rows = [_tabulate(entry) for entry in entries if is_counted(entry)]
    table = pd.DataFrame(rows, columns=_COLUMNS)
    if table.empty:
        return table
    groups = table.groupby(_KEYS, as_index=False)
    means = groups.mean().assign(forecasts=groups.size()["size"])
    return means.sort_values(["end", "begin"], ignore_index=True)


def is_counted(entry: LedgerEntry) -> bool:
    """Return whether an entry is part of the record: graded, by at least one actual candle."""
    return entry.state == "graded" and bool(entry.grade) and entry.matched > 0


def _tabulate(entry: LedgerEntry) -> list[Any]:
    assert entry.grade is not None
    scores = entry.grade["scores"]
    model = scores[MODEL]
    symbol = entry.symbol or entry.name
    series = " ".join(filter(None, (entry.source, symbol, entry.interval or str(entry.step), entry.adjustment)))
    direction = math.nan if model["direction"] is None else model["direction"]
    times = [to_utc(moment, entry.timezone).tz_localize(None) for moment in (entry.cutoff, entry.last)]
    inside = [model["coverage"][f"{level:g}"] for level in COVERAGE_LEVELS]
    crps = [scores[name]["crps"] / abs(entry.last_close) for name in (MODEL, *BASELINES)]
    return [entry.model, symbol, series, entry.horizon, *times, entry.matched, direction, *inside, *crps]


def to_utc(moment: pd.Timestamp, timezone: str | None) -> pd.Timestamp:
    """Return a candle's time in UTC; without a zone it counts as UTC."""
    local = moment.tz_localize(timezone or "UTC", ambiguous=True, nonexistent="shift_forward")
    return local.tz_convert("UTC")


def build_records(table: pd.DataFrame) -> list[Record]:
    """Return a record for each model and symbol, those with most forecasts first."""
    records = [build_record(part) for _, part in table.groupby(["model", "symbol"], sort=True)]
    return sorted(records, key=lambda record: -record.forecasts)


def build_record(table: pd.DataFrame) -> Record:
    """Return the record of the rows of `tabulate`, at least one."""
    latest = running_figures(table).iloc[-1]
    alarms = {
        level: float(latest[f"share_{level:g}"])
        for level in COVERAGE_LEVELS
        if latest["apart"] >= FEWEST_APART
        and not latest[f"low_{level:g}"] <= latest[f"share_{level:g}"] <= latest[f"high_{level:g}"]
    }
    cluster = np.cumsum(_mark_apart(table))
    skill = {name: _skill(table, name, cluster) for name in BASELINES}
    moved = table[table["direction"].notna()]
    apart = int(cluster[-1])
    return Record(
        model=_common(table["model"]),
        symbol=_common(table["symbol"]),
        forecasts=int(table["forecasts"].sum()),
        apart=apart,
        candles=round(table["matched"].sum()),
        crps=float(table[f"crps_{MODEL}"].mean()),
        direction=None if moved.empty else _weighted_mean(moved, "direction"),
        coverage={level: _weighted_mean(table, f"inside_{level:g}") for level in COVERAGE_LEVELS},
        alarms=alarms,
        skill=skill,
        verdict=summarize(skill, apart),
    )


def running_figures(table: pd.DataFrame) -> pd.DataFrame:
    """Return figures over the latest forecasts, as of the completion of each one.

    Each row looks back over `RECENT_APART` forecasts that are apart and those between them. `low` and `high` bound the
    coverage that a calibrated band would have in 95 of 100 cases if all closes of one forecast were inside or outside
    together: an alarm is rather too late than wrong.

    Returns
    -------
    Columns `end apart ratio` and for each level `share_LEVEL low_LEVEL high_LEVEL`; `ratio` is the CRPS ratio to the
    EWMA random walk.
    """
    from scipy.stats import binom

    count = np.cumsum(_mark_apart(table))
    start = np.searchsorted(count, count - RECENT_APART + 1)
    rows = np.arange(len(table)) + 1

    def window(values: Array) -> Array:
        total = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(total[rows] - total[start])

    apart = count - count[start] + 1
    model, baseline = (window(table[f"crps_{name}"].to_numpy(np.float64)) for name in (MODEL, "ewma"))
    ratio = np.divide(model, baseline, out=np.full(len(table), np.nan), where=baseline > 0)
    figures: dict[str, Any] = {"end": table["end"].to_numpy(), "apart": apart, "ratio": ratio}
    weight = table["matched"].to_numpy(np.float64)
    tail = (1 - CONFIDENCE) / 2
    for level in COVERAGE_LEVELS:
        inside = table[f"inside_{level:g}"].to_numpy(np.float64)
        figures[f"share_{level:g}"] = window(inside * weight) / window(weight)
        figures[f"low_{level:g}"] = binom.ppf(tail, apart, level) / apart
        figures[f"high_{level:g}"] = binom.ppf(1 - tail, apart, level) / apart
    return pd.DataFrame(figures)


def summarize(skill: Mapping[str, Skill], apart: int) -> Text:
    """Return a sentence on whether the model is better than the best baseline, and how sure that is."""
    name, best = max(skill.items(), key=lambda item: item[1].ratio)
    baseline = forecaster_name(name)
    if math.isinf(best.ratio):
        return text("{baseline} made no error so far: no forecast can be better.", baseline=baseline)
    if best.low is None or best.high is None:
        return text(
            "Too few forecasts for a comparison: {apart} graded forecasts do not overlap, {fewest} are needed.",
            apart=apart,
            fewest=FEWEST_APART,
        )
    better, worse = text("Better than {baseline}", baseline=baseline), text("Worse than {baseline}", baseline=baseline)
    no_difference = text("No significant difference from {baseline}", baseline=baseline)
    return text(
        "{result} so far: CRPS ratio {ratio} (95 % CI {low}–{high}, {apart} forecasts that do not overlap).",
        result=better if best.high < 1 else worse if best.low > 1 else no_difference,
        ratio=f"{best.ratio:.2f}",
        low=f"{best.low:.2f}",
        high=f"{best.high:.2f}",
        apart=apart,
    )


def _mark_apart(table: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return 1 for each forecast that begins no earlier than the last one counted of its series has ended, else 0.

    Whatever the model: two models at one cutoff face the same market.
    """
    ends: dict[str, Any] = {}
    marks = np.zeros(len(table), dtype=np.int64)
    columns = (table[name] for name in ("series", "begin", "end"))
    for row, (series, begin, end) in enumerate(zip(*columns, strict=True)):
        if series not in ends or begin >= ends[series]:
            marks[row] = 1
            ends[series] = end
    return marks


def _skill(table: pd.DataFrame, baseline: str, cluster: npt.NDArray[np.int64]) -> Skill:
    """Return the CRPS ratio with its interval; overlapping forecasts of one `cluster` are resampled together."""
    from training.evaluation.inference import ratio

    model, other = (table[f"crps_{name}"].to_numpy(np.float64) for name in (MODEL, baseline))
    if not other.any():
        return Skill(ratio=math.inf if model.any() else 1.0)
    estimate = ratio(model, other, cluster, overlap=2)  # neighbouring clusters overlap as well
    return Skill(ratio=estimate.value, low=estimate.low, high=estimate.high)


def _weighted_mean(table: pd.DataFrame, column: str) -> float:
    return float(np.average(table[column], weights=table["matched"]))


def _common(values: pd.Series[str]) -> str | None:
    return str(values.iloc[0]) if values.nunique() == 1 else None
