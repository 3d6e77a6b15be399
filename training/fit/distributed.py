"""The processes that train together, and their communication.

A single process needs none. torchrun starts several and describes them in the environment; a cluster's launcher may
have connected them already.
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
from training.errors import RunError

TIMEOUT = timedelta(minutes=30)  # the first process may forecast while the others wait


@dataclass(frozen=True)
class World:
    """One of `size` processes that train one network."""

    rank: int  # number of this process; 0 writes all files
    size: int
    device: torch.device  # of this process

    @classmethod
    def alone(cls, device: str | None = None) -> World:
        """Return the world of one process, by default on the fastest device."""
        return cls(0, 1, resolve_device(device))

    @classmethod
    def from_environment(cls, device: str | None = None, *, timeout: timedelta = TIMEOUT) -> World:
        """Connect to the processes that torchrun or a cluster's launcher started; without them, `alone`.

        A process that waits for another longer than `timeout` fails.

        Raises RunError if the others cannot be reached.
        """
        if not distributed.is_initialized() and int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls.alone(device)
        chosen = resolve_device(device)
        if chosen.type == "cuda":
            chosen = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(chosen)
        elif device is None:
            chosen = torch.device("cpu")  # other devices cannot exchange gradients
        if not distributed.is_initialized():
            with _explain_errors():
                distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=timeout)
        return cls(distributed.get_rank(), distributed.get_world_size(), chosen)

    @property
    def first(self) -> bool:
        """Return whether this process writes the files."""
        return self.rank == 0

    def share(self, numbers: np.ndarray) -> np.ndarray:
        """Return this process's share of `numbers`."""
        return numbers[self.rank :: self.size]

    def wrap(self, module: nn.Module) -> nn.Module:
        """Return `module` with the first process's weights and gradients averaged over all processes."""
        if self.size == 1:
            return module
        devices = [self.device] if self.device.type == "cuda" else None
        with _explain_errors():
            return DistributedDataParallel(
                module, device_ids=devices, broadcast_buffers=False, gradient_as_bucket_view=True
            )

    def apart(self, wrapped: nn.Module) -> AbstractContextManager[Any]:
        """Return a context in which gradients of a wrapped module are accumulated, not yet averaged."""
        return wrapped.no_sync() if isinstance(wrapped, DistributedDataParallel) else nullcontext()

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum of `values` over all processes, bit-equal in each."""
        if self.size == 1:
            return values
        total = values.detach().to(self._wire, copy=True)
        with _explain_errors():
            distributed.all_reduce(total)
        return total.to(values.device)

    def broadcast(self, value: Any) -> Any:
        """Return the first process's JSON-ready `value`."""
        return self.gather(value if self.first else None)[0]

    def gather(self, value: Any) -> list[Any]:
        """Return every process's JSON-ready `value`, by rank."""
        if self.size == 1:
            return [value]
        text = json.dumps(value).encode()
        lengths = torch.zeros(self.size, dtype=torch.int64)
        lengths[self.rank] = len(text)
        lengths = self.sum(lengths)
        # The sum of tables in which each process fills its own row: backends differ in how they gather.
        table = torch.zeros(self.size, int(lengths.max()), dtype=torch.uint8)
        table[self.rank, : len(text)] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
        rows = self.sum(table).numpy()
        return [json.loads(row[:length].tobytes()) for row, length in zip(rows, lengths.tolist(), strict=True)]

    def broadcast_tensors(self, tensors: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
        """Return the first process's `tensors`, on the CPU; those of the others are ignored."""
        if self.size == 1:
            return dict(tensors or {})
        own = tensors or {}
        layout = self.broadcast({name: [str(t.dtype).removeprefix("torch."), [*t.shape]] for name, t in own.items()})
        received = {}
        for name, (kind, shape) in layout.items():
            tensor = own[name] if self.first else torch.empty(shape, dtype=getattr(torch, kind))
            wire = tensor.to(self._wire, copy=True)
            with _explain_errors():
                distributed.broadcast(wire, src=0)
            received[name] = wire.cpu()
        return received

    def barrier(self) -> None:
        """Wait for all processes."""
        self.sum(torch.zeros(1))

    def close(self) -> None:
        """Disconnect from the others."""
        if self.size > 1 and distributed.is_initialized():
            distributed.destroy_process_group()

    @property
    def _wire(self) -> torch.device:
        """Return the device of values that are sent."""
        return self.device if self.device.type == "cuda" else torch.device("cpu")


@contextmanager
def _explain_errors() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:  # PyTorch's class depends on the backend
        raise RunError(
            "Another process of this training has ended or does not answer ({reason}): see its output, and resume.",
            reason=str(error).strip().partition("\n")[0],
        ) from error
