"""Series forecast together: what is asked, how much memory it takes, which fit into one batch, and the batch itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from engine.candles import FEATURES, Normaliser, time_marks
from engine.generate import TOKENS_AT_ONCE, Generation, decode_paths, runs
from engine.inputs import Series
from engine.runner import PackedKronos, PackedTokenizer
from engine.sampling import Sampling

if TYPE_CHECKING:
    from engine.forecast import Forecast

MOST_PADDING = 1.25  # a batch's longest history by its shortest
FLOAT_BYTES = 4


@dataclass(frozen=True)
class Task:
    """One checked series to forecast, and how; built by `KronosPredictor.task`."""

    series: Series
    samples: int
    how: Sampling
    seed: int
    window: str
    stride: int

    @property
    def horizon(self) -> int:
        """Return the number of candles to forecast."""
        return len(self.series.future)


class Predictor(Protocol):
    """What a batch needs of the `KronosPredictor` that it is drawn by."""

    device: torch.device
    max_context: int
    clip: float

    def packed(self) -> tuple[PackedKronos, PackedTokenizer]:
        """Return both networks as generation runs them."""

    def forecast_of(self, task: Task, raw: np.ndarray) -> Forecast:
        """Return the forecast that the decoded candles `raw` (samples, N, 6) of `task` make."""


class Batch:
    """Tasks drawn together, one candle at each `advance`; only one thread may use it.

    Each task draws from a generator of its own seed, so that its paths do not depend on its company.

    Parameters
    ----------
    tasks
        Of one sampling and one number of samples, as `group` puts them together.
    shared_generator
        Draw all tasks from PyTorch's global generator instead, as the published `predict_batch` does.
    """

    def __init__(self, predictor: Predictor, tasks: Sequence[Task], *, shared_generator: bool = False) -> None:
        self.tasks = tuple(tasks)
        self._predictor = predictor
        self._shared_generator = shared_generator
        self._active = sorted(range(len(tasks)), key=lambda i: len(tasks[i].series.values))
        self._left = frozenset(self._active)
        self._steps = [0] * len(tasks)
        self._paths: dict[int, np.ndarray] = {}
        self._scales: dict[int, Normaliser] = {}
        self._generation: Generation | None = None

    @property
    def active(self) -> tuple[int, ...]:
        """Return the tasks that are neither finished nor dropped."""
        return tuple(sorted(self._left))

    def steps(self, index: int) -> int:
        """Return how many candles of a task are drawn."""
        return self._steps[index]

    def finished(self, index: int) -> bool:
        """Return whether a task's paths are there."""
        return index in self._paths

    def drop(self, index: int) -> None:
        """Give a task up; its memory is free before the next step."""
        self._left -= {index}

    def paths(self, index: int) -> np.ndarray:
        """Return the decoded candles (samples, N, 6) of a finished task, as they came out."""
        return self._paths[index]

    def result(self, index: int) -> Forecast:
        """Return the forecast of a finished task."""
        return self._predictor.forecast_of(self.tasks[index], self._paths[index])

    @torch.inference_mode()
    def advance(self) -> None:
        """Draw one candle of every path of every active task; a task that has its last is decoded."""
        self._forget()
        if not self._active:
            return
        if self._generation is None:
            self._generation = self._begin()
        self._generation.advance()
        for index in self._active:
            self._steps[index] += 1
        ended = [index for index in self._active if self._steps[index] == self.tasks[index].horizon]
        if ended == self._active:
            self._generation.cache = None  # nothing is left to draw, and decoding wants memory, too
        for index in ended:
            self._paths[index] = self._decode(self._active.index(index), index)
        self._left -= set(self._paths)
        if not self._left:
            self._generation = None

    def _forget(self) -> None:
        """Free what finished and dropped tasks held."""
        kept = [place for place, index in enumerate(self._active) if index in self._left]
        if len(kept) == len(self._active):
            return
        self._active = [self._active[place] for place in kept]
        if self._generation is not None:
            if kept:
                self._generation.keep(kept)
            else:
                self._generation = None

    def _begin(self) -> Generation:
        network, tokenizer = self._predictor.packed()
        tasks = [self.tasks[index] for index in self._active]
        tokens: list[tuple[Tensor, Tensor]] = []
        for rows in runs([len(task.series.values) for task in tasks]):
            values = np.stack([task.series.values for task in tasks[rows]])
            scale = Normaliser.fit(values, shared_deviation=tokenizer.tokenizer.config.shared_deviation)
            tokens += zip(*tokenizer.encode(self._tensor(scale.apply(values, self._predictor.clip))), strict=True)
            for place, index in enumerate(self._active[rows]):
                self._scales[index] = Normaliser(scale.factor[place], scale.mean[place], scale.std[place])
        first = tasks[0]
        seeds = [None] if self._shared_generator else [task.seed for task in tasks]
        return Generation(
            network,
            tokens,
            [self._tensor(time_marks(_times(task))) for task in tasks],
            samples=first.samples,
            max_context=self._predictor.max_context,
            how=first.how,
            generators=[None if seed is None else self._generator(seed) for seed in seeds],
            stride=first.stride if first.window == "strided" else 1,
        )

    def _decode(self, place: int, index: int) -> np.ndarray:
        assert self._generation is not None
        _, tokenizer = self._predictor.packed()
        tokens = self._generation.tokens(place)
        decoded = decode_paths(tokenizer, *tokens, max_context=self._predictor.max_context)
        return self._scales[index].invert(decoded.float().cpu().numpy())

    def _generator(self, seed: int) -> torch.Generator:
        return torch.Generator(self._predictor.device).manual_seed(seed)

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self._predictor.device)


def _times(task: Task) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(task.series.times.append(task.series.future))


def memory(task: Task, *, layers: int, width: int, max_context: int) -> int:
    """Return the bytes that generating `task` needs beyond the weights, from above.

    Parameters
    ----------
    layers, width
        Attention layers, the cross-attention's included, and width of the model.
    """
    position = layers * 2 * width * FLOAT_BYTES  # keys and values of one candle
    history = min(len(task.series.values), max_context)
    paths = task.samples * task.horizon
    # A step turns to activations about twenty times the model's width, a drawn candle to four arrays of float64.
    activations = max(TOKENS_AT_ONCE, history, task.samples) * 20 * width * FLOAT_BYTES
    return (history + paths) * position + activations + paths * len(FEATURES) * 8 * 4


def group(tasks: Sequence[Task], bytes_of: Sequence[int], *, max_context: int, budget: int) -> list[list[int]]:
    """Return indices of tasks that may run as one batch: alike, of nearly one length, within `budget` bytes together.

    A history whose window will slide shares a batch only with those of its own length and horizon.
    """

    def kind(index: int) -> tuple[object, ...]:
        task = tasks[index]
        length = min(len(task.series.values), max_context)
        slides = length + task.horizon - 1 > max_context
        like = (len(task.series.values), task.horizon, task.window, task.stride) if slides else ()
        return task.how, task.samples, like

    return [batch for alike in _by(kind, len(tasks)) for batch in _split(alike, tasks, bytes_of, max_context, budget)]


def _by(kind: Callable[[int], object], count: int) -> Iterator[list[int]]:
    alike: dict[object, list[int]] = {}
    for index in range(count):
        alike.setdefault(kind(index), []).append(index)
    yield from alike.values()


def _split(
    alike: list[int], tasks: Sequence[Task], bytes_of: Sequence[int], max_context: int, budget: int
) -> Iterator[list[int]]:
    batch: list[int] = []
    held = shortest = horizon = 0
    for index in sorted(alike, key=lambda i: len(tasks[i].series.values)):
        rows, held, horizon = (
            len(tasks[index].series.values),
            held + bytes_of[index],
            max(horizon, tasks[index].horizon),
        )
        # Each window may stand still alone, and yet the longest history not beside the longest horizon.
        slides = rows > shortest and rows + horizon - 1 > max_context
        if batch and (held > budget or rows > MOST_PADDING * shortest or slides):
            yield batch
            batch, held, horizon = [], bytes_of[index], tasks[index].horizon
        if not batch:
            shortest = rows
        batch.append(index)
    yield batch
