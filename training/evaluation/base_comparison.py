"""Compares forecasts of the fine-tuned and the base model at the same cutoffs, beside the baselines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from engine.candles import CLOSE
from engine.predictor import KronosPredictor
from training.errors import Message, message
from training.evaluation.baselines import VECTORISED, Garch
from training.evaluation.cutoffs import Cutoff
from training.evaluation.files import to_json
from training.evaluation.forecasters import Forecaster, batches, request_of
from training.evaluation.inference import FEWEST_TIMES, Estimate
from training.evaluation.kronos import KronosForecaster
from training.evaluation.records import records
from training.evaluation.summary import Across, by_cutoff, crps_ratio, figures, information, ranking, rows_of
from training.evaluation.verdicts import verdict_on_base, verdict_on_baseline
from training.evaluation.walk_forward import OnStep
from training.run.config import JudgeConfig

TUNED, BASE = "tuned", "base"
BASELINES: tuple[Forecaster, ...] = (*VECTORISED, Garch())
AT_ONCE = 32  # cutoffs in memory together
SHOWN = (0.05, 0.25, 0.5, 0.75, 0.95)
TAIL = 60  # candles of history in an example


@dataclass(frozen=True)
class Judgement:
    """Result of the comparison."""

    cutoffs: int
    times: int  # different ones, as are the symbols
    symbols: int
    lookback: int
    horizon: int
    samples: int
    rank_ic_over: Across  # whether IC and rank IC are taken across the symbols of each time, or across all cutoffs
    best_baseline: str  # the one of lowest CRPS
    worse: bool  # whether the judged model is significantly worse than its base
    forecasters: Mapping[str, Mapping[str, Estimate]]  # name to `summary.figures`
    to_base: Estimate | None  # ratio of the judged model's CRPS to the base model's, if there is one
    to_baseline: Estimate  # the same to the best baseline's
    verdict: Message  # on the base model, or else on the best baseline
    against_baselines: Message
    notes: tuple[Message, ...] = ()  # why there are no intervals

    def figures(self) -> dict[str, dict[str, float | None]]:
        """Return the figures without intervals, JSON-ready: `forecasters` of a line of `forecasts.jsonl`."""
        return {
            name: {key: estimate.to_dict()["value"] for key, estimate in row.items()}
            for name, row in self.forecasters.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form: `forecasters` without intervals, `estimates` with them."""
        values = to_json(self)
        return {**values, "forecasters": self.figures(), "estimates": values["forecasters"]}


def judge(
    forecasters: Mapping[str, KronosPredictor],
    cutoffs: Sequence[Cutoff],
    config: JudgeConfig,
    *,
    seed: int,
    on_step: OnStep | None = None,
) -> Judgement:
    """Forecast every cutoff with each model and the baselines, and compare.

    `tuned` is judged, or else the first forecaster; it is compared with `base`, where there is one. Cutoffs have one
    lookback and horizon. `on_step` is called with cutoffs done and in total; it may raise to cancel.
    """
    models = [_forecaster(name, predictor, config) for name, predictor in forecasters.items()]
    table = _forecast_all([*models, *BASELINES], cutoffs, seed, on_step)
    judged, base = _roles(forecasters)
    rows = {name: rows_of(table, name) for name in dict.fromkeys(table.index.get_level_values("forecaster"))}
    best = ranking(table, [baseline.name for baseline in BASELINES])[0]
    to_base = crps_ratio(table, judged, base) if base else None
    to_baseline = crps_ratio(table, judged, best)
    against_baselines = verdict_on_baseline(judged, best, to_baseline)
    times = len({cutoff.time for cutoff in cutoffs})
    return Judgement(
        cutoffs=len(cutoffs),
        times=times,
        symbols=len({(cutoff.group, cutoff.symbol) for cutoff in cutoffs}),
        lookback=cutoffs[0].lookback,
        horizon=cutoffs[0].horizon,
        samples=config.samples,
        rank_ic_over=information(rows[judged])[1],
        best_baseline=best,
        worse=to_base is not None and to_base.outcome == "worse",
        forecasters={name: figures(table) for name, table in rows.items()},
        to_base=to_base,
        to_baseline=to_baseline,
        verdict=verdict_on_base(to_base) if to_base else against_baselines,
        against_baselines=against_baselines,
        notes=tuple(_notes(len(cutoffs), times)),
    )


def examples(
    forecasters: Mapping[str, KronosPredictor], cutoffs: Sequence[Cutoff], config: JudgeConfig, *, seed: int
) -> list[dict[str, Any]]:
    """Return forecasts for charts, JSON-ready, one a cutoff.

    Keys symbol, group, times and close (the end of the history), future_times, actual, and quantiles (level to one
    close a step): of the judged model as `quantiles`, of the base model as `base` where there is one.
    """
    judged, base = _roles(forecasters)
    bands = {"quantiles": _bands(_forecaster(judged, forecasters[judged], config), cutoffs, seed)}
    if base:
        bands[BASE] = _bands(_forecaster(base, forecasters[base], config), cutoffs, seed)
    return [
        {
            "symbol": cutoff.symbol,
            "group": cutoff.group,
            "times": _iso(cutoff.past.last_times(TAIL)),
            "close": cutoff.past.last(TAIL)[:, CLOSE].tolist(),
            "future_times": _iso(cutoff.future_times),
            "actual": cutoff.actual[:, CLOSE].tolist(),
            **{
                name: {f"{level:g}": row.tolist() for level, row in zip(SHOWN, values[:, i], strict=True)}
                for name, values in bands.items()
            },
        }
        for i, cutoff in enumerate(cutoffs)
    ]


def _roles(forecasters: Iterable[str]) -> tuple[str, str | None]:
    """Return the judged model and its base, None where there is none."""
    names = list(forecasters)
    judged = TUNED if TUNED in names else names[0]
    return judged, BASE if BASE in names and judged != BASE else None


def _forecaster(name: str, predictor: KronosPredictor, config: JudgeConfig) -> KronosForecaster:
    return KronosForecaster(name, predictor, config.samples, config.temperature, config.top_p)


def _forecast_all(
    forecasters: Sequence[Forecaster], cutoffs: Sequence[Cutoff], seed: int, on_step: OnStep | None
) -> pd.DataFrame:
    """Return the scores of each forecaster at each cutoff (`summary.by_cutoff`), a batch in memory at a time."""
    parts, done = [], 0
    for batch in batches(cutoffs, AT_ONCE):
        request = request_of(batch, seed)
        parts += [by_cutoff(records(each.name, each.forecast(request), request, batch)) for each in forecasters]
        done += len(batch)
        if on_step:
            on_step(done, len(cutoffs))
    return pd.concat(parts)


def _bands(model: Forecaster, cutoffs: Sequence[Cutoff], seed: int) -> np.ndarray:
    """Return the quantiles `SHOWN` of the closes, (levels, cutoffs, horizon)."""
    drawn = [model.forecast(request_of(batch, seed)).close for batch in batches(cutoffs, AT_ONCE)]
    return np.asarray(np.quantile(np.concatenate(drawn), SHOWN, axis=1))


def _notes(cutoffs: int, times: int) -> Iterable[Message]:
    if cutoffs == 1:
        yield message("Only one cutoff: no interval and no test is possible.")
    elif times < FEWEST_TIMES:
        yield message(
            "{times} different cutoff times are too few for intervals: forecasts of one time are dependent.",
            times=times,
        )


def _iso(times: np.ndarray) -> list[str]:
    return [time.isoformat() for time in pd.DatetimeIndex(np.asarray(times).view("M8[ns]"))]
