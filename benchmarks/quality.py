"""What speed and small weights cost in accuracy, on real candles.

`.venv/bin/python -m benchmarks.quality --data FOLDER`: every way forecasts the same cutoffs with the same seeds, and
the difference of its CRPS to the first way's is shown with its standard error. The folder holds Parquet files of
candles, `<market>/<interval>.parquet`, as in docs/training.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks import memory
from benchmarks.cases import make_case
from benchmarks.logits import logit_error
from benchmarks.paired import Forecaster, columns, differences, score
from benchmarks.shapes import SHAPES, Inputs
from engine.forecast import Forecast
from engine.packed import PRECISIONS
from engine.predictor import KronosPredictor
from engine.sampling import Sampling
from training.evaluation.command import cutoffs
from training.evaluation.cutoffs import Cutoff

Record = dict[str, Any]


def main(arguments: list[str] | None = None) -> None:
    """Score windows and weights and print a table of each."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    data = list(
        cutoffs(
            [*options.data.glob("*/*.parquet")],
            options.split,
            lookback=options.lookback,
            horizon=options.horizon,
            per_group=options.per_group,
        )
    )
    groups = len({cutoff.group for cutoff in data})
    settings = f"{options.lookback} → {options.horizon}, {options.samples} paths each"
    print(f"{len(data)} cutoffs of {groups} groups, {settings}", flush=True)
    found: Record = {"settings": {name: str(value) for name, value in vars(options).items()}}
    if "windows" in options.compare:
        found["windows"] = _windows(options, data)
    if "weights" in options.compare:
        found["weights"] = _weights(options, data)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.quality", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--split", default="val")
    parser.add_argument("--compare", nargs="+", choices=["windows", "weights"], default=["windows", "weights"])
    parser.add_argument("--model", default="kronos-nano", help="a registry name, a Hub id or a folder")
    parser.add_argument("--tokenizer", help="where the registry does not know the model's own")
    parser.add_argument("--context", type=int, default=256, help="of the windows: small, so that much slides")
    parser.add_argument("--strides", nargs="+", type=int, default=[16, 64, 128])
    parser.add_argument("--lookback", type=int, default=400)
    parser.add_argument("--horizon", type=int, default=120)
    parser.add_argument("--samples", type=int, default=30)
    parser.add_argument("--per-group", type=int, default=20, help="cutoffs of each file")
    parser.add_argument("--sizes", nargs="+", choices=SHAPES, default=["nano", "small"], help="whose memory to measure")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser


def _windows(options: argparse.Namespace, data: Sequence[Cutoff]) -> Record:
    predictor = _load(options, max_context=options.context)
    ways: dict[str, Forecaster] = {
        window: partial(_forecast, predictor, options.samples, window=window) for window in ("exact", "fit")
    }
    ways |= {
        f"strided {stride}": partial(_forecast, predictor, options.samples, window="strided", stride=stride)
        for stride in options.strides
    }
    return _judge(f"windows, context {options.context}", ways, data)


def _weights(options: argparse.Namespace, data: Sequence[Cutoff]) -> Record:
    predictors = {precision: _load(options, weights=precision) for precision in PRECISIONS}
    ways: dict[str, Forecaster] = {
        precision: partial(_forecast, predictor, options.samples) for precision, predictor in predictors.items()
    }
    found = _judge("weights", ways, data)
    exact = predictors["float32"]
    heads = "".join(f"{f'MB, {size}':>11}" for size in options.sizes)
    print(f"\n{'weights':14}{'max logit error':>16}{'rms':>10}{'of spread':>10}{heads}")
    inputs = [Inputs([columns(c.history)], [c.history["timestamp"]], [c.future["timestamp"]]) for c in data]
    for precision in PRECISIONS:
        error = logit_error(exact, predictors[precision], inputs)
        held = {size: _held(size, precision, options.threads) for size in options.sizes}
        found[precision] |= {"logits": error, "bytes": held}
        shown = "".join(f"{size / 1e6:11.0f}" for size in held.values())
        print(f"{precision:14}{error['max']:16.2g}{error['rms']:10.2g}{error['of_spread']:10.2%}{shown}", flush=True)
    return found


def _held(size: str, precision: str, threads: int) -> int:
    """Return the bytes that a predictor of random weights leaves in memory."""
    least = make_case(size, 1, history=16, horizon=2)
    return memory.measure(least, "exact", Sampling(), threads, precision)["weights"]


def _load(options: argparse.Namespace, **settings: Any) -> KronosPredictor:
    return KronosPredictor.from_pretrained(options.model, tokenizer=options.tokenizer, device="cpu", **settings)


def _forecast(predictor: KronosPredictor, samples: int, cutoff: Cutoff, seed: int, **settings: Any) -> Forecast:
    times, future = cutoff.history["timestamp"], cutoff.future["timestamp"]
    return predictor.forecast(columns(cutoff.history), times, future, samples=samples, seed=seed, **settings)


def _judge(title: str, ways: Mapping[str, Forecaster], data: Sequence[Cutoff]) -> Record:
    table = differences(score(ways, data), next(iter(ways)))
    print(f"\n{title:24}{'CRPS':>8}{'difference':>12}{'± s.e.':>9}{'':>9}{'in 50 %':>9}{'80 %':>7}{'90 %':>7}")
    for way, row in table.iterrows():
        print(
            f"{way:24}{row['crps']:8.4f}{row['difference']:+12.5f}{row['standard_error']:9.5f}{row['relative']:+9.2%}"
            f"{row['coverage_50']:9.1%}{row['coverage_80']:7.1%}{row['coverage_90']:7.1%}",
            flush=True,
        )
    return {str(way): row.to_dict() for way, row in table.iterrows()}


if __name__ == "__main__":
    main()
