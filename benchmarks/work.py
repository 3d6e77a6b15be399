"""The least arithmetic and memory traffic of a forecast, counted from the shapes.

Counted are matrix products, two operations a multiplication, and reads from memory: weights once a pass, keys and
values of the context once a step, and once for all samples that share them. Not counted are norms, activations, biases
and look-ups, and the two products that tables can replace (the fusion of the embeddings, the query of the
cross-attention).

Letters: S series, R rows (S x samples), D model width, L layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.cases import Case
from benchmarks.shapes import Shape
from engine.config import ModelConfig, TokenizerConfig

FLOAT_BYTES = 4
WEIGHT_BYTES = {"float32": 4, "float16": 2, "int8": 1}  # the tokenizer's are always float32


@dataclass(frozen=True)
class Work:
    """Floating-point operations, and bytes to read."""

    flops: int = 0
    bytes: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(self.flops + other.flops, self.bytes + other.bytes)


@dataclass(frozen=True)
class Window:
    """Positions of one pass: those `shared` by the samples of a series, then each row's `own`."""

    series: int
    rows: int
    shared: int
    own: int

    @property
    def length(self) -> int:
        """Return the number of positions that a row sees."""
        return self.shared + self.own

    @property
    def positions(self) -> int:
        """Return the number of positions to compute or store."""
        return self.series * self.shared + self.rows * self.own

    def pairs(self) -> int:
        """Return the number of pairs of query and key in causal attention over all positions."""
        shared = self.shared * (self.shared + 1) // 2
        own = self.own * self.shared + self.own * (self.own + 1) // 2
        return self.series * shared + self.rows * own


def forecast_work(shape: Shape, case: Case, window: str, weights: str = "float32") -> dict[str, Work]:
    """Return the work of a forecast by part: encode, prefill, step, slide and decode.

    Parameters
    ----------
    weights
        Precision of the predictor's weights, a key of `WEIGHT_BYTES`.
    """
    history, context = case.history, case.context
    if window == "fit":
        history = min(history, context - case.horizon)
    seen = Window(case.series, case.paths, min(history, context), 0)
    parts = {
        "encode": tokenizer_work(shape.tokenizer, Window(case.series, case.series, history, 0), "encode"),
        "prefill": whole_window(shape.model, seen, weights, first=True),
        "step": Work(),
        "slide": Work(),
    }
    start = max(0, history - context)  # of the window, counted in candles of the series
    for drawn in range(1, case.horizon):
        slides = history + drawn - start > context
        if slides:
            start = history + drawn - context if window == "exact" else start + case.stride
        shared = max(0, history - start)
        now = Window(case.series, case.paths, shared, history + drawn - start - shared)
        if slides:
            parts["slide"] += whole_window(shape.model, now, weights)
        else:
            parts["step"] += one_step(shape.model, now, weights)
    known = max(0, min(history + case.horizon, context) - case.horizon)
    parts["decode"] = tokenizer_work(shape.tokenizer, Window(case.series, case.paths, known, case.horizon), "decode")
    return parts


def whole_window(c: ModelConfig, window: Window, weights: str = "float32", *, first: bool = False) -> Work:
    """Return the work of a whole window, and of one draw after it.

    At the `first` draw the samples of a series share one context and one row of coarse logits.
    """
    products = window.positions * (c.n_layers * block_weights(c) + 2 * c.d_model**2)
    attention = 2 * c.d_model * c.n_layers * window.pairs()
    flops = 2 * (products + attention) + _draw(c, window.series if first else window.rows, window)
    return Work(flops, count_weight_bytes(c, weights))


def one_step(c: ModelConfig, window: Window, weights: str = "float32") -> Work:
    """Return the work of one more candle for each row, at the last position of `window`, and of one draw after it."""
    products = window.rows * (c.n_layers * block_weights(c) + 2 * c.d_model**2)
    attention = 2 * c.d_model * c.n_layers * window.rows * window.length
    held = 2 * c.d_model * (c.n_layers + 1) * window.positions * FLOAT_BYTES
    return Work(2 * (products + attention) + _draw(c, window.rows, window), count_weight_bytes(c, weights) + held)


def _draw(c: ModelConfig, coarse_rows: int, window: Window) -> int:
    """Return the operations of coarse logits, cross-attention and fine logits at one position."""
    fine = c.d_model**2 + 2 * c.d_model * window.length + c.d_model * (1 << c.s2_bits)
    return 2 * (coarse_rows * c.d_model * (1 << c.s1_bits) + window.rows * fine)


def tokenizer_work(c: TokenizerConfig, window: Window, part: Literal["encode", "decode"]) -> Work:
    """Return the work of the tokenizer's encoder or decoder."""
    blocks = (c.n_enc_layers if part == "encode" else c.n_dec_layers) - 1
    weights = blocks * block_weights(c) + c.d_model * (c.d_in + c.bits)
    attention = 2 * c.d_model * blocks * window.pairs()
    return Work(2 * (window.positions * weights + attention), weights * FLOAT_BYTES)


def block_weights(c: ModelConfig | TokenizerConfig) -> int:
    """Return the number of weights of one Transformer block."""
    return 4 * c.d_model**2 + 3 * c.d_model * c.ff_dim


def count_weight_bytes(c: ModelConfig, weights: str = "float32") -> int:
    """Return the bytes of weights that a step reads: blocks, cross-attention without its query, both heads."""
    heads = c.d_model * ((1 << c.s1_bits) + (1 << c.s2_bits))
    return WEIGHT_BYTES[weights] * (c.n_layers * block_weights(c) + 3 * c.d_model**2 + heads)


def count_own_bytes(c: ModelConfig, case: Case, window: str) -> int:
    """Return the bytes of keys and values of single paths: blocks and cross-attention."""
    own = case.horizon - 1 if window == "fit" else min(case.horizon - 1, case.context)
    return 2 * c.d_model * (c.n_layers + 1) * own * case.paths * FLOAT_BYTES
