"""Command line of the trainer: `python -m training --help`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

from engine.config import ModelConfig, TokenizerConfig
from engine.errors import KronosError
from engine.predictor import KronosPredictor
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from training.config import Recipe, TrainingConfig
from training.corpus import load_corpus
from training.curves import draw_curves
from training.evaluate import cutoffs, evaluate, summarise
from training.loop import train
from training.stages import PredictorStage, Stage, TokenizerStage
from training.windows import WindowSampler


def main(argv: list[str] | None = None) -> int:
    """Run one command and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("train", help="train one stage, or go on where it stopped")
    run.add_argument(
        "recipe", type=Path, help="JSON with `training` (see training/config.py) and `model` (config.json)"
    )
    run.add_argument(
        "--data", type=Path, required=True, help="folder of <market>/<interval>.parquet with a column split"
    )
    run.add_argument("--out", type=Path, required=True, help="folder of the run: log, checkpoints")
    run.add_argument("--tokenizer", type=Path, help="trained tokenizer, for the predictor stage")
    run.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE", help="override fields of `training`")
    judge = commands.add_parser("evaluate", help="forecast at many cutoffs and compare with the baselines")
    judge.add_argument("model", help="registry name, Hub id or folder")
    judge.add_argument("--tokenizer", help="Hub id or folder, where the registry does not know the model's own")
    judge.add_argument(
        "--data", type=Path, required=True, help="folder of <market>/<interval>.parquet with a column split"
    )
    judge.add_argument("--split", default="val", help="which rows to judge on")
    judge.add_argument("--lookback", type=int, default=400, help="candles of history")
    judge.add_argument("--horizon", type=int, default=24, help="candles to forecast")
    judge.add_argument("--cutoffs", type=int, default=60, help="most cutoffs a file")
    judge.add_argument("--samples", type=int, default=100, help="paths a forecast")
    judge.add_argument("--temperature", type=float, default=1.0, help="sampling temperature")
    judge.add_argument("--top-p", type=float, default=1.0, help="sampling top-p")
    judge.add_argument("--out", type=Path, help="CSV for the scores of every cutoff")
    export = commands.add_parser("export", help="write a trained network in half precision, to be shipped")
    export.add_argument("checkpoint", type=Path, help="folder with config.json and model.safetensors, as in RUN/best")
    export.add_argument("--out", type=Path, required=True, help="folder of the copy")
    curves = commands.add_parser("curves", help="draw the losses of runs")
    curves.add_argument("runs", type=Path, nargs="+", help="folders of runs")
    curves.add_argument("--out", type=Path, required=True, help="SVG or PNG file")
    for command in (run, judge):
        command.add_argument("--threads", type=int, help="CPU threads")
    arguments = parser.parse_args(argv)
    if getattr(arguments, "threads", None):
        torch.set_num_threads(arguments.threads)
    action = {"train": _train, "evaluate": _evaluate, "export": _export, "curves": _curves}[arguments.command]
    try:
        action(arguments)
    except (KronosError, ValueError, OSError, FloatingPointError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    return 0


def _train(arguments: argparse.Namespace) -> None:
    recipe = Recipe.model_validate_json(arguments.recipe.read_text(encoding="utf-8"))
    overrides = dict(item.partition("=")[::2] for item in arguments.set)
    config = TrainingConfig.model_validate(recipe.training | overrides)
    torch.manual_seed(config.seed)
    stage = _stage(config, recipe.model, arguments.tokenizer)
    paths = list(arguments.data.glob("*/*.parquet"))
    samples = WindowSampler(load_corpus(paths, "train"), config)
    held_out = config.model_copy(update={"seed": 2**31, "volume_dropout": 0.0})
    validation = WindowSampler(load_corpus(paths, "val"), held_out)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "training.json").write_text(config.model_dump_json(indent=2), encoding="utf-8")
    progress = train(stage, config, samples, validation, arguments.out, on_step=_show_progress)
    print(f"\nBest validation loss {progress['best']:.4f} after {progress['seconds'] / 60:.0f} min.")


def _evaluate(arguments: argparse.Namespace) -> None:
    predictor = KronosPredictor.from_pretrained(arguments.model, tokenizer=arguments.tokenizer)
    paths = list(arguments.data.glob("*/*.parquet"))
    places = cutoffs(
        paths,
        arguments.split,
        lookback=arguments.lookback,
        horizon=arguments.horizon,
        per_group=arguments.cutoffs,
    )
    scores = evaluate(
        predictor,
        list(places),
        samples=arguments.samples,
        temperature=arguments.temperature,
        top_p=arguments.top_p,
        on_step=_show_progress,
    )
    if arguments.out:
        scores.to_csv(arguments.out, index=False)
    print("\n" + summarise(scores).round(3).to_string())


def _export(arguments: argparse.Namespace) -> None:
    config = json.loads((arguments.checkpoint / "config.json").read_text(encoding="utf-8"))
    network = (Kronos if "n_layers" in config else KronosTokenizer).from_pretrained(arguments.checkpoint)
    for parameter in network.parameters():  # fixed tables stay exact
        parameter.data = parameter.data.half()
    network.save_pretrained(arguments.out)


def _curves(arguments: argparse.Namespace) -> None:
    draw_curves(arguments.runs, arguments.out)


def _stage(config: TrainingConfig, model: dict[str, Any], tokenizer: Path | None) -> Stage:
    if config.stage == "tokenizer":
        return TokenizerStage(KronosTokenizer.from_config(TokenizerConfig(**model)))
    if tokenizer is None:
        raise ValueError("The predictor stage needs --tokenizer FOLDER, a trained tokenizer.")
    return PredictorStage(Kronos.from_config(ModelConfig(**model)), KronosTokenizer.from_pretrained(tokenizer))


def _show_progress(done: int, total: int) -> None:
    sys.stderr.write(f"\rstep {done} of {total}")


if __name__ == "__main__":
    sys.exit(main())
