"""How much arithmetic and memory traffic a forecast cannot do without, counted from the shapes.

Counted are matrix products, two operations a multiplication, and what must come from memory: weights once a pass,
keys and values of the context once a step, those that samples share once for all of them. Left out are norms,
activations, biases and lookups, and the two products that can be looked up in tables made beforehand (the embedding's
fusion, the cross-attention's query): the count is a floor.

Letters: S series, R rows (S x samples), D model width, L layers.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.cases import Case
from benchmarks.shapes import Shape
from engine.config import ModelConfig, TokenizerConfig

FLOAT_BYTES = 4
WEIGHT_BYTES = {"float32": 4, "float16": 2, "int8": 1}  # the tokenizer's are always float32


@dataclass(frozen=True)
class Work:
    """Floating-point operations, and bytes that must be read."""

    flops: int = 0
    bytes: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(self.flops + other.flops, self.bytes + other.bytes)


@dataclass(frozen=True)
class Window:
    """Positions of one pass: `shared` by the samples of a series, then each row's `own`."""

    series: int
    rows: int
    shared: int
    own: int

    @property
    def length(self) -> int:
        """Return how many positions a row sees."""
        return self.shared + self.own

    @property
    def positions(self) -> int:
        """Return how many positions have to be computed, or held."""
        return self.series * self.shared + self.rows * self.own

    def pairs(self) -> int:
        """Return how many pairs of query and key causal attention over all positions has."""
        shared = self.shared * (self.shared + 1) // 2
        own = self.own * self.shared + self.own * (self.own + 1) // 2
        return self.series * shared + self.rows * own


def forecast_work(shape: Shape, case: Case, window: str, weights: str = "float32") -> dict[str, Work]:
    """Return the work of a forecast by part: encode, prefill, step, slide and decode.

    Parameters
    ----------
    weights
        How the predictor's weights are kept, a key of `WEIGHT_BYTES`.
    """
    history, context = case.history, case.context
    if window == "fit":
        history = min(history, context - case.horizon)
    seen = Window(case.series, case.paths, min(history, context), 0)
    parts = {
        "encode": encode(shape.tokenizer, Window(case.series, case.series, history, 0)),
        "prefill": whole_window(shape.model, seen, weights, first=True),
        "step": Work(),
        "slide": Work(),
    }
    start = max(0, history - context)  # of the window, counted in candles of the series
    for drawn in range(1, case.horizon):
        if history + drawn - start > context:
            start = history + drawn - context if window == "exact" else start + case.stride
            shared = max(0, history - start)
            now = Window(case.series, case.paths, shared, history + drawn - start - shared)
            parts["slide"] += whole_window(shape.model, now, weights)
        else:
            shared = max(0, history - start)
            now = Window(case.series, case.paths, shared, history + drawn - start - shared)
            parts["step"] += one_step(shape.model, now, weights)
    known = max(0, min(history + case.horizon, context) - case.horizon)
    parts["decode"] = decode(shape.tokenizer, Window(case.series, case.paths, known, case.horizon))
    return parts


def whole_window(c: ModelConfig, window: Window, weights: str = "float32", *, first: bool = False) -> Work:
    """Return the work of a window computed from its tokens, and of one draw after it.

    At the `first` draw the samples of a series still have one context, and one row of coarse logits.
    """
    products = window.positions * (c.n_layers * block_weights(c) + 2 * c.d_model**2)
    attention = 2 * c.d_model * c.n_layers * window.pairs()
    flops = 2 * (products + attention) + _draw(c, window.series if first else window.rows, window)
    return Work(flops, model_bytes(c, weights))


def one_step(c: ModelConfig, window: Window, weights: str = "float32") -> Work:
    """Return the work of one more candle a row, whose position is the last of `window`, and of one draw after it."""
    products = window.rows * (c.n_layers * block_weights(c) + 2 * c.d_model**2)
    attention = 2 * c.d_model * c.n_layers * window.rows * window.length
    held = 2 * c.d_model * (c.n_layers + 1) * window.positions * FLOAT_BYTES
    return Work(2 * (products + attention) + _draw(c, window.rows, window), model_bytes(c, weights) + held)


def _draw(c: ModelConfig, coarse_rows: int, window: Window) -> int:
    """Return the operations of coarse logits, cross-attention and fine logits at one position."""
    fine = c.d_model**2 + 2 * c.d_model * window.length + c.d_model * (1 << c.s2_bits)
    return 2 * (coarse_rows * c.d_model * (1 << c.s1_bits) + window.rows * fine)


def encode(c: TokenizerConfig, window: Window) -> Work:
    """Return the tokenizer's work on the way in."""
    return _codec(c, c.n_enc_layers - 1, window)


def decode(c: TokenizerConfig, window: Window) -> Work:
    """Return the tokenizer's work on the way out."""
    return _codec(c, c.n_dec_layers - 1, window)


def _codec(c: TokenizerConfig, blocks: int, window: Window) -> Work:
    weights = blocks * block_weights(c) + c.d_model * (c.d_in + c.bits)
    attention = 2 * c.d_model * blocks * window.pairs()
    return Work(2 * (window.positions * weights + attention), weights * FLOAT_BYTES)


def block_weights(c: ModelConfig | TokenizerConfig) -> int:
    """Return the number of weights of one Transformer block."""
    return 4 * c.d_model**2 + 3 * c.d_model * c.ff_dim


def model_bytes(c: ModelConfig, weights: str = "float32") -> int:
    """Return the bytes of the weights that a step reads: blocks, cross-attention without its query, both heads."""
    heads = c.d_model * ((1 << c.s1_bits) + (1 << c.s2_bits))
    return WEIGHT_BYTES[weights] * (c.n_layers * block_weights(c) + 3 * c.d_model**2 + heads)


def own_bytes(c: ModelConfig, case: Case, window: str) -> int:
    """Return the bytes of the keys and values that belong to single paths: blocks and cross-attention."""
    own = case.horizon - 1 if window == "fit" else min(case.horizon - 1, case.context)
    return 2 * c.d_model * (c.n_layers + 1) * own * case.paths * FLOAT_BYTES


def plain_products(shape: Shape, case: Case) -> int:
    """Return the operations of the plain loop's linear layers: what it costs to compute everything anew.

    The attention's own products are left out: their number depends on how a kernel treats the causal mask.
    """
    c, t = shape.model, shape.tokenizer
    everywhere = c.n_layers * block_weights(c) + 4 * c.d_model**2 + c.d_model * ((1 << c.s1_bits) + (1 << c.s2_bits))
    once = 2 * c.d_model**2  # the cross-attention's query and its output: one position a row
    lengths = [min(case.history + drawn, case.context) for drawn in range(case.horizon)]
    into = case.history * ((t.n_enc_layers - 1) * block_weights(t) + t.d_model * (t.d_in + t.bits))
    last = min(case.history + case.horizon, case.context)
    out = last * ((t.n_dec_layers - 1) * block_weights(t) + t.d_model * (t.d_in + t.bits))
    return 2 * case.paths * (sum(lengths) * everywhere + case.horizon * once + into + out)
