"""The processes that train together: who one is among them, and what they tell one another.

One process is a world of its own, where nothing needs to be told. torchrun starts several and describes them in the
environment; a cluster's launcher may have joined them already.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from engine.device import resolve_device
from training.errors import RunError, message

TIMEOUT = timedelta(minutes=30)  # the first process may judge forecasts while the others wait


@dataclass(frozen=True)
class World:
    """One of `size` processes that train one network.

    Attributes
    ----------
    rank
        Number of this process; 0 writes all files.
    device
        Where this process computes.
    """

    rank: int
    size: int
    device: torch.device

    @classmethod
    def alone(cls, device: str | None = None) -> World:
        """Return the world of one process, on the fastest device there is where none is named."""
        return cls(0, 1, resolve_device(device))

    @classmethod
    def from_environment(cls, device: str | None = None, *, timeout: timedelta = TIMEOUT) -> World:
        """Join the processes that torchrun or a cluster's launcher started; alone where neither did.

        Parameters
        ----------
        timeout
            After which a process that waits for another gives up.

        Raises
        ------
        RunError
            The others cannot be reached.
        """
        if not distributed.is_initialized() and int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls.alone(device)
        chosen = resolve_device(device)
        if chosen.type == "cuda":
            chosen = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(chosen)
        elif device is None:
            chosen = torch.device("cpu")  # no other device can tell its gradients to another process
        if not distributed.is_initialized():
            with _explained():
                distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=timeout)
        return cls(distributed.get_rank(), distributed.get_world_size(), chosen)

    @property
    def first(self) -> bool:
        """Return whether this process is the one that writes."""
        return self.rank == 0

    def share(self, numbers: np.ndarray) -> np.ndarray:
        """Return this process's part of what all of them have to do."""
        return numbers[self.rank :: self.size]

    def wrap(self, module: nn.Module) -> nn.Module:
        """Return `module` with gradients that become the mean over all processes, and the first one's weights."""
        if self.size == 1:
            return module
        places = [self.device] if self.device.type == "cuda" else None
        with _explained():
            return DistributedDataParallel(
                module, device_ids=places, broadcast_buffers=False, gradient_as_bucket_view=True
            )

    def apart(self, wrapped: nn.Module) -> AbstractContextManager[Any]:
        """Return a context in which gradients of a wrapped module stay with their process, to be told later."""
        return wrapped.no_sync() if isinstance(wrapped, DistributedDataParallel) else nullcontext()

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum of `values` over all processes; every process gets the same bits."""
        if self.size == 1:
            return values
        told = values.detach().to(self._wire, copy=True)
        with _explained():
            distributed.all_reduce(told)
        return told.to(values.device)

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean of `values` over all processes."""
        return self.sum(values) / self.size

    def broadcast(self, value: Any) -> Any:
        """Return the first process's `value`, which must be JSON-ready."""
        return self.gather(value if self.first else None)[0]

    def gather(self, value: Any) -> list[Any]:
        """Return every process's `value`, which must be JSON-ready, by rank."""
        if self.size == 1:
            return [value]
        text = json.dumps(value).encode()
        lengths = torch.zeros(self.size, dtype=torch.int64)
        lengths[self.rank] = len(text)
        lengths = self.sum(lengths)
        # As one sum of a table in which each process fills its own row: backends differ in how they gather.
        table = torch.zeros(self.size, int(lengths.max()), dtype=torch.uint8)
        table[self.rank, : len(text)] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
        rows = self.sum(table).numpy()
        return [json.loads(row[:length].tobytes()) for row, length in zip(rows, lengths.tolist(), strict=True)]

    def broadcast_tensors(self, tensors: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
        """Return the first process's `tensors`, on the CPU; the others' are ignored and may be None."""
        if self.size == 1:
            return dict(tensors or {})
        held = tensors or {}
        layout = self.broadcast({name: [str(t.dtype).removeprefix("torch."), [*t.shape]] for name, t in held.items()})
        told = {}
        for name, (kind, shape) in layout.items():
            mine = held[name] if self.first else torch.empty(shape, dtype=getattr(torch, kind))
            wire = mine.to(self._wire, copy=True)
            with _explained():
                distributed.broadcast(wire, src=0)
            told[name] = wire.cpu()
        return told

    def barrier(self) -> None:
        """Wait for all processes."""
        self.sum(torch.zeros(1))

    def close(self) -> None:
        """Leave the others."""
        if self.size > 1 and distributed.is_initialized():
            distributed.destroy_process_group()

    @property
    def _wire(self) -> torch.device:
        """Return where values must lie to be told to others."""
        return self.device if self.device.type == "cuda" else torch.device("cpu")


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:  # what PyTorch raises depends on the backend
        raise RunError(
            message(
                "Another process of this training has ended or does not answer ({reason}): see what it printed, and"
                " resume.",
                reason=str(error).strip().partition("\n")[0],
            )
        ) from error
