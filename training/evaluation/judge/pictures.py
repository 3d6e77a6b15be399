"""Fan charts of forecasts with the actual closes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, zip_longest
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from engine.candles import CLOSE
from training.evaluation import scores
from training.evaluation.cutoffs import Cutoff, Series, rolling
from training.evaluation.files import writable
from training.evaluation.forecasters import Forecaster, batches, request_of
from training.evaluation.judge.judgement import Judgement, key_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = 100  # candles of history
RECENT = 20  # candles whose volatility makes a history calm or volatile
AT_ONCE = 16  # cutoffs in memory together
BANDS = ((0.05, 0.95), (0.1, 0.9), (0.25, 0.75))
LEVELS = (*(low for low, _ in BANDS), 0.5, *(high for _, high in reversed(BANDS)))
COLUMNS = 2
PANEL = (5.5, 2.6)  # inches
FORECAST, ACTUAL = "#4c78a8", "#222222"
SHADES = ("#d8e2ed", "#b7c8dd", "#98b1ce")  # of the bands, the widest first
HASH_SALT = "kronos"  # without one, names inside an SVG file are random


def varied(series: Sequence[Series], *, lookback: int, horizon: int, count: int = 10) -> list[Cutoff]:
    """Return different cutoffs, chosen independently of any forecast: always the same ones.

    Each is the first of its series. Groups take turns; every other one gives the series whose last candles are the
    calmest beside its history, the others the most volatile.
    """
    size = lookback + horizon
    starts = [Series(candles.group, candles.symbol, candles.values[:size], candles.times[:size]) for candles in series]
    first = [cutoff for candles in starts for cutoff in rolling([candles], lookback=lookback, horizon=horizon)]
    queues, by_group = [], attrgetter("group")
    for turn, (_, members) in enumerate(groupby(sorted(first, key=by_group), key=by_group)):
        calmest_first = sorted(members, key=lambda cutoff: (_recent_volatility(cutoff), cutoff.symbol))
        queues.append(calmest_first if turn % 2 == 0 else calmest_first[::-1])
    return [cutoff for turn in zip_longest(*queues) for cutoff in turn if cutoff is not None][:count]


def draw(forecaster: Forecaster, cutoffs: Sequence[Cutoff], out: Path, titles: Sequence[str], *, seed: int = 0) -> None:
    """Draw a panel for each cutoff: the end of the history, bands of 50, 80 and 90 %, the median, and the actual.

    `out` is an SVG, PNG or PDF file; the same forecasts give the same file. Raises RunError if it cannot be written.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    rows = -(-len(cutoffs) // COLUMNS)
    with mpl.rc_context({"svg.hashsalt": HASH_SALT, "font.size": 8.0}):
        figure = Figure(figsize=(PANEL[0] * COLUMNS, PANEL[1] * rows), layout="constrained")
        panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for panel in panels[len(cutoffs) :]:
            panel.set_axis_off()
        for panel, cutoff, title, fan in zip(panels, cutoffs, titles, _fans(forecaster, cutoffs, seed), strict=False):
            _panel(panel, cutoff, title, fan)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=5, frameon=False)
        with writable(out.parent):
            figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None)


def draw_judged(
    forecaster: Forecaster, series: Sequence[Series], judgement: Judgement, cutoffs: Sequence[Cutoff], folder: Path
) -> list[Path]:
    """Draw ten `varied` forecasts of `series` and the ten worst judged ones; return the two SVG files.

    The worst are the cutoffs at which the model lost most against the best baseline.
    """
    size = judgement.depends_on
    chosen = varied(series, lookback=size["lookback"], horizon=size["horizon"])
    files = [folder / "forecasts.svg", folder / "worst.svg"]
    draw(forecaster, chosen, files[0], [_title(cutoff) for cutoff in chosen], seed=size["seed"])
    by_key = {key_of(cutoff): cutoff for cutoff in cutoffs}
    lost = judgement.report.worst(judgement.model, 10)
    worst = [by_key[key] for key in lost.index]
    titles = [
        f"{_title(cutoff)}\nCRPS {crps:.2f}, {judgement.report.best_baseline} {reference:.2f}"
        for cutoff, crps, reference in zip(worst, lost["scores"], lost["reference"], strict=True)
    ]
    draw(forecaster, worst, files[1], titles, seed=size["seed"])
    return files


def _recent_volatility(cutoff: Cutoff) -> float:
    """Return the volatility of the last candles as a share of the whole history's."""
    returns = np.diff(np.log(cutoff.past.last(cutoff.lookback)[:, CLOSE]))
    return float(returns[-RECENT:].std() / returns.std())


def _title(cutoff: Cutoff) -> str:
    return f"{cutoff.group} {cutoff.symbol}, {pd.Timestamp(cutoff.time):%Y-%m-%d %H:%M}"


def _fans(forecaster: Forecaster, cutoffs: Sequence[Cutoff], seed: int) -> Iterator[np.ndarray]:
    """Yield the quantiles `LEVELS` of each cutoff's closes, (levels, horizon)."""
    for batch in batches(cutoffs, AT_ONCE):
        members = forecaster.forecast(request_of(batch, seed))
        levels = scores.quantiles(members.close, LEVELS, drawn=members.drawn)  # (levels, B, horizon)
        yield from np.moveaxis(levels, 1, 0)


def _panel(panel: Axes, cutoff: Cutoff, title: str, fan: np.ndarray) -> None:
    """Draw one forecast; 0 is the last known candle."""
    past = cutoff.past.last(SHOWN)[:, CLOSE]
    steps = np.arange(cutoff.horizon + 1)
    fan = np.concatenate([np.full((len(fan), 1), past[-1]), fan], axis=1)
    for number, ((low, high), shade) in enumerate(zip(BANDS, SHADES, strict=True)):
        label = f"{round((high - low) * 100)} %"
        panel.fill_between(steps, fan[number], fan[-1 - number], color=shade, linewidth=0, label=label)
    panel.plot(steps, fan[len(BANDS)], color=FORECAST, linewidth=1.2, label="median")
    panel.plot(np.arange(1 - len(past), 1), past, color=ACTUAL, linewidth=0.8)
    actual = np.r_[past[-1], cutoff.actual[:, CLOSE]]
    panel.plot(steps, actual, color=ACTUAL, linewidth=1.2, linestyle="--", label="actual")
    panel.axvline(0, color="#999999", linewidth=0.6)
    panel.set_title(title, fontsize=8)
