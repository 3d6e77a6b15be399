"""An unmodified checkout of the published package, timed in the same run with the same weights."""

from __future__ import annotations

import importlib
import sys
import time
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
from benchmarks.plain import predict_plainly
from benchmarks.shapes import Inputs, random_walks
from benchmarks.yardstick import plain_seconds, prepare
from engine.candles import FEATURES
from engine.config import UNPUBLISHED, ModelConfig, TokenizerConfig
from engine.errors import KronosError
from engine.predictor import KronosPredictor
from engine.sampling import Sampling

PACKAGE = "model"  # the published name
NOTEWORTHY = 0.05


@dataclass(frozen=True)
class Comparison:
    """The published `predict_batch` beside the plain loop.

    Attributes
    ----------
    steps
        Candles of the horizon that both drew.
    published, plain
        Median seconds.
    difference
        Largest difference between their forecasts, in units of the history's deviations: the same seed must give the
        same candles.
    """

    steps: int
    published: float
    plain: float
    difference: float

    @property
    def ratio(self) -> float:
        """Return the published seconds in units of the plain loop's: what a ratio to that is to be multiplied by."""
        return self.published / self.plain

    def remark(self) -> str:
        """Return what has to be said of the plain loop's speed."""
        apart = self.plain / self.published - 1
        if abs(apart) <= NOTEWORTHY:
            return f"the plain loop takes as long as the published one ({apart:+.1%})"
        longer = f"{abs(apart):.1%} {'longer' if apart > 0 else 'shorter'}"
        return (
            f"the plain loop takes {longer} than the published one: ratios to that are {self.ratio:.2f} × those shown"
        )


def load(path: Path, ours: KronosPredictor) -> Any:
    """Return the checkout's predictor with the weights of `ours`.

    Raises
    ------
    KronosError
        `path` holds no such package, a library that the package imports is missing, or `ours` has a setting that the
        package does not know.
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
    """Return the fields of a config that the published classes take."""
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
    """Time both by turns, with a horizon of only `steps` candles where that is given."""
    case = replace(case, horizon=min(case.horizon, steps or case.horizon))
    inputs = random_walks(case.series, case.history, case.horizon)
    prepared = prepare(inputs, ours)
    seconds: list[tuple[float, float]] = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        forecasts = _predict(published, inputs, case, sampling)
        seconds.append((time.perf_counter() - started, plain_seconds(ours, prepared, case, sampling)))
    theirs, plain = (median(one) for one in zip(*seconds[1:], strict=True))  # the first warms up
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
    apart = np.stack([one[list(FEATURES)].to_numpy() for one in forecasts]) - expected
    return Comparison(
        case.horizon, theirs, plain, float(np.abs(apart * prepared.scale.factor / prepared.scale.std).max())
    )


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
    """Import the package of `path`, whatever else is called so; it stays loaded only as long as it is held."""

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
