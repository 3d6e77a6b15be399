"""A pair of networks that draws tasks: packing of weights, checks of context and memory, and the finished forecast."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from threading import Lock

import numpy as np
import torch
from torch import nn

from engine.arguments import check_choice, check_count, check_flag, check_number, check_text, type_name
from engine.batch import Batch, Task, estimate_memory, group_tasks
from engine.candles import CLIP, CLOSE, FEATURES, LOW, PRICE_FLOOR, repair_paths
from engine.device import resolve_device
from engine.errors import CheckpointError, InputError
from engine.forecast import Forecast
from engine.inputs import MIN_HISTORY, Series
from engine.loading.checkpoint import digest
from engine.packed import PRECISIONS, Precision
from engine.runner import PackedKronos, PackedTokenizer
from engine.sampling import Settings
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos

DEFAULT_CONTEXT = 512
MIN_CONTEXT = 2  # one candle of history and one of forecast
BATCH_MEMORY = 2 * 2**30
TASK_MEMORY = 8 * 2**30


class BasePredictor:
    """A tokenizer and a predictor; threads may share one, since calls keep no state on it.

    Parameters
    ----------
    model, tokenizer
        Networks whose `s1_bits` and `s2_bits` agree.
    device
        Where to compute, such as `cpu`, `cuda`, `cuda:1` or `mps`; None chooses CUDA, then MPS, then the CPU.
    max_context
        Maximum number of candles that the model sees, history and forecast together.
    clip
        Limit of the normalised input.
    name
        Name of the model in its forecasts.
    weights
        Precision of the predictor's weights in generation: `float32`; `float16` (half the memory, nearly the same
        logits); `int8` (a quarter, visibly different logits). The latter two discard the network: `model` keeps only
        its shapes.
    compiled
        Whether `torch.compile` fuses the operations between attentions: it compiles for seconds for each number of rows
        and gains nothing on a CPU for which PyTorch has oneDNN. Without a compiler this has no effect.

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
        check_choice(weights, "weights", PRECISIONS)
        self.max_context = check_count(max_context, "max_context", MIN_CONTEXT)
        self.clip = check_number(clip, "clip", 0, above=True)
        self.name = check_text(name, "name")
        self.weights, self.compiled = weights, check_flag(compiled, "compiled")
        self.device = resolve_device(device)
        self.model = model.to(self.device).eval()
        self.tokenizer = tokenizer.to(self.device).eval()
        self.memory_budget = BATCH_MEMORY
        self._packing = Lock()
        self._packed: tuple[PackedKronos, PackedTokenizer] | None = None
        self._packed_state: object = None
        if weights != "float32":
            _ = self.digest, self.packed()  # both need the weights, which are discarded next
            self.model = self.model.to("meta")

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 of both networks' weights."""
        return digest(self.model, self.tokenizer)

    def memory(self, task: Task) -> int:
        """Return an upper bound of the bytes that generating `task` needs beyond the weights."""
        config = self.model.config
        return estimate_memory(task, layers=config.n_layers + 1, width=config.d_model, max_context=self.max_context)

    def group(self, tasks: Sequence[Task]) -> list[list[int]]:
        """Return the indices of tasks that may run as one batch: little padding, each batch within `memory_budget`."""
        sizes = [self.memory(task) for task in tasks]
        return group_tasks(tasks, sizes, max_context=self.max_context, budget=self.memory_budget)

    def begin(self, tasks: Sequence[Task]) -> Batch:
        """Return a batch of tasks that `group` put together; nothing is computed before its first `advance`."""
        return Batch(self, tasks)

    def packed(self) -> tuple[PackedKronos, PackedTokenizer]:
        """Return both networks as generation runs them, packed again if training has changed the weights."""
        with self._packing:
            state = None if self.weights != "float32" else _versions(self.model, self.tokenizer)
            if self._packed is None or self._packed_state != state:
                with torch.inference_mode():
                    network = PackedKronos(self.model, self.weights, compiled=self.compiled)
                    self._packed = network, PackedTokenizer(self.tokenizer)
                self._packed_state = state
            return self._packed

    def forecast_of(self, task: Task, raw: np.ndarray) -> Forecast:
        """Return the forecast made of the decoded candles `raw` (samples, N, 6) of `task`."""
        series, settings = task.series, task.settings
        # Decoding leaves noise around the zeros that stand for missing features.
        raw[..., [FEATURES.index(name) for name in series.absent]] = 0.0
        paths, repairs = repair_paths(raw, price_floor=PRICE_FLOOR * float(series.values[:, LOW].min()))
        stride = {"stride": settings.stride} if settings.window == "strided" else {}
        return Forecast(
            paths=paths,
            raw_paths=raw,
            timestamps=series.future,
            repairs=repairs,
            last_close=float(series.values[-1, CLOSE]),
            history_rows=task.rows,
            model=self.name,
            digest=self.digest,
            seed=settings.seed or 0,
            settings={
                "samples": settings.samples,
                **vars(settings.sampling),
                "window": settings.window,
                **stride,
                "max_context": self.max_context,
                "clip": self.clip,
                "weights": self.weights,
            },
        )

    def _plan(self, series: Series, settings: Settings) -> Task:
        """Return a task with the part of the history that its window uses, if context and memory suffice."""
        horizon = len(series.future)
        if settings.window == "strided":
            check_count(settings.stride, "stride", 1, self.max_context - 1)
        if not 1 <= horizon <= self.max_context:
            raise InputError(f"The horizon is {horizon} candles; {self.name} can forecast 1 to {self.max_context}.")
        room = self.max_context - horizon
        if settings.window == "fit" and room < MIN_HISTORY:
            raise InputError(
                f"A horizon of {horizon} leaves no room for history in the context of {self.max_context} candles: "
                "shorten it, or pass window='exact'."
            )
        task = Task(series.last(room) if settings.window == "fit" else series, settings)
        needed = self.memory(task)
        if needed > TASK_MEMORY:
            raise InputError(
                f"{settings.samples} paths of {horizon} candles need {needed / 2**30:.1f} GiB with {self.name}; "
                f"{TASK_MEMORY / 2**30:.0f} GiB are allowed: reduce samples or horizon."
            )
        return task


def _versions(*modules: nn.Module) -> tuple[tuple[int, int], ...]:
    """Return values that change whenever a weight is replaced or written to."""
    return tuple((p.data_ptr(), p._version) for module in modules for p in module.parameters())


def _check_networks(model: object, tokenizer: object) -> None:
    for name, network, kind in (("model", model, Kronos), ("tokenizer", tokenizer, KronosTokenizer)):
        if not isinstance(network, kind):
            raise InputError(
                f"{name} is a {type_name(network)}, not a {kind.__name__}: load it with "
                f"{kind.__name__}.from_pretrained, or load both with KronosPredictor.from_pretrained."
            )
    for bits in ("s1_bits", "s2_bits"):
        if getattr(model, bits) != getattr(tokenizer, bits):
            raise CheckpointError(
                f"The model has {bits}={getattr(model, bits)} and the tokenizer {bits}={getattr(tokenizer, bits)}: "
                "they were not trained together."
            )
