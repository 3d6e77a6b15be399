"""Which parameters are trained: all, all but the lowest layers, or low-rank adapters beside frozen weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from engine.layers import CrossAttention, TransformerBlock
from engine.loading.checkpoint import load_strict
from engine.tokenizer import KronosTokenizer
from engine.transformer import FixedEmbedding, Kronos
from training.errors import ConfigError
from training.run.config import LoraConfig, MethodConfig, StageName

Network = TypeVar("Network", Kronos, KronosTokenizer)
ADAPTER = "default"  # peft's name of a single adapter


def adapt(model: Network, method: MethodConfig, stage: StageName, seed: int = 0) -> Network:
    """Return `model` with adapters if `method` has them, and gradients for the parameters that it trains.

    Raises ConfigError if there are fewer layers than are to be frozen, or no linear layer of an adapter's name; names
    the stage.
    """
    model.requires_grad_(True)
    for module in model.modules():
        if isinstance(module, FixedEmbedding):
            module.requires_grad_(False)
    if method.kind == "frozen":
        _freeze_lowest(model, method.frozen_layers, stage)
    elif method.kind == "lora":
        _insert_adapters(model, method.lora, stage, seed)
    return model


def merge_adapters(model: Network) -> Network:
    """Return a plain copy of a network on the CPU, adapters merged into the weights, in eval mode."""
    state: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        if ".lora_" not in name:
            state[name.replace(".base_layer.", ".")] = tensor.detach().cpu()
    for name, module in model.named_modules():
        if hasattr(module, "get_delta_weight"):  # an adapter; importing peft for its class would take seconds
            state[f"{name}.weight"] = state[f"{name}.weight"] + module.get_delta_weight(ADAPTER).detach().cpu()
    with torch.device("meta"):
        plain = type(model).from_config(model.config)
    load_strict(plain, state, origin="the trained network")
    return plain.eval()


def trained_parameters(model: nn.Module) -> tuple[int, int]:
    """Return the number of trained parameters and of all, adapters included."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes)


def checkpoint_activations(model: Kronos | KronosTokenizer) -> None:
    """Make blocks and cross-attention recompute their activations in the backward pass.

    Results (dropout included) and names of tensors stay the same. Memory falls to about that of one block, and a step
    takes about a third longer.
    """
    for module in model.modules():
        if isinstance(module, TransformerBlock | CrossAttention) and "forward" not in vars(module):
            module.forward = _recomputed(module.forward)  # type: ignore[method-assign]


def blocks(model: Kronos | KronosTokenizer) -> list[TransformerBlock]:
    """Return the Transformer blocks, lowest first."""
    return [module for module in model.modules() if isinstance(module, TransformerBlock)]


def _recomputed(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def run(*tensors: Tensor | None, **settings: Any) -> Tensor:
        if not torch.is_grad_enabled():
            return forward(*tensors, **settings)
        out: Tensor = checkpoint(forward, *tensors, use_reentrant=False, **settings)
        return out

    return run


def _freeze_lowest(model: Kronos | KronosTokenizer, layers: int, stage: StageName) -> None:
    if isinstance(model, Kronos):
        below: list[nn.Module] = [model.embedding, model.time_emb]
        lowest = [*model.transformer]
    else:
        below, lowest = [model.embed], [*model.encoder]
    if layers > len(lowest):
        raise ConfigError(
            "method.frozen_layers is {layers}, but the {stage} has only {there} blocks that can be frozen.",
            layers=layers,
            stage=stage,
            there=len(lowest),
        )
    if isinstance(model, KronosTokenizer) and layers == len(lowest):
        below.append(model.quant_embed)  # then tokens stay the same, and so do predictors of them
    for module in (*below, *lowest[:layers]):
        module.requires_grad_(False)


def _insert_adapters(model: nn.Module, config: LoraConfig, stage: StageName, seed: int) -> None:
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    matches = {t: [name for name in linear if name == t or name.endswith(f".{t}")] for t in config.targets}
    for target, names in matches.items():
        if not names:
            raise ConfigError(
                "method.lora.targets: the {stage} has no linear layer named {target}; there are {there}.",
                target=target,
                stage=stage,
                there=", ".join(sorted({name.rpartition(".")[2] for name in linear})),
            )
    from peft import LoraConfig as Adapters
    from peft import inject_adapter_in_model

    targets = [name for name in linear if any(name in names for names in matches.values())]
    settings = Adapters(r=config.rank, lora_alpha=config.alpha, lora_dropout=config.dropout, target_modules=targets)  # type: ignore[arg-type]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        inject_adapter_in_model(settings, model, ADAPTER)  # freezes all other parameters
