"""The memory that a run will take, estimated from its settings before anything is loaded.

The figures per candle count the numbers that torch keeps for the backward pass; with the weights they are within 10 %
of measured peaks, and above them with activation checkpointing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from engine.config import ModelConfig, TokenizerConfig
from engine.errors import KronosError
from engine.loading.hub import fetch
from engine.loading.registry import find_spec
from training.errors import ConfigError
from training.fit.memory import run_limit
from training.run.config import RunConfig, StageName

GB = 1e9
FLOAT = 4  # bytes
PROCESS = 450_000_000  # bytes of Python and its libraries
LORA_SHARE = 0.05  # of a network's parameters, an upper bound for adapters
HALF = 0.6  # of activations in bfloat16: sums and losses stay in float32
Shape = TypeVar("Shape", ModelConfig, TokenizerConfig)


@dataclass(frozen=True)
class Footprint:
    """Peak memory of a stage in bytes, all processes together."""

    stage: StageName
    weights: float  # of networks, gradients, optimizer, averages and libraries
    activations: float  # of one part of a batch

    @property
    def total(self) -> float:
        """Return the sum."""
        return self.weights + self.activations


def check_memory(config: RunConfig, limit: int | None = None) -> None:
    """Raise a ConfigError if a run needs more memory than `limit` bytes, by default `run_limit`.

    On a graphics card its own memory is the limit. The message has the estimate, the limit and what to lower.
    """
    limit = _card_bytes(config) or (run_limit() if limit is None else limit)
    for stage in config.stages:
        needed = footprint(config, stage)
        if needed is None or needed.total <= limit:
            continue
        figures = {"stage": stage, "needed": f"{needed.total / GB:,.1f}", "limit": f"{limit / GB:,.1f}"}
        if needed.weights > limit:
            raise ConfigError(
                "The {stage} would take about {needed} GB of memory, mostly for its weights; the limit is {limit} GB. "
                "Choose a smaller model: fewer layers, or a smaller d_model or ff_dim.",
                **figures,
            )
        raise ConfigError(
            "The {stage} would take about {needed} GB of memory; the limit is {limit} GB. Lower {stage}.batch or "
            "window.lookback, raise {stage}.accumulate, or set machine.checkpoint_activations.",
            **figures,
        )


def _card_bytes(config: RunConfig) -> int | None:
    """Return the memory of the run's graphics card, None without one."""
    import torch

    device = config.machine.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if not device.startswith("cuda") or not torch.cuda.is_available():
        return None
    return int(torch.cuda.get_device_properties(device).total_memory)


def footprint(config: RunConfig, stage: StageName) -> Footprint | None:
    """Return the memory of a stage, None if the shape of its networks is not on this machine."""
    predictor, tokenizer = _shapes(config)
    if predictor is None or tokenizer is None:
        return None
    sizes = {"predictor": _parameters(predictor), "tokenizer": _tokenizer_parameters(tokenizer)}
    own, settings = sizes[stage], config.stage(stage)
    trained = own * (LORA_SHARE if config.method.kind == "lora" else 1)
    moments = 3 + (settings.ema > 0)  # the gradient, two moments of the optimizer, and the average
    copies = 2 * sum(sizes.values()) + own  # initial, best and current
    weights = config.machine.processes * (FLOAT * (copies + moments * trained) + PROCESS)
    windows = -(-settings.batch // settings.accumulate)
    candle = _predictor_floats(predictor, config) if stage == "predictor" else _tokenizer_floats(tokenizer, config)
    share = HALF if config.machine.precision == "bfloat16" else 1
    return Footprint(stage, weights, share * FLOAT * windows * config.window.size * candle)


def _block(width: int, hidden: int) -> int:
    return 4 * width**2 + 3 * width * hidden


def _codes(shape: ModelConfig) -> int:
    return (1 << shape.s1_bits) + (1 << shape.s2_bits)


def _parameters(shape: ModelConfig) -> int:
    codes: int = _codes(shape)
    rest = 2 * codes * shape.d_model + 6 * shape.d_model**2 + 150 * shape.d_model
    return shape.n_layers * _block(shape.d_model, shape.ff_dim) + rest


def _tokenizer_parameters(shape: TokenizerConfig) -> int:
    return (shape.n_enc_layers + shape.n_dec_layers - 2) * _block(shape.d_model, shape.ff_dim)


def _layers_floats(layers: int, shape: ModelConfig | TokenizerConfig, config: RunConfig) -> int:
    """Return the numbers that blocks keep per candle."""
    attention = 3 * shape.n_heads * config.window.size if shape.attn_dropout_p else 0
    block = 12 * shape.d_model + 4 * shape.ff_dim + attention
    return block + layers * shape.d_model if config.machine.checkpoint_activations else layers * block


def _predictor_floats(shape: ModelConfig, config: RunConfig) -> int:
    logits = 3 * _codes(shape)
    return _layers_floats(shape.n_layers, shape, config) + 15 * shape.d_model + logits


def _tokenizer_floats(shape: TokenizerConfig, config: RunConfig) -> int:
    # Each part has one block less than its name. The decoder runs twice: on the coarse token, and on both.
    layers = shape.n_enc_layers - 1 + 2 * (shape.n_dec_layers - 1)
    return _layers_floats(layers, shape, config) + 5 * shape.d_model


def _shapes(config: RunConfig) -> tuple[ModelConfig | None, TokenizerConfig | None]:
    base = config.base
    spec = find_spec(base.model) if base.model is not None else None
    exported = base.model is not None and (Path(base.model) / "model").is_dir()
    model = f"{base.model}/model" if exported else spec.model_id if spec else base.model
    codes = base.tokenizer or (f"{base.model}/tokenizer" if exported else spec.tokenizer_id if spec else None)
    revision = base.revision or (spec.revision if spec else None)
    return (
        _shape(ModelConfig, base.shape, model, revision),
        _shape(TokenizerConfig, base.tokenizer_shape, codes, spec.tokenizer_revision if spec else None),
    )


def _shape(
    kind: type[Shape], values: Mapping[str, Any] | None, source: str | None, revision: str | None
) -> Shape | None:
    """Return a shape from the config or a local checkpoint; None if it is invalid, which `build_base` reports."""
    try:
        if values is None:
            if source is None:
                return None
            files = fetch(source, revision=None if Path(source).is_dir() else revision, local_files_only=True)
            values = json.loads(files.config.read_text(encoding="utf-8"))
        known = {field.name for field in fields(kind)}
        return kind(**{name: value for name, value in values.items() if name in known})
    except (KronosError, OSError, ValueError, TypeError):
        return None
