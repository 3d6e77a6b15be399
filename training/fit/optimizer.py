"""Optimizers, weight averaging, and the state of both by parameter name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn, optim

from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from training.errors import RunError
from training.fit.adaptation import blocks
from training.run.config import StageConfig

MOMENTS = ("step", "exp_avg", "exp_avg_sq", "momentum_buffer")
FUSED = {"cpu", "cuda", "mps"}  # devices with a kernel that updates a parameter and its moments at once


def trained(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that are trained, by name."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def make_optimizers(
    module: Kronos | KronosTokenizer, stage: StageConfig, learning_rate: float
) -> tuple[optim.Optimizer, ...]:
    """Return AdamW with weight decay of matrices only; with `muon_rate` also Muon, for the matrices inside blocks.

    Muon updates a matrix equally in all directions (https://kellerjordan.github.io/posts/muon/): fewer steps to the
    same loss, above all from scratch.
    """
    parameters = list(trained(module).values())
    inside = {id(p) for block in blocks(module) for p in block.parameters() if stage.muon_rate and p.dim() == 2}
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2 and id(p) not in inside], "weight_decay": stage.weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    fused = all(p.device.type in FUSED for p in parameters)
    adamw = optim.AdamW(groups, lr=learning_rate, betas=stage.betas, fused=fused)
    matrices = [p for p in parameters if id(p) in inside]
    if not (matrices and stage.muon_rate):
        return (adamw,)
    return adamw, optim.Muon(matrices, lr=stage.muon_rate, weight_decay=stage.weight_decay)


def set_step(optimizers: Iterable[optim.Optimizer], share: float, momentum: float) -> None:
    """Set each optimizer to a share of its peak rate, and AdamW's first beta."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = optimizer.defaults["lr"] * share
            if "betas" in group:
                group["betas"] = (momentum, group["betas"][1])


class Average:
    """The exponential moving average of the trained parameters.

    In the first steps the decay is (1 + step) / (10 + step) if that is less, so that the initial weights fade.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {name: p.detach().clone() for name, p in trained(module).items()}
        self._module = module

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Include the parameters after `step` steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, parameter in trained(self._module).items():
            self.values[name].lerp_(parameter, 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Give the network the averaged parameters during the block."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, parameter in trained(self._module).items():
            current = parameter.clone()
            parameter.copy_(self.values[name])
            self.values[name] = current


def pack(module: nn.Module, optimizers: Sequence[optim.Optimizer], average: Average | None) -> dict[str, Tensor]:
    """Return trained parameters, moments and average as `model.NAME`, `MOMENT.NAME` and `average.NAME`."""
    tensors: dict[str, Tensor] = {}
    for name, parameter in trained(module).items():
        tensors[f"model.{name}"] = parameter.detach()
        for optimizer in optimizers:
            moments = optimizer.state.get(parameter, {})
            tensors |= {f"{moment}.{name}": value for moment, value in moments.items()}
    if average is not None:
        tensors |= {f"average.{name}": value for name, value in average.values.items()}
    return tensors


@torch.no_grad()
def unpack(
    tensors: Mapping[str, Tensor], module: nn.Module, optimizers: Sequence[optim.Optimizer], average: Average | None
) -> None:
    """Restore what `pack` returned; a RunError, before any change, says that other parameters are trained now."""
    parameters = trained(module)
    stored = _select("model", tensors)
    if {name: p.shape for name, p in parameters.items()} != {name: t.shape for name, t in stored.items()}:
        raise RunError("The checkpoint has another network or method than the config: start a new run.")
    for name, parameter in parameters.items():
        parameter.copy_(stored[name])
    names = {id(parameter): name for name, parameter in parameters.items()}
    for optimizer in optimizers:
        ordered = [names[id(parameter)] for group in optimizer.param_groups for parameter in group["params"]]
        state = {
            index: {moment: tensors[f"{moment}.{name}"] for moment in MOMENTS if f"{moment}.{name}" in tensors}
            for index, name in enumerate(ordered)
        }
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    if average is not None:
        average.values = {name: t.to(parameters[name].device) for name, t in _select("average", tensors).items()}


def _select(kind: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.partition(".")[2]: t for name, t in tensors.items() if name.startswith(f"{kind}.")}
