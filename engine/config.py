"""Shapes of the two networks, checked when built. Field names are those of the published `config.json`."""

from __future__ import annotations

from dataclasses import dataclass, fields

from engine.errors import CheckpointError

MAX_LAYERS = 256  # a hostile config must not exhaust the memory before its weights are compared
UNPUBLISHED = frozenset({"shared_deviation"})  # fields of ours: optional, and written only if set
UNPUBLISHED_NOTE = (
    "The published Kronos package loads this checkpoint but does not know shared_deviation: it divides each price by "
    "its own deviation, so its forecasts differ from those of Kronos Desk."
)
MAX_BITS = 20  # 2^20 logits a head; the published checkpoints use 10


@dataclass(frozen=True)
class TokenizerConfig:
    """Shape and loss weights of a `KronosTokenizer`; the defaults are those of the published base tokenizer.

    `shared_deviation` is ours: all four prices are divided by the deviation of the close; the published package divides
    each price by its own. All prices then have one unit. With separate units, an outlier among the highs of a window
    can decode to a high below the close.
    """

    d_in: int = 6
    d_model: int = 256
    n_heads: int = 4
    ff_dim: int = 512
    n_enc_layers: int = 4
    n_dec_layers: int = 4
    ffn_dropout_p: float = 0.0
    attn_dropout_p: float = 0.0
    resid_dropout_p: float = 0.0
    s1_bits: int = 10
    s2_bits: int = 10
    beta: float = 0.05
    gamma0: float = 1.0
    gamma: float = 1.1
    zeta: float = 0.05
    group_size: int = 4
    shared_deviation: bool = False

    def __post_init__(self) -> None:
        _check(self, positive=("d_in", "d_model", "n_heads", "ff_dim", "n_enc_layers", "n_dec_layers", "group_size"))

    @property
    def bits(self) -> int:
        """Return the number of bits of a whole code."""
        return self.s1_bits + self.s2_bits


@dataclass(frozen=True)
class ModelConfig:
    """Shape of a `Kronos` predictor; the defaults are those of the published Kronos-small."""

    s1_bits: int = 10
    s2_bits: int = 10
    n_layers: int = 8
    d_model: int = 512
    n_heads: int = 8
    ff_dim: int = 1024
    ffn_dropout_p: float = 0.25
    attn_dropout_p: float = 0.1
    resid_dropout_p: float = 0.25
    token_dropout_p: float = 0.1
    learn_te: bool = True

    def __post_init__(self) -> None:
        _check(self, positive=("n_layers", "d_model", "n_heads", "ff_dim"))
        if self.d_model % 8:
            raise CheckpointError(
                f"d_model={self.d_model} must be a multiple of 8: the cross-attention has 4 rotary heads."
            )


def _check(config: TokenizerConfig | ModelConfig, *, positive: tuple[str, ...]) -> None:
    values = {f.name: getattr(config, f.name) for f in fields(config)}
    for name in positive:
        if values[name] < 1:
            raise CheckpointError(f"{name}={values[name]} must be at least 1.")
        if name.endswith("_layers") and values[name] > MAX_LAYERS:
            raise CheckpointError(f"{name}={values[name]} must be at most {MAX_LAYERS}.")
    for name in ("s1_bits", "s2_bits"):
        if not 1 <= values[name] <= MAX_BITS:
            raise CheckpointError(f"{name}={values[name]} must lie between 1 and {MAX_BITS}.")
    for name, value in values.items():
        if name.endswith("_dropout_p") and not 0 <= value < 1:
            raise CheckpointError(f"{name}={value} must lie in [0, 1).")
    if config.d_model % (2 * config.n_heads):
        raise CheckpointError(
            f"d_model={config.d_model} must be a multiple of 2 x n_heads={2 * config.n_heads} for rotary pairs."
        )
