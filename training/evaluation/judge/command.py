"""The command `python -m training judge`."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from engine.predictor import KronosPredictor
from training.errors import ConfigError
from training.evaluation.command import warnings_of, write_scores
from training.evaluation.cutoffs import Cutoff, Series
from training.evaluation.forecasters import Forecaster
from training.evaluation.judge.blocks import TITLES, cutoffs_of, read_blocks, too_short
from training.evaluation.judge.controls import Shuffled, untrained
from training.evaluation.judge.judgement import judge
from training.evaluation.judge.pictures import draw_judged
from training.evaluation.judge.text import markdown, text
from training.evaluation.kronos import KronosForecaster, is_driftless
from training.evaluation.walk_forward import OnStep
from training.run.folder import write_json, write_text

Blocks = Mapping[str, Sequence[Series]]


def run(arguments: argparse.Namespace, on_step: OnStep | None = None) -> None:
    """Judge a model and print the table; raises ConfigError, DataError or RunError where that is impossible."""
    if not 0 <= arguments.tail < 1:
        raise ConfigError("--tail is {value}: it must be at least 0 and below 1.", value=arguments.tail)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    predictor = KronosPredictor.from_pretrained(arguments.model, tokenizer=arguments.tokenizer)
    if arguments.weights == "random":
        predictor = untrained(predictor)
    driftless = is_driftless(arguments.drift, arguments.model)
    forecaster: Forecaster = KronosForecaster(
        predictor.name, predictor, arguments.samples, arguments.temperature, arguments.top_p, driftless
    )
    if arguments.time == "shuffled":
        forecaster = Shuffled(forecaster)
    lookback, horizon, seed, out = arguments.lookback, arguments.horizon, arguments.seed, arguments.out
    blocks = read_blocks(arguments.data, lookback=lookback, gap=horizon, tail=arguments.tail, groups=arguments.groups)
    cutoffs = cutoffs_of(blocks, lookback=lookback, horizon=horizon, per_group=arguments.cutoffs, seed=seed)
    names = ("samples", "temperature", "top_p", "weights", "time", "tail")
    settings = {name: getattr(arguments, name) for name in names} | {"drift": "removed" if driftless else "kept"}
    notes = _notes(predictor, blocks, cutoffs, arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = out / "parts" if out else Path(temporary)
        judgement = judge(forecaster, cutoffs, folder, seed=seed, settings=settings, notes=notes, on_step=on_step)
        if out:
            write_json(out / "judgement.json", judgement.to_dict())
            write_text(out / "judgement.md", markdown(judgement))
            write_scores(judgement.report, out / "scores.csv")
        print(text(judgement))
    if arguments.pictures:
        judged = [cutoff for block in cutoffs.values() for cutoff in block]
        series = [candles for block in blocks.values() for candles in block]
        for file in draw_judged(forecaster, series, judgement, judged, arguments.pictures):
            print(file)


def _notes(
    predictor: KronosPredictor, blocks: Blocks, cutoffs: Mapping[str, Sequence[Cutoff]], arguments: argparse.Namespace
) -> list[str]:
    """Return what the table does not show: skipped symbols, a short context, data leakage."""
    size = arguments.lookback + arguments.horizon
    notes = [
        f"{TITLES[block]}, {group}: {short} of {symbols} symbols are left out, without {size} candles in a row."
        for block, series in blocks.items()
        for group, (short, symbols) in too_short(series, size).items()
    ]
    if predictor.max_context < size:
        used = predictor.max_context - arguments.horizon
        notes.append(
            f"{predictor.name} has a context of {predictor.max_context}: it used {used} candles of each history."
        )
    if arguments.weights == "trained":
        judged = [cutoff for block in cutoffs.values() for cutoff in block]
        notes += [str(warning) for warning in warnings_of([arguments.model], judged)]
    return notes
