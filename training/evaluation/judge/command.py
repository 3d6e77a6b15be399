"""What `python -m training judge` does."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from engine.predictor import KronosPredictor
from training.errors import ConfigError, RunError, message
from training.evaluation.command import warnings_of, write_scores
from training.evaluation.cutoffs import Cutoff, Series
from training.evaluation.forecasters import Forecaster
from training.evaluation.judge.doubles import Shuffled, untrained
from training.evaluation.judge.judgement import Judgement, OnStep, judge
from training.evaluation.judge.pictures import draw_judged
from training.evaluation.judge.places import TITLES, cutoffs_of, read_blocks, too_short
from training.evaluation.judge.tell import markdown, text
from training.evaluation.kronos import KronosForecaster, is_driftless
from training.run.folder import unwritable, write_json, write_text

Blocks = Mapping[str, Sequence[Series]]


def run(arguments: argparse.Namespace, on_step: OnStep | None = None) -> None:
    """Judge a model and print the table.

    Raises
    ------
    ConfigError
        The last stretch is no share.
    DataError
        There is nothing to judge on.
    RunError
        A folder cannot be written to.
    """
    if not 0 <= arguments.tail < 1:
        raise ConfigError(message("--tail is {value}: it must be at least 0 and below 1.", value=arguments.tail))
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
    blocks = read_blocks(
        arguments.data,
        lookback=arguments.lookback,
        gap=arguments.horizon,
        tail=arguments.tail,
        groups=arguments.groups,
    )
    places = cutoffs_of(
        blocks,
        lookback=arguments.lookback,
        horizon=arguments.horizon,
        per_group=arguments.cutoffs,
        seed=arguments.seed,
    )
    with _folder(arguments.out) as folder:
        judgement = judge(
            forecaster,
            places,
            folder,
            seed=arguments.seed,
            settings=_settings(arguments, driftless=driftless),
            notes=_notes(predictor, blocks, places, arguments),
            on_step=on_step,
        )
        if arguments.out:
            _write(judgement, arguments.out)
        print(text(judgement))
    if arguments.pictures:
        judged = [place for block in places.values() for place in block]
        series = [one for block in blocks.values() for one in block]
        for file in draw_judged(forecaster, series, judgement, judged, arguments.pictures):
            print(file)


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """Yield the folder that scores are kept in, to go on with: without a place of its own, one that goes at the end."""
    if out is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(unwritable(out, error)) from error
    yield out / "parts"


def _settings(arguments: argparse.Namespace, *, driftless: bool) -> dict[str, str | int | float]:
    names = ("samples", "temperature", "top_p", "weights", "time", "tail")
    return {name: getattr(arguments, name) for name in names} | {"drift": "removed" if driftless else "kept"}


def _notes(
    predictor: KronosPredictor,
    blocks: Blocks,
    places: Mapping[str, Sequence[Cutoff]],
    arguments: argparse.Namespace,
) -> list[str]:
    """Return what the table does not say: what was left out, what the model could not see or may have seen."""
    size = arguments.lookback + arguments.horizon
    told = [
        f"{TITLES[block]}, {group}: {short} of {symbols} symbols have nowhere {size} candles in a row and are left out."
        for block, series in blocks.items()
        for group, (short, symbols) in too_short(series, size).items()
    ]
    if predictor.max_context < size:
        seen = predictor.max_context - arguments.horizon
        told.append(
            f"{predictor.name} has a context of {predictor.max_context}: of each history it saw {seen} candles."
        )
    judged = [place for block in places.values() for place in block]
    told += [str(one) for one in warnings_of([arguments.model], judged)] if arguments.weights == "trained" else []
    return told


def _write(judgement: Judgement, out: Path) -> None:
    write_json(out / "judgement.json", judgement.to_dict())
    write_text(out / "judgement.md", markdown(judgement))
    write_scores(judgement.report, out / "scores.csv")
