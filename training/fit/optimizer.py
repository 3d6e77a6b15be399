"""Optimizers over what is trained, a moving average of it, and the state of both under the names of the parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn, optim

from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from training.errors import RunError, message
from training.fit.adaptation import blocks
from training.run.config import StageConfig

MOMENTS = ("step", "exp_avg", "exp_avg_sq", "momentum_buffer")
FUSED = {"cpu", "cuda", "mps"}  # devices on which one kernel updates all there is of a parameter


def trained(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that are trained, by name."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def make_optimizers(
    module: Kronos | KronosTokenizer, stage: StageConfig, learning_rate: float
) -> tuple[optim.Optimizer, ...]:
    """Return AdamW that decays matrices and leaves vectors alone; with `muon_rate`, Muon for matrices inside blocks.

    Muon updates a matrix by equal strength in all directions (https://kellerjordan.github.io/posts/muon/): fewer steps
    to the same loss, for networks that begin from scratch above all.
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
    """Give each optimizer a share of the rate it was made with, and AdamW the first beta of a step."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = optimizer.defaults["lr"] * share
            if "betas" in group:
                group["betas"] = (momentum, group["betas"][1])


class Average:
    """A moving average of the trained parameters.

    While few steps were done the decay is (1 + step) / (10 + step) where that is less: where training began would
    otherwise weigh too much.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {name: p.detach().clone() for name, p in trained(module).items()}
        self._module = module

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the parameters after `step` steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, parameter in trained(self._module).items():
            self.values[name].lerp_(parameter, 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Have the network compute with the average."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, parameter in trained(self._module).items():
            kept = parameter.clone()
            parameter.copy_(self.values[name])
            self.values[name] = kept


def pack(module: nn.Module, optimizers: Sequence[optim.Optimizer], average: Average | None) -> dict[str, Tensor]:
    """Return trained parameters, moments and average as `model.NAME`, `MOMENT.NAME` and `average.NAME`."""
    tensors: dict[str, Tensor] = {}
    for name, parameter in trained(module).items():
        tensors[f"model.{name}"] = parameter.detach()
        for optimizer in optimizers:
            kept = optimizer.state.get(parameter, {})
            tensors |= {f"{moment}.{name}": value for moment, value in kept.items()}
    if average is not None:
        tensors |= {f"average.{name}": value for name, value in average.values.items()}
    return tensors


@torch.no_grad()
def unpack(
    tensors: Mapping[str, Tensor], module: nn.Module, optimizers: Sequence[optim.Optimizer], average: Average | None
) -> None:
    """Restore what `pack` returned.

    Raises
    ------
    RunError
        It is of another network, or other parameters of it were trained. Nothing has been changed then.
    """
    parameters = trained(module)
    kept = _of("model", tensors)
    if {name: p.shape for name, p in parameters.items()} != {name: t.shape for name, t in kept.items()}:
        raise RunError(
            message("The checkpoint is of another network or method than the config asks for: start a new run.")
        )
    for name, parameter in parameters.items():
        parameter.copy_(kept[name])
    for optimizer in optimizers:
        state = {}
        for index, name in enumerate(_in_order(optimizer, parameters)):
            moments = {moment: tensors.get(f"{moment}.{name}") for moment in MOMENTS}
            state[index] = {moment: value for moment, value in moments.items() if value is not None}
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    if average is not None:
        average.values = {name: t.to(parameters[name].device) for name, t in _of("average", tensors).items()}


def _of(kind: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.partition(".")[2]: t for name, t in tensors.items() if name.startswith(f"{kind}.")}


def _in_order(optimizer: optim.Optimizer, parameters: Mapping[str, nn.Parameter]) -> Iterator[str]:
    """Yield the names of parameters in the order in which the optimizer counts them."""
    names = {id(parameter): name for name, parameter in parameters.items()}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            yield names[id(parameter)]
