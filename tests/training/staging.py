"""Stages of tiny networks, and what their logs say."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.config import ModelConfig, TokenizerConfig
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from tests.training.conftest import PREDICTOR, TOKENIZER
from training.fit.corpus import ARRAYS, Corpus, Segment
from training.fit.distributed import World
from training.fit.loop import Callbacks, StageResult, StageTraining
from training.fit.stages import PredictorStage, Stage, TokenizerStage
from training.fit.tokens import TokenCache
from training.fit.windows import WindowSampler
from training.run.config import RunConfig, StageName
from training.saved import load_rows

CALM = {"ffn_dropout_p": 0.0, "attn_dropout_p": 0.0, "resid_dropout_p": 0.0, "token_dropout_p": 0.0}


def samplers(corpus: Corpus, config: RunConfig) -> tuple[WindowSampler, WindowSampler]:
    """Return the windows to learn from and those to validate with."""
    train = WindowSampler(corpus.of("train"), config.window, config.seed)
    return train, WindowSampler(corpus.of("validation"), config.window, config.seed)


def make_stage(name: StageName, corpus: Corpus, config: RunConfig, **shape: Any) -> Stage:
    """Return a stage of fresh weights, always the same; `shape` changes that of the network trained."""
    torch.manual_seed(3)
    tokenizer = KronosTokenizer.from_config(TokenizerConfig(**TOKENIZER | (shape if name == "tokenizer" else {})))
    if name == "tokenizer":
        return TokenizerStage(tokenizer, config.reconstruction)
    torch.manual_seed(4)
    caches = (TokenCache(tokenizer, sampler, None, "cpu") for sampler in samplers(corpus, config))
    return PredictorStage(Kronos.from_config(ModelConfig(**PREDICTOR | shape)), *caches)


def with_stage(config: RunConfig, name: StageName, **changes: Any) -> RunConfig:
    """Return the config with other settings of a stage."""
    values = config.model_dump()
    values[name] |= changes
    return RunConfig.model_validate(values)


def train(
    stage: Stage, corpus: Corpus, config: RunConfig, folder: Path, world: World | None = None, **calls: Any
) -> StageResult:
    """Train a stage as a run would."""
    windows = samplers(corpus, config)
    return StageTraining(stage, config, *windows, folder, world or World.alone("cpu"), Callbacks(**calls)).run()


def figures(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of a log without what depends on the clock."""
    clock = {"seconds", "windows_per_second"}
    return [{key: value for key, value in row.items() if key not in clock} for row in load_rows(folder / "log.jsonl")]


def losses(folder: Path) -> dict[int, float]:
    """Return the training losses by step."""
    return {row["step"]: row["loss"] for row in load_rows(folder / "log.jsonl") if "loss" in row}


def keep(corpus: Corpus, path: Path) -> None:
    """Write a corpus to a file, for another process."""
    segments = json.dumps([asdict(segment) for segment in corpus.segments])
    np.savez(path, segments=segments, **{name: getattr(corpus, name) for name in ARRAYS})


def kept(path: Path) -> Corpus:
    """Return the corpus that `keep` wrote."""
    with np.load(path) as file:
        segments = tuple(Segment(**row) for row in json.loads(str(file["segments"])))
        return Corpus(file["values"], file["marks"], file["times"], segments)
