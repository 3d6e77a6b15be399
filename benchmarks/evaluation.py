"""The cost of a walk-forward evaluation: the model and every baseline, each alone, at many cutoffs.

`.venv/bin/python -m benchmarks.evaluation`: 1,000 cutoffs of random walks with kronos-nano, 90 candles of history, 10
to forecast, 20 paths. Processor time is shown beside clock time, which other programs lengthen; memory is the peak of
the process.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import MB, build_parser, read_peak, time_once, write_record
from benchmarks.shapes import random_walks
from engine.predictor import KronosPredictor
from training.evaluation.baselines import BASELINES
from training.evaluation.cutoffs import Cutoff, Series, rolling
from training.evaluation.forecasters import Forecaster
from training.evaluation.kronos import KronosForecaster
from training.evaluation.report import Report
from training.evaluation.walk_forward import walk_forward

SERIES = 10


def main(arguments: list[str] | None = None) -> None:
    """Evaluate each forecaster and print a line for each."""
    parser = build_parser(__doc__, model="kronos-nano", cutoffs=1000, lookback=90, horizon=10, samples=20, threads=2)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    cutoffs = _make_cutoffs(options.cutoffs, options.lookback, options.horizon)
    predictor = KronosPredictor.from_pretrained(options.model, device="cpu")
    model = KronosForecaster(options.model, predictor, options.samples)
    print(f"{len(cutoffs)} cutoffs, {options.lookback} → {options.horizon}, {options.samples} paths")
    print(f"{'':14}{'seconds':>10}{'processor':>11}{'ms a cutoff':>13}{'memory, MB':>12}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = []
        for forecaster in (*BASELINES, model):
            walk_forward([forecaster], cutoffs[:2], folder / "first")  # loading and first calls are not measured
            rows.append(_measure(forecaster.name, cutoffs, partial(walk_forward, [forecaster], cutoffs, folder)))
        rows.append(_measure("report", cutoffs, lambda: _make_report([model, *BASELINES], cutoffs, folder)))
    total = sum(row["processor"] for row in rows[: len(BASELINES)])
    print(f"all baselines: {total:.1f} s of processor time")
    write_record(options, rows)


def _make_cutoffs(count: int, lookback: int, horizon: int) -> list[Cutoff]:
    windows = -(-count // SERIES)
    walks = random_walks(SERIES, lookback + windows * horizon, 1)
    series = [
        Series.of(frame.assign(timestamp=times), f"S{number}", "walk/1h")
        for number, (frame, times) in enumerate(zip(walks.frames, walks.times, strict=True))
    ]
    return rolling(series, lookback=lookback, horizon=horizon, n_windows=windows)[:count]


def _make_report(forecasters: Sequence[Forecaster], cutoffs: Sequence[Cutoff], folder: Path) -> None:
    Report(walk_forward(forecasters, cutoffs, folder), [baseline.name for baseline in BASELINES]).to_dict()


def _measure(name: str, cutoffs: Sequence[Cutoff], work: Callable[[], object]) -> dict[str, Any]:
    """Print and return what some work takes."""
    started = time.process_time()
    seconds = time_once(work)
    processor, memory = time.process_time() - started, read_peak()
    milliseconds = processor / len(cutoffs) * 1000
    print(f"{name:14}{seconds:10.1f}{processor:11.1f}{milliseconds:13.2f}{memory / MB:12.0f}", flush=True)
    return {"name": name, "seconds": seconds, "processor": processor, "cutoffs": len(cutoffs), "memory": memory}


if __name__ == "__main__":
    main()
