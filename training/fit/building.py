"""The networks that training starts from: from the registry, the Hub or a folder, or with random weights."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import torch

from engine.base import DEFAULT_CONTEXT
from engine.errors import CheckpointError
from engine.loading.checkpoint import check_config, digest
from engine.loading.registry import ModelSpec, find_spec
from engine.quantizer import unpack_bits
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from training.errors import ConfigError
from training.run.config import BaseConfig, RunConfig

FACTS = "kronos.json"  # in an exported run: what the config of a checkpoint lacks
Network = TypeVar("Network", Kronos, KronosTokenizer)


@dataclass(frozen=True)
class Base:
    """The networks that training starts from, on the CPU, in eval mode."""

    tokenizer: KronosTokenizer
    predictor: Kronos
    max_context: int  # most candles of the predictor, history and forecast together
    name: str  # a registry name, a folder's, or the run's for a predictor from scratch
    digest: str  # SHA-256, in hex, of both networks' shapes and weights
    spec: ModelSpec | None  # the registry's entry of the predictor
    trained_until: date | None  # last day of training data by the config or an exported run; else see `spec`


def build_base(config: RunConfig) -> Base:
    """Load or create the networks that a run starts from.

    With `shape`, the named model gives only its tokenizer.

    Raises ConfigError if a shape is invalid, the model's tokenizer is unknown, or the two networks do not fit;
    KronosError if a checkpoint cannot be found or read.
    """
    base, export = config.base, _export_of(config.base.model)
    spec = find_spec(base.model) if base.model is not None else None
    facts = _read_facts(export)
    tokenizer = _tokenizer(base, spec, export, config.seed)
    if base.shared_deviation is not None:
        tokenizer.config = replace(tokenizer.config, shared_deviation=base.shared_deviation)
    if base.shape is not None:
        predictor = _create(Kronos, base.shape, "base.shape", config.seed)
        if base.by_bits:
            init_by_bits(predictor, config.seed)
        name, context, spec = config.name, DEFAULT_CONTEXT, None
    else:
        assert base.model is not None  # validated by the config
        if export is not None:
            predictor = Kronos.from_pretrained(export / "model")
        else:
            source, revision = (spec.model_id, base.revision or spec.revision) if spec else (base.model, base.revision)
            predictor = Kronos.from_pretrained(source, revision=revision)
        name = spec.name if spec else str(facts.get("name") or Path(base.model).name)
        context = spec.max_context if spec else int(facts.get("max_context") or DEFAULT_CONTEXT)
    _check_bits(tokenizer, predictor)
    return Base(tokenizer, predictor, context, name, digest(predictor, tokenizer), spec, trained_until(base))


def trained_until(base: BaseConfig) -> date | None:
    """Return the last day of the base model's training data, by the config or by the exported run that it is."""
    if base.trained_until is not None:
        return base.trained_until.date()
    until = _read_facts(_export_of(base.model)).get("trained_until")
    return date.fromisoformat(until[:10]) if until else None


@torch.no_grad()
def init_by_bits(predictor: Kronos, seed: int) -> None:
    """Set the codes' embeddings and logits to random sums over their bits.

    Each bit has a meaning, at least to the decoder. Codes that differ in one bit then start as neighbours and learn
    from each other, while independent weights learn each of 2^bits codes separately. Variances stay the same.
    """
    generator = torch.Generator().manual_seed(seed)
    for bits, *tables in (
        (predictor.s1_bits, predictor.embedding.emb_s1.weight, predictor.head.proj_s1.weight),
        (predictor.s2_bits, predictor.embedding.emb_s2.weight, predictor.head.proj_s2.weight),
    ):
        signs = unpack_bits(torch.arange(2**bits), bits).float() * 2 - 1  # (codes, bits)
        for table in tables:
            parts = torch.randn(bits, table.shape[1], generator=generator) * (table.std() / math.sqrt(bits))
            table.copy_(signs @ parts)


def _tokenizer(base: BaseConfig, spec: ModelSpec | None, export: Path | None, seed: int) -> KronosTokenizer:
    if base.tokenizer_shape is not None:
        return _create(KronosTokenizer, base.tokenizer_shape, "base.tokenizer_shape", seed)
    if base.tokenizer is not None:
        return KronosTokenizer.from_pretrained(base.tokenizer)
    if export is not None:
        return KronosTokenizer.from_pretrained(export / "tokenizer")
    if spec is not None:
        return KronosTokenizer.from_pretrained(spec.tokenizer_id, revision=spec.tokenizer_revision)
    if base.model is None:
        raise ConfigError(
            "There is no tokenizer: set base.tokenizer, or base.tokenizer_shape to train one from scratch."
        )
    raise ConfigError(
        "The tokenizer of {model} is unknown: set base.tokenizer to its Hub id or folder.", model=base.model
    )


def _create(kind: type[Network], shape: Mapping[str, Any], field: str, seed: int) -> Network:
    """Return a network with the random weights of a seed."""
    build: Callable[..., Network] = kind
    try:
        values = check_config(kind.config_class, shape, origin=field)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return build(**values).eval()
    except CheckpointError as error:
        reason = str(error).removeprefix(f"{field}: ")
        raise ConfigError("{field} is not a valid network: {reason}", field=field, reason=reason) from error


def _check_bits(tokenizer: KronosTokenizer, predictor: Kronos) -> None:
    ours, theirs = (f"{network.s1_bits} + {network.s2_bits}" for network in (predictor, tokenizer))
    if ours != theirs:
        raise ConfigError(
            "The predictor reads tokens of {ours} bits and the tokenizer writes {theirs}: choose a pair that was"
            " trained together.",
            ours=ours,
            theirs=theirs,
        )


def _export_of(model: str | None) -> Path | None:
    """Return the folder `model` if it is an exported run, which holds both networks."""
    folder = Path(model) if model else None
    return folder if folder is not None and all((folder / part).is_dir() for part in ("model", "tokenizer")) else None


def _read_facts(export: Path | None) -> dict[str, Any]:
    if export is None:
        return {}
    try:
        facts: dict[str, Any] = json.loads((export / FACTS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError("{path} cannot be read: export the run again.", path=str(export / FACTS)) from error
    return facts
