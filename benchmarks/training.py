"""How fast training is and how much memory it takes: `python -m benchmarks.training [--what sampler step ...]`.

Everything is held against the plain way of doing it (`benchmarks/plain_training.py`) in the same run, by turns. Weights
and candles are random: speed does not ask what they say. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks import machine
from benchmarks.memory import resident
from benchmarks.plain_training import PlainStep, frames_of, places_of, plain_batch
from benchmarks.shapes import SHAPES
from engine.candles import time_marks
from training.fit.adaptation import adapt
from training.fit.building import build_base
from training.fit.corpus import Corpus, Segment
from training.fit.distributed import World
from training.fit.loop import StepReport, train_stage
from training.fit.stages import PredictorStage
from training.fit.tokens import TokenCache
from training.fit.windows import WindowSampler
from training.run.config import RunConfig
from training.run.estimate import estimate

WHAT = ("sampler", "step", "memory", "corpus")
FASTER_SAMPLER, FASTER_STEP = 50, 1.1  # times the plain way
LORA_MEMORY, LORA_PARAMETERS = 0.6, 0.05  # of full fine-tuning's
SOME = 100  # batches of the sampler: one alone is too short to be timed
LARGER = 10  # times as many candles, with which memory must not grow
Record = dict[str, Any]


def main(arguments: list[str] | None = None) -> None:
    """Measure what the arguments ask for."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    found: Record = {"machine": machine.describe(options.threads)}
    found["settings"] = {name: str(value) for name, value in vars(options).items()}
    measures: dict[str, Callable[[argparse.Namespace], Record]] = {
        "sampler": sampler_rate,
        "step": step_time,
        "memory": methods,
        "corpus": corpus_memory,
    }
    for what in options.what:
        found[what] = measures[what](options)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.training", description=__doc__)
    parser.add_argument("--what", nargs="+", choices=WHAT, default=WHAT)
    parser.add_argument("--size", choices=SHAPES, default="small")
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--lookback", type=int, default=90)
    parser.add_argument("--horizon", type=int, default=11, help="candles of a window after its longest history")
    parser.add_argument("--symbols", type=int, default=100)
    parser.add_argument("--candles", type=int, default=2000, help="of each symbol")
    parser.add_argument("--rounds", type=int, default=5, help="turns of ours and the plain way; medians are taken")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32", help="of our step")
    parser.add_argument("--compiled", action="store_true", help="torch.compile the blocks of our step")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured")
    return parser


def sampler_rate(options: argparse.Namespace) -> Record:
    """Compare the sampler with one that cuts each window from a data frame: the same bits, at which rate."""
    with _corpus(options.symbols, options.candles) as corpus:
        sampler = WindowSampler(corpus, _config(options).window, seed=0)
        frames = frames_of(corpus)
        fast: list[float] = []
        plain: list[float] = []
        equal = True
        for step in range(options.rounds + 1):
            begun = time.perf_counter()
            _draw_many(sampler, options.batch, SOME)
            fast.append((time.perf_counter() - begun) / SOME)
            numbers = sampler.draw(step, options.batch)
            places = places_of(sampler, numbers)
            begun = time.perf_counter()
            made = plain_batch(frames, places, sampler.window.size)
            plain.append(time.perf_counter() - begun)
            batch = sampler.batch(numbers)
            equal &= torch.equal(batch.x, made[0]) and torch.equal(batch.stamp, made[1])
    ratio = median(plain[1:]) / median(fast[1:])
    rate = options.batch / median(fast[1:])
    print(
        f"sampler: {rate:,.0f} windows/s, {ratio:.0f} × one by one ({'bit-equal' if equal else 'DIFFERENT'}), "
        f"{_verdict(ratio >= FASTER_SAMPLER and equal, f'{FASTER_SAMPLER} ×')}",
        flush=True,
    )
    return {"ratio": ratio, "windows_per_second": rate, "equal": equal}


def step_time(options: argparse.Namespace) -> Record:
    """Compare steps of the loop, tokens computed and then read, with the published recipe's steps."""
    found: Record = {}
    with _corpus(options.symbols, options.candles) as corpus, tempfile.TemporaryDirectory() as name:
        for tokens in ("computed", "kept"):
            found[tokens] = _steps(options, corpus, Path(name), tokens)
            row = found[tokens]
            print(
                f"step, tokens {tokens}: {row['seconds']:.2f} s, plain {row['plain_seconds']:.2f} s, "
                f"ratio {row['ratio']:.2f}, {_verdict(row['ratio'] >= FASTER_STEP, f'{FASTER_STEP} ×')}; "
                f"{row['encoded']} of {row['windows']} windows encoded",
                flush=True,
            )
    return found


def _steps(options: argparse.Namespace, corpus: Corpus, folder: Path, tokens: str) -> Record:
    config = _config(options)
    base, sampler, world = build_base(config), WindowSampler(corpus, config.window, seed=0), World.alone("cpu")
    plain = PlainStep(base.tokenizer, build_base(config).predictor)
    cache = TokenCache(base.tokenizer, sampler, folder / "tokens", "cpu")
    stage = PredictorStage(adapt(base.predictor, config.method, "predictor"), cache, cache)
    ours: list[float] = []
    theirs: list[float] = []
    begun = time.perf_counter()

    def by_turns(report: StepReport) -> None:
        nonlocal begun
        ours.append(time.perf_counter() - begun)
        batch = sampler.batch(sampler.draw(report.step - 1, options.batch))
        between = time.perf_counter()
        plain(batch.x, batch.stamp)
        begun = time.perf_counter()
        theirs.append(begun - between)

    train_stage("predictor", stage, config, sampler, sampler, folder / tokens, world, on_step=by_turns)
    cache.close()
    seconds, plain_seconds = median(ours[1:]), median(theirs[1:])  # the first of each warms up
    return {
        "seconds": seconds,
        "plain_seconds": plain_seconds,
        "ratio": median(b / a for a, b in zip(ours[1:], theirs[1:], strict=True)),
        "windows": len(ours) * options.batch + 1,  # one validates
        "encoded": cache.encoded,
    }


def methods(options: argparse.Namespace) -> Record:
    """Measure the peak memory of a process that trains all, and of ones that train adapters."""
    ways = {
        "full": {},
        "full, activations recomputed": {"checkpoint_activations": True},
        "lora": {"lora": True},
        "lora, activations recomputed": {"lora": True, "checkpoint_activations": True},
    }
    found: Record = {}
    with _corpus(options.symbols, options.candles) as corpus:
        for way, settings in ways.items():
            trial = estimate(_config(options, **settings), corpus, "predictor", steps=1, limit=900)
            of_full = trial.memory_bytes / found["full"]["memory_bytes"] if found else 1.0
            share = trial.trained / trial.parameters
            found[way] = asdict(trial) | {"of_full": of_full, "share_trained": share}
            print(
                f"{way + ':':30} {trial.memory_bytes / 1e6:6.0f} MB, {of_full:4.0%} of full, "
                f"{share:6.1%} of the parameters trained, {trial.seconds_per_step:.2f} s a step",
                flush=True,
            )
    least = min(row["of_full"] for way, row in found.items() if way.startswith("lora"))
    share = found["lora"]["share_trained"]
    print(
        f"LoRA at its least: {_verdict(least <= LORA_MEMORY, f'{LORA_MEMORY:.0%} of the memory')}, "
        f"{_verdict(share <= LORA_PARAMETERS, f'{LORA_PARAMETERS:.0%} of the parameters')}",
        flush=True,
    )
    return found


def corpus_memory(options: argparse.Namespace) -> Record:
    """Compare the memory that sampling leaves behind, of a corpus and of one with ten times the candles."""
    found = {}
    for times in (1, LARGER):
        with _corpus(options.symbols, options.candles * times) as corpus:
            folder = Path(getattr(corpus.values, "filename")).parent  # noqa: B009  # only mapped arrays have one
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                candles = len(corpus.values)
                found[str(candles)] = gained = pool.submit(_sample, folder, options).result()
        print(f"{candles:,} candles: sampling takes {gained / 1e6:.1f} MB", flush=True)
    return found


def _sample(folder: Path, options: argparse.Namespace) -> int:
    """Return the bytes by which this process grows over many batches from all over a corpus, tables included."""
    torch.set_num_threads(1)
    with _corpus(1, 1000) as small:  # what is loaded at the first use is nobody's corpus
        _draw_many(WindowSampler(small, _config(options).window, seed=0), options.batch, 20)
    before = resident()
    sampler = WindowSampler(_mapped(folder), _config(options).window, seed=0)
    _draw_many(sampler, options.batch, SOME * options.rounds)
    return resident() - before


def _draw_many(sampler: WindowSampler, size: int, steps: int) -> None:
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
def _corpus(symbols: int, candles: int) -> Iterator[Corpus]:
    """Yield random walks of minutes, written to files symbol by symbol and mapped."""
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
        yield _mapped(folder)


def _mapped(folder: Path) -> Corpus:
    arrays = {part: np.load(folder / f"{part}.npy", mmap_mode="r") for part in ("values", "marks", "times")}
    segments = tuple(Segment(**row) for row in json.loads((folder / "segments.json").read_text()))
    return Corpus(**arrays, segments=segments, digest="random walks")


def _walk(candles: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(rng.normal(0, 1e-3, candles).cumsum())
    volume = rng.lognormal(8, 1, candles)
    return np.stack([close, close * 1.001, close * 0.999, close, volume, volume * close], axis=1)


def _verdict(met: bool, target: str) -> str:
    return f"target {target} {'met' if met else 'MISSED'}"


if __name__ == "__main__":
    main()
