"""Forecasts drawn as fans beside what came."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from engine.candles import CLOSE
from training.errors import RunError
from training.evaluation import scores
from training.evaluation.cutoffs import Cutoff, Series, rolling
from training.evaluation.forecasters import Forecaster, batches, request_of
from training.evaluation.judge.judgement import Judgement, key_of
from training.run.folder import unwritable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = 100  # candles of history
RECENT = 20  # candles whose volatility makes a history calm or wild
AT_ONCE = 16  # cutoffs in memory together
BANDS = ((0.05, 0.95), (0.1, 0.9), (0.25, 0.75))
LEVELS = (*(low for low, _ in BANDS), 0.5, *(high for _, high in reversed(BANDS)))
COLUMNS = 2
PANEL = (5.5, 2.6)  # inches
FORECAST, ACTUAL = "#4c78a8", "#222222"
SHADES = ("#d8e2ed", "#b7c8dd", "#98b1ce")  # of the bands, the widest first
HASH_SALT = "kronos"  # without one, names inside an SVG file are random


def varied(series: Sequence[Series], *, lookback: int, horizon: int, count: int = 10) -> list[Cutoff]:
    """Return cutoffs that differ, chosen without looking at any forecast: always the same ones.

    Each is the first of its series. Groups take turns; every other one gives the series whose last candles are the
    calmest beside its history, the others the wildest.
    """
    first = [
        place
        for one in series
        for place in rolling([_start(one, lookback, horizon)], lookback=lookback, horizon=horizon)
    ]
    queues = []
    for turn, (_, members) in enumerate(groupby(sorted(first, key=lambda one: one.group), key=lambda one: one.group)):
        by_calm = sorted(members, key=lambda one: (_restlessness(one), one.symbol))
        queues.append(by_calm if turn % 2 == 0 else by_calm[::-1])
    return [place for turn in zip_longest(*queues) for place in turn if place is not None][:count]


def draw(forecaster: Forecaster, places: Sequence[Cutoff], out: Path, titles: Sequence[str], *, seed: int = 0) -> None:
    """Draw a panel a cutoff: the end of the history, bands of 50, 80 and 90 %, the median, and what came.

    Parameters
    ----------
    out
        SVG, PNG or PDF file; the same forecasts make the same file.

    Raises
    ------
    RunError
        It cannot be written.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    rows = -(-len(places) // COLUMNS)
    with mpl.rc_context({"svg.hashsalt": HASH_SALT, "font.size": 8.0}):
        figure = Figure(figsize=(PANEL[0] * COLUMNS, PANEL[1] * rows), layout="constrained")
        panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for panel in panels[len(places) :]:
            panel.set_axis_off()
        for panel, place, title, fan in zip(panels, places, titles, _fans(forecaster, places, seed), strict=False):
            _panel(panel, place, title, fan)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=5, frameon=False)
        try:
            figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None)
        except OSError as error:
            raise RunError(unwritable(out.parent, error)) from error


def draw_judged(
    forecaster: Forecaster, series: Sequence[Series], judgement: Judgement, places: Sequence[Cutoff], folder: Path
) -> list[Path]:
    """Draw ten varied forecasts as `forecasts.svg`, and the ten that lost most as `worst.svg`; return the files.

    Parameters
    ----------
    series
        What the varied ones are chosen from.
    places
        The cutoffs that were judged: the worst are those at which the model lost most against the best baseline.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(unwritable(folder, error)) from error
    size = judgement.depends_on
    chosen = varied(series, lookback=size["lookback"], horizon=size["horizon"])
    files = [folder / "forecasts.svg", folder / "worst.svg"]
    draw(forecaster, chosen, files[0], [_named(place) for place in chosen], seed=size["seed"])
    by_key = {key_of(place): place for place in places}
    lost = judgement.report.worst(judgement.model, 10)
    worst = [by_key[key] for key in lost.index]
    titles = [
        f"{_named(place)}\nCRPS {one:.2f}, {judgement.report.best_baseline} {other:.2f}"
        for place, one, other in zip(worst, lost["one"], lost["other"], strict=True)
    ]
    draw(forecaster, worst, files[1], titles, seed=size["seed"])
    return files


def _start(series: Series, lookback: int, horizon: int) -> Series:
    stop = lookback + horizon
    return Series(series.group, series.symbol, series.values[:stop], series.times[:stop])


def _restlessness(place: Cutoff) -> float:
    """Return the volatility of the last candles as a share of the whole history's."""
    returns = np.diff(np.log(place.past.last(place.lookback)[:, CLOSE]))
    return float(returns[-RECENT:].std() / returns.std())


def _named(place: Cutoff) -> str:
    return f"{place.group} {place.symbol}, {pd.Timestamp(place.time):%Y-%m-%d %H:%M}"


def _fans(forecaster: Forecaster, places: Sequence[Cutoff], seed: int) -> list[np.ndarray]:
    """Return the quantiles `LEVELS` of each cutoff's closes, (levels, horizon)."""
    found: list[np.ndarray] = []
    for batch in batches(places, AT_ONCE):
        members = forecaster.forecast(request_of(batch, seed))
        levels = scores.quantiles(members.close, LEVELS, drawn=members.drawn)  # (levels, B, horizon)
        found += list(np.moveaxis(levels, 1, 0))
    return found


def _panel(panel: Axes, place: Cutoff, title: str, fan: np.ndarray) -> None:
    """Draw one forecast; 0 is the last known candle."""
    past = place.past.last(SHOWN)[:, CLOSE]
    steps = np.arange(place.horizon + 1)
    known = np.full((len(fan), 1), past[-1])
    fan = np.concatenate([known, fan], axis=1)
    for number, ((low, high), shade) in enumerate(zip(BANDS, SHADES, strict=True)):
        label = f"{round((high - low) * 100)} %"
        panel.fill_between(steps, fan[number], fan[-1 - number], color=shade, linewidth=0, label=label)
    panel.plot(steps, fan[len(BANDS)], color=FORECAST, linewidth=1.2, label="median")
    panel.plot(np.arange(1 - len(past), 1), past, color=ACTUAL, linewidth=0.8)
    came = np.r_[past[-1], place.actual[:, CLOSE]]
    panel.plot(steps, came, color=ACTUAL, linewidth=1.2, linestyle="--", label="what came")
    panel.axvline(0, color="#999999", linewidth=0.6)
    panel.set_title(title, fontsize=8)
