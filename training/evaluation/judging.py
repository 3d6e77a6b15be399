"""Whether training helped: forecasts of the tuned and the base model at the same cutoffs, beside the baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from engine.candles import CLOSE
from engine.predictor import KronosPredictor
from training.errors import DataError, Message, message
from training.evaluation.baselines import VECTORISED, Garch
from training.evaluation.cutoffs import Cutoff, series_of, spread
from training.evaluation.forecasters import Forecaster, batches, request_of
from training.evaluation.inference import FEWEST_TIMES, Estimate
from training.evaluation.kronos import KronosForecaster
from training.evaluation.records import records
from training.evaluation.summary import by_cutoff, crps_ratio, figures, information, ranking, told, verdict
from training.fit.corpus import Corpus
from training.run.config import JudgeConfig, WindowConfig

OnStep = Callable[[int, int], None]
TUNED, BASE = "tuned", "base"
BASELINES: tuple[Forecaster, ...] = (*VECTORISED, Garch())
AT_ONCE = 32  # cutoffs in memory together
SHOWN = (0.05, 0.25, 0.5, 0.75, 0.95)
TAIL = 60  # candles of history in an example


@dataclass(frozen=True)
class Judgement:
    """What came out.

    Attributes
    ----------
    cutoffs, times, symbols
        How many there were; of different times, of different symbols.
    forecasters
        Name to figures: those of `training.evaluation.summary.figures`.
    rank_ic_over
        Whether IC and rank IC are means over times, each across the symbols that share it, or taken across all cutoffs.
    best_baseline
        The one of lowest CRPS.
    to_base, to_baseline
        Ratio of the judged model's CRPS to the base model's (None without one) and to the best baseline's.
    verdict, against_baselines
        One sentence about each of the two.
    worse
        Whether the judged model is worse than its base beyond doubt: the whole interval lies above 1.
    notes
        What else to know, such as why there are no intervals.
    """

    cutoffs: int
    times: int
    symbols: int
    lookback: int
    horizon: int
    samples: int
    forecasters: Mapping[str, Mapping[str, Estimate]]
    rank_ic_over: Literal["symbols", "cutoffs"]
    best_baseline: str
    to_base: Estimate | None
    to_baseline: Estimate
    verdict: Message
    against_baselines: Message
    worse: bool
    notes: tuple[Message, ...] = ()

    def figures(self) -> dict[str, dict[str, float | None]]:
        """Return the bare figures, JSON-ready: what a line of `forecasts.jsonl` holds as `forecasters`."""
        return {
            name: {key: estimate.to_dict()["value"] for key, estimate in found.items()}
            for name, found in self.forecasters.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form: `forecasters` bare, and with intervals as `estimates`."""
        plain = (
            "cutoffs",
            "times",
            "symbols",
            "lookback",
            "horizon",
            "samples",
            "rank_ic_over",
            "best_baseline",
            "worse",
        )
        return {
            **{name: getattr(self, name) for name in plain},
            "forecasters": self.figures(),
            "estimates": {
                name: {key: estimate.to_dict() for key, estimate in found.items()}
                for name, found in self.forecasters.items()
            },
            "to_base": self.to_base.to_dict() if self.to_base else None,
            "to_baseline": self.to_baseline.to_dict(),
            "verdict": self.verdict.to_dict(),
            "against_baselines": self.against_baselines.to_dict(),
            "notes": [note.to_dict() for note in self.notes],
        }


def pick_cutoffs(corpus: Corpus, window: WindowConfig, n: int, seed: int) -> list[Cutoff]:
    """Return up to `n` cutoffs of a split, spread over groups, symbols and time; the same ones for the same seed.

    Each has `lookback` candles of history and `horizon` after it within one segment; futures of a symbol do not
    overlap, and several symbols share a time where they can. Histories that never moved are left out.

    Raises
    ------
    DataError
        There is not one.
    """
    found = spread(series_of(corpus), lookback=window.lookback, horizon=window.horizon, count=n, seed=seed)
    if not found:
        raise DataError(
            message(
                "No series has {candles} candles without a break that move: there is nothing to judge forecasts on.",
                candles=window.size,
            )
        )
    return found


def judge(
    forecasters: Mapping[str, KronosPredictor],
    cutoffs: Sequence[Cutoff],
    config: JudgeConfig,
    *,
    seed: int,
    on_step: OnStep | None = None,
) -> Judgement:
    """Forecast every cutoff with each model and the baselines, and compare.

    Parameters
    ----------
    forecasters
        `tuned` is judged, or else the first; `base` is what it is compared with, where there is one.
    cutoffs
        Of one lookback and horizon, as `pick_cutoffs` returns them.
    seed
        Models draw a cutoff's paths from the same seed: it is made of this one, the symbol and the time.
    on_step
        Called with cutoffs done and in all; may raise to cancel.
    """
    models = [
        KronosForecaster(name, predictor, config.samples, config.temperature, config.top_p)
        for name, predictor in forecasters.items()
    ]
    table = forecast_all([*models, *BASELINES], cutoffs, seed=seed, on_step=on_step)
    judged = TUNED if TUNED in forecasters else next(iter(forecasters))
    base = BASE if BASE in forecasters and judged != BASE else None
    return _judgement(table, judged, base, cutoffs, config.samples)


def forecast_all(
    forecasters: Sequence[Forecaster], cutoffs: Sequence[Cutoff], *, seed: int, on_step: OnStep | None = None
) -> pd.DataFrame:
    """Return the scores of each forecaster at each cutoff (`summary.by_cutoff`), a batch in memory at a time."""
    parts, done = [], 0
    for batch in batches(cutoffs, AT_ONCE):
        request = request_of(batch, seed)
        parts += [by_cutoff(records(one.name, one.forecast(request), request, batch)) for one in forecasters]
        done += len(batch)
        if on_step:
            on_step(done, len(cutoffs))
    return pd.concat(parts)


def examples(
    forecasters: Mapping[str, KronosPredictor], cutoffs: Sequence[Cutoff], config: JudgeConfig, *, seed: int
) -> list[dict[str, Any]]:
    """Return forecasts to be drawn beside what came, JSON-ready, one a cutoff.

    Keys symbol, group, times and close (the end of the history), future_times, actual, and quantiles (level to one
    close a step): of the judged model as `quantiles`, of the base model as `base` where there is one.
    """
    judged = TUNED if TUNED in forecasters else next(iter(forecasters))
    bands = {}
    for name in dict.fromkeys([judged, *([BASE] if BASE in forecasters else [])]):
        model = KronosForecaster(name, forecasters[name], config.samples, config.temperature, config.top_p)
        drawn = [model.forecast(request_of(batch, seed)).close for batch in batches(cutoffs, AT_ONCE)]
        bands[name] = np.quantile(np.concatenate(drawn), SHOWN, axis=1)  # (levels, cutoffs, horizon)
    told_bands = {name: [_levels(found[:, i]) for i in range(len(cutoffs))] for name, found in bands.items()}
    return [
        {
            "symbol": cutoff.symbol,
            "group": cutoff.group,
            "times": _iso(cutoff.past.last_times(TAIL)),
            "close": cutoff.past.last(TAIL)[:, CLOSE].tolist(),
            "future_times": _iso(cutoff.future_times),
            "actual": cutoff.actual[:, CLOSE].tolist(),
            "quantiles": told_bands[judged][i],
            **({BASE: told_bands[BASE][i]} if BASE in told_bands and judged != BASE else {}),
        }
        for i, cutoff in enumerate(cutoffs)
    ]


def _judgement(
    table: pd.DataFrame, judged: str, base: str | None, cutoffs: Sequence[Cutoff], samples: int
) -> Judgement:
    names = list(dict.fromkeys(table.index.get_level_values("forecaster")))
    rows = {name: table[table.index.get_level_values("forecaster") == name] for name in names}
    best = ranking(table, [one.name for one in BASELINES])[0]
    to_base = crps_ratio(table, judged, base) if base else None
    to_baseline = crps_ratio(table, judged, best)
    against_baselines = verdict(judged, best, to_baseline)
    times = len({cutoff.time for cutoff in cutoffs})
    return Judgement(
        cutoffs=len(cutoffs),
        times=times,
        symbols=len({(cutoff.group, cutoff.symbol) for cutoff in cutoffs}),
        lookback=cutoffs[0].lookback,
        horizon=cutoffs[0].horizon,
        samples=samples,
        forecasters={name: figures(found) for name, found in rows.items()},
        rank_ic_over=information(rows[judged])[1],
        best_baseline=best,
        to_base=to_base,
        to_baseline=to_baseline,
        verdict=_against_base(to_base) if to_base else against_baselines,
        against_baselines=against_baselines,
        worse=to_base is not None and to_base.low is not None and to_base.low > 1,
        notes=tuple(_notes(len(cutoffs), times)),
    )


def _against_base(against: Estimate) -> Message:
    values = told(against)
    if not np.isfinite(against.value):
        return message("Fine-tuned and base model cannot be compared: the base model's errors are zero.")
    if against.low is None or against.high is None:
        return message(
            "Beside its base, the fine-tuned model has a CRPS of {ratio}; there are too few cutoff times to say "
            "whether it is better.",
            **values,
        )
    if against.low > 1:
        return message(
            "Fine-tuning made it worse: CRPS {ratio} of the base model's (95 % interval {low}–{high}). Use the base "
            "model.",
            **values,
        )
    if against.high < 1:
        return message(
            "Fine-tuning made it better: CRPS {ratio} of the base model's (95 % interval {low}–{high}).", **values
        )
    return message(
        "Fine-tuning made no difference that can be told from chance: CRPS {ratio} of the base model's (95 % interval "
        "{low}–{high}).",
        **values,
    )


def _notes(cutoffs: int, times: int) -> Iterable[Message]:
    if cutoffs == 1:
        yield message("One cutoff only: no interval and no test is possible.")
    elif times < FEWEST_TIMES:
        yield message(
            "Cutoffs at {times} different times are too few for intervals: forecasts of one time go up and down "
            "together.",
            times=times,
        )


def _levels(values: np.ndarray) -> dict[str, list[float]]:
    return {f"{level:g}": row.tolist() for level, row in zip(SHOWN, values, strict=True)}


def _iso(times: np.ndarray) -> list[str]:
    return [time.isoformat() for time in pd.DatetimeIndex(np.asarray(times).view("M8[ns]"))]
