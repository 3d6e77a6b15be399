"""The networks that training begins with: from the registry, the Hub, a folder, or made from scratch."""

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
from engine.checkpoint import check_config, digest
from engine.errors import CheckpointError
from engine.quantizer import unpack_bits
from engine.registry import ModelSpec, find_spec
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from training.errors import ConfigError, Message, message
from training.run.config import BaseConfig, RunConfig

ABOUT = "kronos.json"  # in an exported run: what no checkpoint's config holds
Network = TypeVar("Network", Kronos, KronosTokenizer)


@dataclass(frozen=True)
class Base:
    """What training begins with.

    Attributes
    ----------
    tokenizer, predictor
        Networks whose bits agree, on the CPU, in eval mode.
    max_context
        Most candles the predictor sees, history and forecast together.
    name
        To be shown: a registry name, a folder's, or that of the run where the predictor is made from scratch.
    digest
        SHA-256, in hex, of both networks' shapes and weights.
    spec
        What the registry knows of the predictor, if anything.
    trained_until
        Last day of what the predictor was trained on, as the config or an exported run says; else ask `spec`.
    """

    tokenizer: KronosTokenizer
    predictor: Kronos
    max_context: int
    name: str
    digest: str
    spec: ModelSpec | None
    trained_until: date | None


def build_base(config: RunConfig) -> Base:
    """Load or make the networks that a run begins with.

    A shape goes before a name: with `shape`, the model that is named gives its tokenizer only.

    Raises
    ------
    ConfigError
        A shape has unknown, missing or impossible entries, no tokenizer is known for the model, or the two do not fit.
    KronosError
        A checkpoint cannot be found or read.
    """
    base, exported = config.base, _exported(config.base.model)
    spec = find_spec(base.model) if base.model is not None else None
    about = _about(exported)
    tokenizer = _tokenizer(base, spec, exported, config.seed)
    if base.shared_deviation is not None:
        tokenizer.config = replace(tokenizer.config, shared_deviation=base.shared_deviation)
    if base.shape is not None:
        predictor = _made(Kronos, base.shape, "base.shape", config.seed)
        if base.by_bits:
            begin_by_bits(predictor, config.seed)
        name, context, spec = config.name, DEFAULT_CONTEXT, None
    else:
        assert base.model is not None  # the config sees to it
        predictor = _loaded_predictor(base, base.model, spec, exported)
        name = spec.name if spec else str(about.get("name") or Path(base.model).name)
        context = spec.max_context if spec else int(about.get("max_context") or DEFAULT_CONTEXT)
    _check_bits(tokenizer, predictor)
    return Base(tokenizer, predictor, context, name, digest(predictor, tokenizer), spec, known_until(base))


def known_until(base: BaseConfig) -> date | None:
    """Return the last day of what the base was trained on, as the config says, or the exported run that it is."""
    if base.trained_until is not None:
        return base.trained_until.date()
    until = _about(_exported(base.model)).get("trained_until")
    return date.fromisoformat(until[:10]) if until else None


@torch.no_grad()
def begin_by_bits(predictor: Kronos, seed: int) -> None:
    """Give the codes' embeddings and logits fresh weights that are sums over their bits.

    Bits mean something each, to the decoder at least, which takes them one by one. Codes that differ
    in one bit then begin as neighbours, and what is learned of one is learned of the others, where independent weights
    would have to meet each of 2^bits codes by itself. The weights' variances are those of a predictor made without.
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


def _loaded_predictor(base: BaseConfig, model: str, spec: ModelSpec | None, exported: Path | None) -> Kronos:
    if exported is not None:
        return Kronos.from_pretrained(exported / "model")
    source, revision = (spec.model_id, base.revision or spec.revision) if spec else (model, base.revision)
    return Kronos.from_pretrained(source, revision=revision)


def _tokenizer(base: BaseConfig, spec: ModelSpec | None, exported: Path | None, seed: int) -> KronosTokenizer:
    if base.tokenizer_shape is not None:
        return _made(KronosTokenizer, base.tokenizer_shape, "base.tokenizer_shape", seed)
    if base.tokenizer is not None:
        return KronosTokenizer.from_pretrained(base.tokenizer)
    if exported is not None:
        return KronosTokenizer.from_pretrained(exported / "tokenizer")
    if spec is not None:
        return KronosTokenizer.from_pretrained(spec.tokenizer_id, revision=spec.tokenizer_revision)
    if base.model is None:
        raise ConfigError(
            message("No tokenizer is named: set base.tokenizer, or base.tokenizer_shape to make one from scratch.")
        )
    raise ConfigError(
        message("No tokenizer is known for {model}: set base.tokenizer to its Hub id or folder.", model=base.model)
    )


def _made(kind: type[Network], shape: Mapping[str, Any], field: str, seed: int) -> Network:
    """Return a network of fresh weights; those of a seed are always the same."""
    build: Callable[..., Network] = kind
    try:
        values = check_config(kind.config_class, shape, origin=field)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return build(**values).eval()
    except CheckpointError as error:
        raise ConfigError(_about_shape(field, str(error))) from error


def _about_shape(field: str, reason: str) -> Message:
    return message(
        "{field} describes no network that can be made: {reason}", field=field, reason=reason.removeprefix(f"{field}: ")
    )


def _check_bits(tokenizer: KronosTokenizer, predictor: Kronos) -> None:
    ours, theirs = ((network.s1_bits, network.s2_bits) for network in (predictor, tokenizer))
    if ours != theirs:
        raise ConfigError(
            message(
                "The predictor reads tokens of {ours} bits and the tokenizer writes {theirs}: choose a pair that was"
                " trained together.",
                ours="{} + {}".format(*ours),
                theirs="{} + {}".format(*theirs),
            )
        )


def _exported(model: str | None) -> Path | None:
    """Return the folder of an exported run, which holds both networks, where `model` is one."""
    folder = Path(model) if model else None
    return folder if folder is not None and all((folder / part).is_dir() for part in ("model", "tokenizer")) else None


def _about(exported: Path | None) -> dict[str, Any]:
    if exported is None:
        return {}
    try:
        about: dict[str, Any] = json.loads((exported / ABOUT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(
            message("{path} cannot be read: export the run again.", path=str(exported / ABOUT))
        ) from error
    return about
