"""What a walk forward costs: a model and every baseline at many cutoffs, each by itself.

`.venv/bin/python -m benchmarks.evaluation`: 1,000 cutoffs of kronos-nano, 90 candles of history and 10 to forecast, 20
paths each, on candles that are random walks. Processor time is shown beside the time on the clock, which other programs
lengthen; memory is the most that the process has held.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from benchmarks.shapes import random_walks
from engine.predictor import KronosPredictor
from training.evaluation.baselines import BASELINES
from training.evaluation.cutoffs import Cutoff, Series, rolling
from training.evaluation.forecasters import Forecaster
from training.evaluation.kronos import KronosForecaster
from training.evaluation.report import Report
from training.evaluation.walk_forward import walk_forward

Record = dict[str, Any]
SERIES = 10


def main(arguments: list[str] | None = None) -> None:
    """Walk each forecaster forward and print a line of each."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    places = _places(options.cutoffs, options.lookback, options.horizon)
    predictor = KronosPredictor.from_pretrained(options.model, device="cpu")
    model = KronosForecaster(options.model, predictor, options.samples)
    print(
        f"{len(places)} cutoffs, {options.lookback} → {options.horizon}, {options.samples} paths, {options.threads} "
        f"threads\n{'':14}{'seconds':>10}{'processor':>11}{'ms a cutoff':>13}{'memory, MB':>12}",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as place:
        found = [_walk([one], places, Path(place), one.name) for one in (*BASELINES, model)]
        baselines = {key: sum(row[key] for row in found[:-1]) for key in ("seconds", "processor")}
        _show({**baselines, "name": "all baselines", "cutoffs": len(places), "memory": found[-2]["memory"]})
        report = _report([model, *BASELINES], places, Path(place))
    _show(report)
    if options.json:
        options.json.write_text(json.dumps([*found, report], indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.evaluation", description=__doc__)
    parser.add_argument("--model", default="kronos-nano", help="a registry name, a Hub id or a folder")
    parser.add_argument("--cutoffs", type=int, default=1000)
    parser.add_argument("--lookback", type=int, default=90)
    parser.add_argument("--horizon", type=int, default=10)
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser


def _places(count: int, lookback: int, horizon: int) -> list[Cutoff]:
    windows = -(-count // SERIES)
    walks = random_walks(SERIES, lookback + windows * horizon, 1)
    series = [
        Series.of(frame.assign(timestamp=times), f"S{number}", "walk/1h")
        for number, (frame, times) in enumerate(zip(walks.frames, walks.times, strict=True))
    ]
    return rolling(series, lookback=lookback, horizon=horizon, n_windows=windows)[:count]


def _walk(forecasters: Sequence[Forecaster], places: Sequence[Cutoff], folder: Path, name: str) -> Record:
    walk_forward(forecasters, places[:2], folder / "first")  # loading and first calls are not measured
    clock, processor = time.perf_counter(), time.process_time()
    with tqdm(disable=None, leave=False) as bar:

        def tick(_done: int, _total: int) -> None:
            bar.update()

        walk_forward(forecasters, places, folder, on_step=tick)
    row = _row(name, clock, processor, len(places))
    _show(row)
    return row


def _report(forecasters: Sequence[Forecaster], places: Sequence[Cutoff], folder: Path) -> Record:
    """Return what reading all scores, their intervals and tests cost."""
    clock, processor = time.perf_counter(), time.process_time()
    Report(walk_forward(forecasters, places, folder), [one.name for one in BASELINES]).to_dict()
    return _row("the report", clock, processor, len(places))


def _row(name: str, clock: float, processor: float, cutoffs: int) -> Record:
    return {
        "name": name,
        "seconds": time.perf_counter() - clock,
        "processor": time.process_time() - processor,
        "cutoffs": cutoffs,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }


def _show(row: Record) -> None:
    print(
        f"{row['name']:14}{row['seconds']:10.1f}{row['processor']:11.1f}"
        f"{row['processor'] / row['cutoffs'] * 1000:13.2f}{row['memory'] / 1e6:12.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
