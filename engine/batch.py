"""Series forecast together: one checked task a series, grouping by memory and length, and the batch that draws them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from engine.candles import FEATURES, Normaliser, time_marks
from engine.generate import TOKENS_AT_ONCE, Generation, decode_paths, split_runs
from engine.inputs import Series
from engine.sampling import Settings

if TYPE_CHECKING:
    from engine.base import BasePredictor
    from engine.forecast import Forecast

MAX_PADDING = 1.25  # the longest history of a batch divided by the shortest
FLOAT_BYTES = 4


@dataclass(frozen=True)
class Task:
    """One checked series to forecast with its settings; built by `KronosPredictor.task`."""

    series: Series
    settings: Settings

    @property
    def horizon(self) -> int:
        """Return the number of candles to forecast."""
        return len(self.series.future)

    @property
    def rows(self) -> int:
        """Return the number of history candles."""
        return len(self.series.values)


class Batch:
    """Tasks drawn together, one candle at each `advance`; not thread-safe.

    Each task draws from its own generator, seeded by its own seed, so its paths do not depend on the other tasks.

    Parameters
    ----------
    tasks
        Tasks that `group_tasks` put together: with equal sampling and number of samples.
    shared_generator
        Draw all tasks from PyTorch's global generator instead, as the published `predict_batch` does.
    """

    def __init__(self, predictor: BasePredictor, tasks: Sequence[Task], *, shared_generator: bool = False) -> None:
        self.tasks = tuple(tasks)
        self._predictor = predictor
        self._shared_generator = shared_generator
        self._drawing = sorted(range(len(tasks)), key=lambda i: tasks[i].rows)  # the tasks in `_generation`
        self._unfinished = frozenset(self._drawing)
        self._steps = [0] * len(tasks)
        self._paths: dict[int, np.ndarray] = {}
        self._scales: dict[int, Normaliser] = {}
        self._generation: Generation | None = None

    @property
    def active(self) -> tuple[int, ...]:
        """Return the indices of tasks that are neither finished nor dropped."""
        return tuple(sorted(self._unfinished))

    def steps(self, index: int) -> int:
        """Return how many candles of a task are drawn."""
        return self._steps[index]

    def finished(self, index: int) -> bool:
        """Return whether a task's paths are complete."""
        return index in self._paths

    def drop(self, index: int) -> None:
        """Cancel a task; its memory is freed before the next step."""
        self._unfinished -= {index}

    def paths(self, index: int) -> np.ndarray:
        """Return the decoded, unrepaired candles (samples, N, 6) of a finished task."""
        return self._paths[index]

    def result(self, index: int) -> Forecast:
        """Return the forecast of a finished task."""
        return self._predictor.forecast_of(self.tasks[index], self._paths[index])

    @torch.inference_mode()
    def advance(self) -> None:
        """Draw one candle of every path of every active task, and decode the tasks that are complete."""
        self._free_inactive()
        if not self._drawing:
            return
        if self._generation is None:
            self._generation = self._begin()
        self._generation.advance()
        for index in self._drawing:
            self._steps[index] += 1
        complete = [index for index in self._drawing if self._steps[index] == self.tasks[index].horizon]
        if complete == self._drawing:
            self._generation.cache = None  # not needed any more, and decoding needs memory too
        for index in complete:
            self._paths[index] = self._decode(self._generation, self._drawing.index(index), index)
        self._unfinished -= set(self._paths)
        if not self._unfinished:
            self._generation = None

    def _free_inactive(self) -> None:
        """Free the memory of finished and dropped tasks."""
        places = [place for place, index in enumerate(self._drawing) if index in self._unfinished]
        if len(places) == len(self._drawing):
            return
        self._drawing = [self._drawing[place] for place in places]
        if self._generation is not None and places:
            self._generation.select(places)
        else:
            self._generation = None

    def _begin(self) -> Generation:
        network, tokenizer = self._predictor.packed()
        tasks = [self.tasks[index] for index in self._drawing]
        tokens: list[tuple[Tensor, Tensor]] = []
        for rows in split_runs([task.rows for task in tasks]):
            values = np.stack([task.series.values for task in tasks[rows]])
            scale = Normaliser.fit(values, shared_deviation=tokenizer.tokenizer.config.shared_deviation)
            tokens += zip(*tokenizer.encode(self._tensor(scale.apply(values, self._predictor.clip))), strict=True)
            for place, index in enumerate(self._drawing[rows]):
                self._scales[index] = Normaliser(scale.factor[place], scale.mean[place], scale.std[place])
        settings = tasks[0].settings
        seeds = [None] if self._shared_generator else [task.settings.seed for task in tasks]
        return Generation(
            network,
            tokens,
            [self._tensor(time_marks(_all_times(task))) for task in tasks],
            samples=settings.samples,
            max_context=self._predictor.max_context,
            sampling=settings.sampling,
            generators=[None if seed is None else self._generator(seed) for seed in seeds],
            stride=settings.stride if settings.window == "strided" else 1,
        )

    def _decode(self, generation: Generation, place: int, index: int) -> np.ndarray:
        _, tokenizer = self._predictor.packed()
        decoded = decode_paths(tokenizer, *generation.tokens(place), max_context=self._predictor.max_context)
        return self._scales[index].invert(decoded.float().cpu().numpy())

    def _generator(self, seed: int) -> torch.Generator:
        return torch.Generator(self._predictor.device).manual_seed(seed)

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self._predictor.device)


def _all_times(task: Task) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(task.series.times.append(task.series.future))


def estimate_memory(task: Task, *, layers: int, width: int, max_context: int) -> int:
    """Return an upper bound of the bytes that generating `task` needs beyond the weights.

    Parameters
    ----------
    layers, width
        Number of attention layers, including the cross-attention, and width of the model.
    """
    samples = task.settings.samples
    candle = layers * 2 * width * FLOAT_BYTES  # keys and values of one candle
    history = min(task.rows, max_context)
    drawn = samples * task.horizon
    # A step has activations of about twenty times the model's width, a drawn candle has four arrays of float64.
    activations = max(TOKENS_AT_ONCE, history, samples) * 20 * width * FLOAT_BYTES
    return (history + drawn) * candle + activations + drawn * len(FEATURES) * 8 * 4


def group_tasks(tasks: Sequence[Task], sizes: Sequence[int], *, max_context: int, budget: int) -> list[list[int]]:
    """Return the indices of tasks that may run as one batch: equal settings, similar length, within `budget` bytes.

    A history whose window will slide shares a batch only with those of its own length and horizon.

    Parameters
    ----------
    sizes
        Bytes that each task needs.
    """
    alike: dict[object, list[int]] = {}
    for index, task in enumerate(tasks):
        settings = task.settings
        slides = min(task.rows, max_context) + task.horizon - 1 > max_context
        lengths = (task.rows, task.horizon, settings.window, settings.stride) if slides else ()
        alike.setdefault((settings.sampling, settings.samples, lengths), []).append(index)
    return [batch for indices in alike.values() for batch in _split(indices, tasks, sizes, max_context, budget)]


def _split(
    indices: list[int], tasks: Sequence[Task], sizes: Sequence[int], max_context: int, budget: int
) -> Iterator[list[int]]:
    """Yield batches of `indices`, from short to long histories."""
    batch: list[int] = []
    used = shortest = horizon = 0
    for index in sorted(indices, key=lambda i: tasks[i].rows):
        longest, used, horizon = tasks[index].rows, used + sizes[index], max(horizon, tasks[index].horizon)
        # No window slides by itself, but the longest history may slide beside the longest horizon.
        slides = longest > shortest and longest + horizon - 1 > max_context
        if batch and (used > budget or longest > MAX_PADDING * shortest or slides):
            yield batch
            batch, used, horizon = [], sizes[index], tasks[index].horizon
        if not batch:
            shortest = longest
        batch.append(index)
    yield batch
