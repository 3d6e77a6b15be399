"""Command line of the trainer: `python -m training train RECIPE --data FOLDER --out RUN`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

from engine.config import ModelConfig, TokenizerConfig
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from training.config import TrainingConfig
from training.corpus import load_corpus
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
    run.add_argument("--threads", type=int, help="CPU threads")
    arguments = parser.parse_args(argv)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    return _train(arguments)


def _train(arguments: argparse.Namespace) -> int:
    recipe = json.loads(arguments.recipe.read_text(encoding="utf-8"))
    overrides = dict(item.split("=", 1) for item in arguments.set)
    config = TrainingConfig.model_validate(recipe["training"] | overrides)
    torch.manual_seed(config.seed)
    stage = _stage(config, recipe["model"], arguments.tokenizer)
    paths = list(arguments.data.glob("*/*.parquet"))
    samples = WindowSampler(load_corpus(paths, "train"), config)
    held_out = config.model_copy(update={"seed": 2**31, "volume_dropout": 0.0})
    validation = WindowSampler(load_corpus(paths, "val"), held_out)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "training.json").write_text(config.model_dump_json(indent=2), encoding="utf-8")
    progress = train(stage, config, samples, validation, arguments.out, on_step=_show_progress)
    print(f"\nBest validation loss {progress['best']:.4f} after {progress['seconds'] / 60:.0f} min.")
    return 0


def _stage(config: TrainingConfig, model: dict[str, Any], tokenizer: Path | None) -> Stage:
    if config.stage == "tokenizer":
        return TokenizerStage(KronosTokenizer.from_config(TokenizerConfig(**model)))
    if tokenizer is None:
        raise SystemExit("The predictor stage needs --tokenizer FOLDER, a trained tokenizer.")
    return PredictorStage(Kronos.from_config(ModelConfig(**model)), KronosTokenizer.from_pretrained(tokenizer))


def _show_progress(done: int, total: int) -> None:
    sys.stderr.write(f"\rstep {done} of {total}")


if __name__ == "__main__":
    sys.exit(main())
