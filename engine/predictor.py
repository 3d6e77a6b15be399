"""From candles to forecasts: the published predictor's interface, and one that keeps every path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from threading import Lock

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm.auto import tqdm

from engine.arguments import (
    check_callback,
    check_count,
    check_flag,
    check_number,
    check_seed,
    check_text,
    check_window,
)
from engine.batch import Batch, Task, group, memory
from engine.candles import CLIP, CLOSE, FEATURES, LOW, PRICE_FLOOR, repair_paths
from engine.checkpoint import digest
from engine.device import resolve_device
from engine.errors import CheckpointError, InputError
from engine.forecast import Forecast
from engine.generate import OnStep
from engine.inputs import Times, check_lists, check_series
from engine.packed import PRECISIONS, Precision
from engine.registry import REGISTRY, find_spec
from engine.runner import PackedKronos, PackedTokenizer
from engine.sampling import Sampling
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos

DEFAULT_MODEL = "kronos-nano"
DEFAULT_CONTEXT = 512
DEFAULT_STRIDE = 64
MAX_SAMPLES = 10_000
MEMORY_BUDGET = 2 * 2**30  # of one batch
MOST_MEMORY = 8 * 2**30  # of one task
FEWEST_CONTEXT = 2  # one candle of history and one of forecast
FEWEST_CANDLES = 2  # one alone has no deviation to scale by


class KronosPredictor:
    """A tokenizer and a predictor, ready to forecast. Threads may share one: no state of a call is kept on it.

    Parameters
    ----------
    model, tokenizer
        Networks whose `s1_bits` and `s2_bits` agree.
    device
        Where to compute, such as `cpu`, `cuda`, `cuda:1` or `mps`; None picks CUDA, then MPS, then the CPU.
    max_context
        Most candles the model sees, history and forecast together.
    clip
        Bound of the normalised input.
    name
        Shown with forecasts.
    weights
        How the predictor's weights are kept for generation: `float32`; `float16`, half the memory and nearly the same
        logits; `int8`, a quarter and visibly other ones. In the latter two the network itself is given up: `model`
        keeps its shapes alone. `python -m benchmarks.quality` measures what each costs.
    compiled
        Whether `torch.compile` fuses the steps between attentions: seconds of compiling for each number of rows, and no
        gain on a processor for which PyTorch has oneDNN. Without a compiler it is as if it were off.

    Attributes
    ----------
    memory_budget
        Bytes that the series of one batch may take together.
    """

    def __init__(
        self,
        model: Kronos,
        tokenizer: KronosTokenizer,
        device: str | torch.device | int | None = None,
        max_context: int = DEFAULT_CONTEXT,
        clip: float = CLIP,
        *,
        name: str = "custom",
        weights: Precision = "float32",
        compiled: bool = False,
    ) -> None:
        _check_networks(model, tokenizer)
        for bits in ("s1_bits", "s2_bits"):
            if getattr(model, bits) != getattr(tokenizer, bits):
                raise CheckpointError(
                    f"The model has {bits}={getattr(model, bits)} and the tokenizer {bits}={getattr(tokenizer, bits)}: "
                    "they were not trained together."
                )
        self.max_context = check_count(max_context, "max_context", FEWEST_CONTEXT)
        self.clip = check_number(clip, "clip", 0, above=True)
        if weights not in PRECISIONS:
            raise InputError(f"weights={weights!r} must be one of {', '.join(PRECISIONS)}.")
        self.device = resolve_device(device)
        self.model = model.to(self.device).eval()
        self.tokenizer = tokenizer.to(self.device).eval()
        self.name = check_text(name, "name")
        self.weights, self.compiled = weights, check_flag(compiled, "compiled")
        self.memory_budget = MEMORY_BUDGET
        self._packing = Lock()
        self._packed: tuple[PackedKronos, PackedTokenizer] | None = None
        self._packed_state: object = None
        if weights != "float32":
            _ = self.digest, self.packed()  # while the weights are there
            self.model = self.model.to("meta")

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path | None = None,
        *,
        tokenizer: str | Path | None = None,
        revision: str | None = None,
        device: str | torch.device | int | None = None,
        max_context: int | None = None,
        weights: Precision = "float32",
        compiled: bool = False,
    ) -> KronosPredictor:
        """Load a model with its tokenizer.

        Parameters
        ----------
        name
            A registry name (`kronos-nano`, `kronos-mini`, `kronos-small`, `kronos-base`), a Hub id or a folder; None
            is the bundled kronos-nano.
        tokenizer
            Hub id or folder; needed where the registry does not know the model's own.
        revision
            Branch, tag or commit of the model's repository.
        max_context
            Overrides the registry's; 512 for a model it does not know.
        weights, compiled
            See `KronosPredictor`.

        Raises
        ------
        InputError
            Where a setting makes no sense, or this machine has no such device.
        HubError
            Where a checkpoint cannot be fetched.
        CheckpointError
            Where one is damaged, or the two do not fit.
        """
        device = resolve_device(device)  # before anything is downloaded
        name = DEFAULT_MODEL if name is None else name
        spec = find_spec(name)
        if tokenizer is None and spec is None:
            known = ", ".join(REGISTRY)
            raise CheckpointError(f"No tokenizer is known for {name}: pass tokenizer=..., or use one of {known}.")
        if revision is None and spec is not None:
            revision = spec.revision
        model = Kronos.from_pretrained(spec.model_id if spec else name, revision=revision)
        if tokenizer is not None:
            codec = KronosTokenizer.from_pretrained(tokenizer)
        elif spec is not None:
            codec = KronosTokenizer.from_pretrained(spec.tokenizer_id, revision=spec.tokenizer_revision)
        if max_context is None:
            max_context = spec.max_context if spec else DEFAULT_CONTEXT
        return cls(
            model,
            codec,
            device,
            max_context,
            name=spec.name if spec else Path(name).name,
            weights=weights,
            compiled=compiled,
        )

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 of both networks' weights."""
        return digest(self.model, self.tokenizer)

    def predict(
        self,
        df: pd.DataFrame,
        x_timestamp: Times,
        y_timestamp: Times,
        pred_len: int,
        T: float = 1.0,
        top_k: int | None = 0,
        top_p: float = 0.9,
        sample_count: int = 1,
        verbose: bool = True,
    ) -> pd.DataFrame:
        """Return the mean over `sample_count` paths, as the published package's `predict` computes it.

        The mean is taken of unrepaired candles and its spread is lost: `forecast` keeps both. Draws come from PyTorch's
        global generator (`torch.manual_seed`).

        Returns
        -------
        pandas.DataFrame
            `pred_len` rows of open, high, low, close, volume, amount, indexed by `y_timestamp`.

        Raises
        ------
        InputError
            Where candles, timestamps or settings cannot be forecast.
        """
        return self.predict_batch([df], [x_timestamp], [y_timestamp], pred_len, T, top_k, top_p, sample_count, verbose)[
            0
        ]

    def predict_batch(
        self,
        df_list: Sequence[pd.DataFrame],
        x_timestamp_list: Sequence[Times],
        y_timestamp_list: Sequence[Times],
        pred_len: int,
        T: float = 1.0,
        top_k: int | None = 0,
        top_p: float = 0.9,
        sample_count: int = 1,
        verbose: bool = True,
    ) -> list[pd.DataFrame]:
        """Return `predict` of several series of one length, drawn together."""
        count = check_lists(df_list, x_timestamp_list, y_timestamp_list)
        if not count:
            raise InputError("predict_batch needs at least one series.")
        pred_len = check_count(pred_len, "pred_len", 0)
        samples = check_count(sample_count, "sample_count", 1, MAX_SAMPLES)
        how = Sampling(check_number(T, "T", 0), 0 if top_k is None else top_k, top_p)
        series = [
            check_series(*one, name=f"series {i}" if count > 1 else "the series")
            for i, one in enumerate(zip(df_list, x_timestamp_list, y_timestamp_list, strict=True))
        ]
        if len({len(s.values) for s in series}) > 1:
            raise InputError("predict_batch needs series of one length; forecast_batch takes any.")
        for s in series:
            if len(s.future) != pred_len:
                raise InputError(
                    f"pred_len={pred_len}, but y_timestamp has {len(s.future)} entries: give one for each candle."
                )
        tasks = [self._checked(Task(s, samples, how, 0, "exact", 1)) for s in series]
        batch = Batch(self, tasks, shared_generator=True)
        with tqdm(total=pred_len, disable=not verbose) as bar:
            while batch.active:
                batch.advance()
                bar.update()
        return [
            pd.DataFrame(batch.paths(i).mean(axis=0), index=s.future, columns=list(FEATURES))
            for i, s in enumerate(series)
        ]

    def forecast(
        self,
        df: pd.DataFrame,
        x_timestamp: Times,
        y_timestamp: Times,
        *,
        samples: int = 100,
        temperature: float = 1.0,
        top_k: int | None = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        window: str = "fit",
        stride: int = DEFAULT_STRIDE,
        on_step: OnStep | None = None,
    ) -> Forecast:
        """Draw `samples` paths and keep them all.

        Parameters
        ----------
        df
            History: columns open, high, low, close, optionally volume and amount; finite, prices above zero.
        x_timestamp, y_timestamp
            Times of the history and of the candles to forecast, ascending.
        temperature, top_k, top_p
            See `Sampling`.
        seed
            The same seed gives the same paths, whatever else runs in the process; None draws one and records it.
        window
            What happens when history and horizon exceed the model's context. `fit` cuts the history so that they do
            not. `exact` slides as the published implementation does, computing the whole window anew for every candle
            past the context. `strided` drops the oldest `stride` candles at once and goes on until the window is full
            again: an approximation; docs/benchmarks.md has what it costs in CRPS.
        stride
            Candles that `strided` drops at a time; 1 is `exact`.
        on_step
            Called after each step with (done, total); may raise to cancel.

        Raises
        ------
        InputError
            Where candles, timestamps or settings cannot be forecast; before anything is computed.
        """
        check_callback(on_step, "on_step")
        batch = self.begin(
            [
                self.task(
                    df,
                    x_timestamp,
                    y_timestamp,
                    samples=samples,
                    temperature=temperature,
                    top_k=top_k,
                    top_p=top_p,
                    seed=seed,
                    window=window,
                    stride=stride,
                )
            ]
        )
        while batch.active:
            batch.advance()
            if on_step:
                on_step(batch.steps(0), batch.tasks[0].horizon)
        return batch.result(0)

    def forecast_batch(
        self,
        df_list: Sequence[pd.DataFrame],
        x_timestamp_list: Sequence[Times],
        y_timestamp_list: Sequence[Times],
        *,
        samples: int = 100,
        temperature: float = 1.0,
        top_k: int | None = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        window: str = "fit",
        stride: int = DEFAULT_STRIDE,
        on_step: OnStep | None = None,
    ) -> list[Forecast]:
        """Return `forecast` of each series, of any lengths; each is what it would be alone with this seed.

        Series are drawn together in batches of nearly one length that keep within `memory_budget`.
        """
        check_lists(df_list, x_timestamp_list, y_timestamp_list)
        check_callback(on_step, "on_step")
        seed = check_seed(seed)
        tasks = [
            self.task(
                *one,
                samples=samples,
                temperature=temperature,
                top_k=top_k,
                top_p=top_p,
                seed=seed,
                window=window,
                stride=stride,
                name=f"series {i}",
            )
            for i, one in enumerate(zip(df_list, x_timestamp_list, y_timestamp_list, strict=True))
        ]
        total, done = sum(task.horizon for task in tasks), 0
        forecasts: dict[int, Forecast] = {}
        for indices in self.group(tasks):
            batch = self.begin([tasks[i] for i in indices])
            while batch.active:
                done += len(batch.active)
                batch.advance()
                if on_step:
                    on_step(done, total)
            forecasts |= {index: batch.result(place) for place, index in enumerate(indices)}
        return [forecasts[i] for i in range(len(tasks))]

    def task(
        self,
        df: pd.DataFrame,
        x_timestamp: Times,
        y_timestamp: Times,
        *,
        samples: int = 100,
        temperature: float = 1.0,
        top_k: int | None = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        window: str = "fit",
        stride: int = DEFAULT_STRIDE,
        name: str = "the series",
    ) -> Task:
        """Check all that `forecast` takes, compute nothing, and return what `begin` takes.

        Raises
        ------
        InputError
            Where candles, timestamps or settings cannot be forecast.
        """
        samples = check_count(samples, "samples", 1, MAX_SAMPLES)
        how = Sampling(temperature, 0 if top_k is None else top_k, top_p)
        window = check_window(window)
        stride = check_count(stride, "stride", 1, self.max_context - 1 if window == "strided" else None)
        series = check_series(df, x_timestamp, y_timestamp, name=name, positive=True)
        return self._checked(Task(series, samples, how, check_seed(seed), window, stride))

    def memory(self, task: Task) -> int:
        """Return the bytes that generating `task` needs beyond the weights, from above."""
        config = self.model.config
        return memory(task, layers=config.n_layers + 1, width=config.d_model, max_context=self.max_context)

    def group(self, tasks: Sequence[Task]) -> list[list[int]]:
        """Return which tasks may run as one batch: little padding, each batch within `memory_budget`."""
        needed = [self.memory(task) for task in tasks]
        return group(tasks, needed, max_context=self.max_context, budget=self.memory_budget)

    def begin(self, tasks: Sequence[Task]) -> Batch:
        """Return a batch of tasks that `group` put together; nothing is computed before its first `advance`."""
        return Batch(self, tasks)

    def packed(self) -> tuple[PackedKronos, PackedTokenizer]:
        """Return both networks as generation runs them, packed anew where training went on with the same weights."""
        with self._packing:
            state = None if self.weights != "float32" else _versions(self.model, self.tokenizer)
            if self._packed is None or self._packed_state != state:
                with torch.inference_mode():
                    self._packed = (
                        PackedKronos(self.model, self.weights, compiled=self.compiled),
                        PackedTokenizer(self.tokenizer),
                    )
                self._packed_state = state
            return self._packed

    def forecast_of(self, task: Task, raw: np.ndarray) -> Forecast:
        """Return the forecast that the decoded candles `raw` (samples, N, 6) of `task` make."""
        series = task.series
        # Decoding leaves noise around a zero nobody gave.
        raw[..., [FEATURES.index(name) for name in series.absent]] = 0.0
        floor = PRICE_FLOOR * float(series.values[:, LOW].min())
        paths, repairs = repair_paths(raw, price_floor=floor)
        return Forecast(
            paths=paths,
            raw_paths=raw,
            timestamps=series.future,
            repairs=repairs,
            last_close=float(series.values[-1, CLOSE]),
            history_rows=len(series.values),
            model=self.name,
            digest=self.digest,
            seed=task.seed,
            settings={
                "samples": task.samples,
                "temperature": task.how.temperature,
                "top_k": task.how.top_k,
                "top_p": task.how.top_p,
                "window": task.window,
                **({"stride": task.stride} if task.window == "strided" else {}),
                "max_context": self.max_context,
                "clip": self.clip,
                "weights": self.weights,
            },
        )

    def _checked(self, task: Task) -> Task:
        """Return a task with the history that its window leaves; `InputError` where context or memory are too small."""
        if not 1 <= task.horizon <= self.max_context:
            raise InputError(
                f"The horizon is {task.horizon} candles; {self.name} can forecast 1 to {self.max_context}."
            )
        task = replace(task, series=task.series.last(self._history_rows(task)))
        needed = self.memory(task)
        if needed > MOST_MEMORY:
            raise InputError(
                f"{task.samples} paths of {task.horizon} candles need {needed / 2**30:.1f} GiB with {self.name}; "
                f"{MOST_MEMORY / 2**30:.0f} GiB are allowed: ask for fewer."
            )
        return task

    def _history_rows(self, task: Task) -> int:
        rows, horizon = len(task.series.values), task.horizon
        if task.window != "fit":
            return rows
        room = self.max_context - horizon
        if room < FEWEST_CANDLES:
            raise InputError(
                f"A horizon of {horizon} leaves no room for history in the context of {self.max_context} candles: "
                "shorten it, or pass window='exact'."
            )
        return min(rows, room)


def _versions(*modules: nn.Module) -> tuple[tuple[int, int], ...]:
    """Return what changes whenever a weight is replaced or written to."""
    return tuple((p.data_ptr(), p._version) for module in modules for p in module.parameters())


def _check_networks(model: object, tokenizer: object) -> None:
    for name, network, kind in (("model", model, Kronos), ("tokenizer", tokenizer, KronosTokenizer)):
        if not isinstance(network, kind):
            raise InputError(
                f"{name} is a {type(network).__name__}, not a {kind.__name__}: load it with "
                f"{kind.__name__}.from_pretrained, or load both with KronosPredictor.from_pretrained."
            )
