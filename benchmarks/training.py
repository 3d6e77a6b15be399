"""The speed and memory of training: `python -m benchmarks.training [--what sampler step ...]`.

Sampler and step are compared with the plain way (`benchmarks/plain_training.py`) in the same run, alternately. Weights
and candles are random: speed does not depend on the values. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.machine import describe_machine
from benchmarks.measure import (
    MB,
    build_parser,
    format_verdict,
    read_resident,
    run_in_process,
    settings_of,
    time_once,
    write_record,
)
from benchmarks.plain_training import PlainStep, frames_of, places_of, plain_batch
from benchmarks.shapes import SHAPES
from engine.candles import time_marks
from training.fit.adaptation import adapt
from training.fit.building import build_base
from training.fit.corpus import Corpus, Segment
from training.fit.distributed import World
from training.fit.loop import Callbacks, StageTraining, StepReport
from training.fit.stages import PredictorStage
from training.fit.tokens import TokenCache
from training.fit.windows import WindowSampler
from training.run.config import RunConfig
from training.run.estimate import estimate

SAMPLER_TARGET, STEP_TARGET = 50, 1.1  # ratio to the plain way
LORA_MEMORY, LORA_PARAMETERS = 0.6, 0.05  # share of full fine-tuning
BATCHES = 100  # of the sampler: a single one is too short to time
LARGER = 10  # times as many candles, which must not take more memory
METHODS: dict[str, dict[str, Any]] = {
    "full": {},
    "full, activations recomputed": {"checkpoint_activations": True},
    "lora": {"lora": True},
    "lora, activations recomputed": {"lora": True, "checkpoint_activations": True},
}
Record = dict[str, Any]


def main(arguments: list[str] | None = None) -> None:
    """Measure what the arguments ask for."""
    # horizon: candles of a window after its longest history; candles: of each symbol; rounds: ours and plain in turn
    parser = build_parser(__doc__, batch=50, lookback=90, horizon=11, symbols=100, candles=2000, rounds=5, threads=2)
    measures = {"sampler": time_sampler, "step": time_step, "memory": measure_methods, "corpus": measure_corpus}
    parser.add_argument("--what", nargs="+", choices=measures, default=list(measures))
    parser.add_argument("--size", choices=SHAPES, default="small")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32", help="of our step")
    parser.add_argument("--compiled", action="store_true", help="torch.compile the blocks of our step")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    record: Record = {"machine": describe_machine(options.threads), "settings": settings_of(options)}
    for what in options.what:
        record[what] = measures[what](options)
    write_record(options, record)


def time_sampler(options: argparse.Namespace) -> Record:
    """Compare the sampler with one that cuts each window from a data frame; both must return the same bits."""
    ours: list[float] = []
    plain: list[float] = []
    equal = True
    with _make_corpus(options.symbols, options.candles) as corpus:
        sampler = WindowSampler(corpus, _config(options).window, seed=0)
        frames = frames_of(corpus)
        for step in range(options.rounds + 1):
            ours.append(time_once(lambda: _draw_batches(sampler, options.batch, BATCHES)) / BATCHES)
            numbers = sampler.draw(step, options.batch)
            places = places_of(sampler, numbers)
            started = time.perf_counter()
            x, stamp = plain_batch(frames, places, sampler.window.size)
            plain.append(time.perf_counter() - started)
            batch = sampler.batch(numbers)
            equal &= torch.equal(batch.x, x) and torch.equal(batch.stamp, stamp)
    ratio = median(plain[1:]) / median(ours[1:])  # the first of each warms up
    rate = options.batch / median(ours[1:])
    print(
        f"sampler: {rate:,.0f} windows/s, {ratio:.0f} × one by one ({'bit-equal' if equal else 'DIFFERENT'}), "
        f"{format_verdict(ratio >= SAMPLER_TARGET and equal, f'{SAMPLER_TARGET} ×')}",
        flush=True,
    )
    return {"ratio": ratio, "windows_per_second": rate, "equal": equal}


def time_step(options: argparse.Namespace) -> Record:
    """Compare steps of the loop, with tokens computed and then read, with the published recipe's steps."""
    record: Record = {}
    with _make_corpus(options.symbols, options.candles) as corpus, tempfile.TemporaryDirectory() as name:
        for tokens in ("computed", "cached"):
            record[tokens] = row = _time_steps(options, corpus, Path(name), tokens)
            print(
                f"step, tokens {tokens}: {row['seconds']:.2f} s, plain {row['plain_seconds']:.2f} s, "
                f"ratio {row['ratio']:.2f}, {format_verdict(row['ratio'] >= STEP_TARGET, f'{STEP_TARGET} ×')}; "
                f"{row['encoded']} of {row['windows']} windows encoded",
                flush=True,
            )
    return record


def _time_steps(options: argparse.Namespace, corpus: Corpus, folder: Path, tokens: str) -> Record:
    config = _config(options)
    base, sampler, world = build_base(config), WindowSampler(corpus, config.window, seed=0), World.alone("cpu")
    plain_step = PlainStep(base.tokenizer, build_base(config).predictor)
    cache = TokenCache(base.tokenizer, sampler, folder / "tokens", "cpu")
    stage = PredictorStage(adapt(base.predictor, config.method, "predictor"), cache, cache)
    ours: list[float] = []
    plain: list[float] = []
    started = time.perf_counter()

    def run_plain_step(report: StepReport) -> None:
        nonlocal started
        ours.append(time.perf_counter() - started)
        batch = sampler.batch(sampler.draw(report.step - 1, options.batch))
        plain.append(time_once(lambda: plain_step(batch.x, batch.stamp)))
        started = time.perf_counter()

    StageTraining(stage, config, sampler, sampler, folder / tokens, world, Callbacks(run_plain_step)).run()
    cache.close()
    return {
        "seconds": median(ours[1:]),  # the first of each warms up
        "plain_seconds": median(plain[1:]),
        "ratio": median(b / a for a, b in zip(ours[1:], plain[1:], strict=True)),
        "windows": len(ours) * options.batch + 1,  # one validates
        "encoded": cache.encoded,
    }


def measure_methods(options: argparse.Namespace) -> Record:
    """Measure the peak memory of processes that train all weights or adapters."""
    record: Record = {}
    with _make_corpus(options.symbols, options.candles) as corpus:
        for method, settings in METHODS.items():
            trial = estimate(_config(options, **settings), corpus, "predictor", steps=1, limit=900)
            of_full = trial.memory_bytes / record["full"]["memory_bytes"] if record else 1.0
            share = trial.trained / trial.parameters
            record[method] = asdict(trial) | {"of_full": of_full, "share_trained": share}
            print(
                f"{method + ':':30} {trial.memory_bytes / MB:6.0f} MB, {of_full:4.0%} of full, "
                f"{share:6.1%} of the parameters trained, {trial.seconds_per_step:.2f} s a step",
                flush=True,
            )
    memory = min(row["of_full"] for method, row in record.items() if method.startswith("lora"))
    share = record["lora"]["share_trained"]
    print(
        f"LoRA: {format_verdict(memory <= LORA_MEMORY, f'{LORA_MEMORY:.0%} of the memory')}, "
        f"{format_verdict(share <= LORA_PARAMETERS, f'{LORA_PARAMETERS:.0%} of the parameters')}",
        flush=True,
    )
    return record


def measure_corpus(options: argparse.Namespace) -> Record:
    """Compare the memory that sampling takes from a corpus and from one with ten times the candles."""
    record = {}
    for times in (1, LARGER):
        with _make_corpus(options.symbols, options.candles * times) as corpus:
            folder = Path(getattr(corpus.values, "filename")).parent  # noqa: B009  # only mapped arrays have one
            growth = run_in_process(_measure_growth, folder, options)
            candles = len(corpus.values)
        record[str(candles)] = growth
        print(f"{candles:,} candles: sampling takes {growth / MB:.1f} MB", flush=True)
    return record


def _measure_growth(folder: Path, options: argparse.Namespace) -> int:
    """Return the growth of this process in bytes over many batches from a whole corpus, including its tables."""
    torch.set_num_threads(1)
    with _make_corpus(1, 1000) as small:  # loading at the first use does not count
        _draw_batches(WindowSampler(small, _config(options).window, seed=0), options.batch, 20)
    before = read_resident()
    sampler = WindowSampler(_map_corpus(folder), _config(options).window, seed=0)
    _draw_batches(sampler, options.batch, BATCHES * options.rounds)
    return read_resident() - before


def _draw_batches(sampler: WindowSampler, size: int, steps: int) -> None:
    for step in range(steps):
        sampler.batch(sampler.draw(step, size))


def _config(options: argparse.Namespace, *, lora: bool = False, checkpoint_activations: bool = False) -> RunConfig:
    shape, steps = SHAPES[options.size], options.rounds + 1
    stage = {"steps": steps, "batch": options.batch, "learning_rate": 4e-5, "validation_windows": 1}
    every = dict.fromkeys(("validate_every", "checkpoint_every", "log_every"), steps)
    return RunConfig.model_validate(
        {
            "data": {"source": "files", "paths": ["random walks"]},
            "window": {"lookback": options.lookback, "horizon": options.horizon},
            "base": {"model": None, "shape": asdict(shape.model), "tokenizer_shape": asdict(shape.tokenizer)},
            "method": {"kind": "lora" if lora else "full"},
            "predictor": stage | every,
            "machine": {
                "device": "cpu",
                "threads": options.threads,
                "precision": options.precision,
                "compile": options.compiled,
                "checkpoint_activations": checkpoint_activations,
            },
        }
    )


@contextmanager
def _make_corpus(symbols: int, candles: int) -> Iterator[Corpus]:
    """Yield random walks of minutes, written to files symbol by symbol and memory-mapped."""
    with tempfile.TemporaryDirectory(prefix="kronos-benchmark-") as name:
        folder, rows = Path(name), symbols * candles
        kinds = {"values": ("f4", (rows, 6)), "marks": ("u1", (rows, 5)), "times": ("i8", (rows,))}
        arrays = {
            part: np.lib.format.open_memmap(folder / f"{part}.npy", mode="w+", dtype=kind, shape=shape)
            for part, (kind, shape) in kinds.items()
        }
        times = pd.date_range("2000-01-01", periods=candles, freq="min", unit="ns")
        marks = time_marks(times)
        for symbol in range(symbols):
            part = slice(symbol * candles, (symbol + 1) * candles)
            arrays["values"][part], arrays["marks"][part], arrays["times"][part] = _walk(candles, symbol), marks, times
        segments = [asdict(Segment("walks", f"S{i}", "train", i * candles, (i + 1) * candles)) for i in range(symbols)]
        (folder / "segments.json").write_text(json.dumps(segments))
        arrays.clear()
        yield _map_corpus(folder)


def _map_corpus(folder: Path) -> Corpus:
    arrays = {part: np.load(folder / f"{part}.npy", mmap_mode="r") for part in ("values", "marks", "times")}
    segments = tuple(Segment(**row) for row in json.loads((folder / "segments.json").read_text()))
    return Corpus(**arrays, segments=segments, digest="random walks")


def _walk(candles: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(rng.normal(0, 1e-3, candles).cumsum())
    volume = rng.lognormal(8, 1, candles)
    return np.stack([close, close * 1.001, close * 0.999, close, volume, volume * close], axis=1)


if __name__ == "__main__":
    main()
