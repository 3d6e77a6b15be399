"""An unmodified checkout of the published package, timed in the same run with the same weights."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.cases import Case
from benchmarks.measure import time_once
from benchmarks.plain import predict_plainly
from benchmarks.shapes import Inputs, random_walks
from benchmarks.yardstick import prepare, time_plain
from engine.candles import FEATURES
from engine.config import UNPUBLISHED, ModelConfig, TokenizerConfig
from engine.errors import KronosError
from engine.predictor import KronosPredictor
from engine.sampling import Sampling

PACKAGE = "model"  # the published name
NOTEWORTHY = 0.05  # difference of the times


@dataclass(frozen=True)
class Comparison:
    """The published `predict_batch` beside the plain loop.

    Attributes
    ----------
    steps
        Candles of the horizon drawn by both.
    published, plain
        Median seconds.
    difference
        Largest difference between their forecasts, in units of the history's deviations; with equal seeds they should
        agree.
    """

    steps: int
    published: float
    plain: float
    difference: float

    @property
    def ratio(self) -> float:
        """Return the published seconds divided by the plain loop's; converts ratios to the plain loop."""
        return self.published / self.plain

    def remark(self) -> str:
        """Return a sentence about the plain loop's speed."""
        apart = self.plain / self.published - 1
        if abs(apart) <= NOTEWORTHY:
            return f"the plain loop takes as long as the published one ({apart:+.1%})"
        longer = f"{abs(apart):.1%} {'longer' if apart > 0 else 'shorter'}"
        return (
            f"the plain loop takes {longer} than the published one: ratios to that are {self.ratio:.2f} × those above"
        )


def load_published(path: Path, ours: KronosPredictor) -> Any:
    """Return the checkout's predictor with the weights of `ours`.

    Raises
    ------
    KronosError
        `path` holds no such package, a library that it imports is missing, or it does not know a setting of `ours`.
    """
    if not (path / PACKAGE).is_dir() and not (path / f"{PACKAGE}.py").is_file():
        raise KronosError(
            f"{path} holds no package `{PACKAGE}`: give the folder of a checkout of the published project."
        )
    with _importable(path) as package:
        model = package.Kronos(**_published_config(ours.model.config))
        tokenizer = package.KronosTokenizer(**_published_config(ours.tokenizer.config))
        model.load_state_dict(ours.model.state_dict())
        tokenizer.load_state_dict(ours.tokenizer.state_dict())
        return package.KronosPredictor(
            model.eval(), tokenizer.eval(), device="cpu", max_context=ours.max_context, clip=ours.clip
        )


def _published_config(config: ModelConfig | TokenizerConfig) -> dict[str, Any]:
    """Return the fields of a config that the published classes know."""
    values = asdict(config)
    unknown = [name for name in sorted(UNPUBLISHED & values.keys()) if values.pop(name)]
    if unknown:
        raise KronosError(
            f"The published package does not know {', '.join(unknown)}: compare networks without this setting."
        )
    return values


def compare(
    published: Any, ours: KronosPredictor, case: Case, sampling: Sampling, *, rounds: int, steps: int | None
) -> Comparison:
    """Time both alternately, with a horizon of at most `steps` candles."""
    case = replace(case, horizon=min(case.horizon, steps or case.horizon))
    inputs = random_walks(case.series, case.history, case.horizon)
    prepared = prepare(inputs, ours)
    seconds: list[tuple[float, float]] = []
    for _ in range(rounds + 1):
        published_seconds = time_once(lambda: _predict(published, inputs, case, sampling))
        seconds.append((published_seconds, time_plain(ours, prepared, case, sampling)))
    theirs, plain = map(median, zip(*seconds[1:], strict=True))  # the first warms up
    torch.manual_seed(0)
    mean = predict_plainly(
        ours.model,
        ours.tokenizer,
        prepared.x,
        prepared.stamp,
        samples=case.samples,
        max_context=case.context,
        sampling=sampling,
    )
    expected = prepared.scale.invert(mean.numpy())
    forecasts = _predict(published, inputs, case, sampling)
    apart = np.stack([frame[list(FEATURES)].to_numpy() for frame in forecasts]) - expected
    difference = np.abs(apart * prepared.scale.factor / prepared.scale.std).max()
    return Comparison(case.horizon, theirs, plain, float(difference))


def _predict(published: Any, inputs: Inputs, case: Case, sampling: Sampling) -> list[pd.DataFrame]:
    torch.manual_seed(0)
    forecasts: list[pd.DataFrame] = published.predict_batch(
        *inputs.parts(),
        pred_len=case.horizon,
        T=sampling.temperature,
        top_k=sampling.top_k,
        top_p=sampling.top_p,
        sample_count=case.samples,
        verbose=False,
    )
    return forecasts


@contextmanager
def _importable(path: Path) -> Iterator[ModuleType]:
    """Import the package of `path`, even if another module has its name, and unload it afterwards."""

    def named() -> list[str]:
        return [name for name in sys.modules if name.partition(".")[0] == PACKAGE]

    others = {name: sys.modules.pop(name) for name in named()}
    sys.path.insert(0, str(path))
    try:
        yield _import_package(path)
    finally:
        sys.path.remove(str(path))
        for name in named():
            del sys.modules[name]
        sys.modules.update(others)


def _import_package(path: Path) -> ModuleType:
    try:
        return importlib.import_module(PACKAGE)
    except ModuleNotFoundError as error:
        raise KronosError(
            f"The package in {path} imports {error.name}, which is not installed: run `pip install {error.name}`."
        ) from error
