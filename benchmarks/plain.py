"""The plain loop: forecasting without a cache; every step recomputes the whole window of every sample.

The baseline of the benchmarks, with the cost of the published `predict`, and the oracle of the tests. It uses only the
plain networks of the engine (`encode`, `decode_s1`, `decode_s2`, `decode`) and its own code to draw, so that it stays
as slow when the engine becomes faster: `tests/benchmarks/test_plain.py` counts its operations.

Shapes: S series, R = S x samples rows (series-major), T history tokens, N horizon, V tokens of a vocabulary.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from engine.sampling import Sampling
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos


@torch.inference_mode()
def predict_plainly(
    model: Kronos,
    tokenizer: KronosTokenizer,
    x: Tensor,
    stamp: Tensor,
    *,
    samples: int,
    max_context: int,
    sampling: Sampling,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return the mean over the samples, normalised candles (S, N, 6), as the published `predict` computes it.

    Parameters
    ----------
    x
        Normalised history (S, T, 6).
    stamp
        Time marks (S, T + N, 5) of history and horizon.
    """
    horizon = stamp.shape[1] - x.shape[1]
    tokens = encode_plainly(tokenizer, x, samples)
    rows = stamp.repeat_interleave(samples, dim=0)
    s1, s2 = generate_plainly(
        model, tokens, rows, samples=1, max_context=max_context, sampling=sampling, generator=generator
    )
    candles = decode_plainly(tokenizer, s1, s2, max_context)[:, -horizon:]
    return candles.view(len(x), samples, horizon, -1).mean(dim=1)  # (R, N, 6) -> (S, samples, N, 6) -> (S, N, 6)


def encode_plainly(tokenizer: KronosTokenizer, x: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """Return coarse and fine ids (R, T) of normalised candles (S, T, 6), encoded once for each sample."""
    tokens = tokenizer.encode(x.repeat_interleave(samples, dim=0), half=True)
    assert isinstance(tokens, tuple)
    return tokens


@torch.inference_mode()
def generate_plainly(
    model: Kronos,
    tokens: tuple[Tensor, Tensor],
    stamp: Tensor,
    *,
    samples: int,
    max_context: int,
    sampling: Sampling,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Return coarse and fine ids (R, T + N): `tokens` (S, T) continued to the end of `stamp` (S, T + N, 5)."""
    s1, s2, stamp = (x.repeat_interleave(samples, dim=0) for x in (*tokens, stamp))
    while s1.shape[1] < stamp.shape[1]:
        coarse, fine = step_plainly(
            model, s1, s2, stamp, max_context=max_context, sampling=sampling, generator=generator
        )
        s1, s2 = torch.cat((s1, coarse), dim=1), torch.cat((s2, fine), dim=1)
    return s1, s2


def step_plainly(
    model: Kronos,
    s1: Tensor,
    s2: Tensor,
    stamp: Tensor,
    *,
    max_context: int,
    sampling: Sampling,
    generator: torch.Generator | None,
) -> tuple[Tensor, Tensor]:
    """Return the next coarse and fine ids, each (R, 1), after recomputing all positions of all rows."""
    window = slice(max(0, s1.shape[1] - max_context), s1.shape[1])
    logits, context = model.decode_s1(s1[:, window], s2[:, window], stamp[:, window])
    coarse = draw_plainly(logits[:, -1], sampling, generator)
    return coarse, draw_plainly(model.decode_s2(context, coarse)[:, -1], sampling, generator)


def decode_plainly(tokenizer: KronosTokenizer, s1: Tensor, s2: Tensor, max_context: int) -> Tensor:
    """Return normalised candles (R, up to `max_context`, 6) of the last tokens of every row."""
    return tokenizer.decode((s1[:, -max_context:], s2[:, -max_context:]), half=True)


def draw_plainly(logits: Tensor, sampling: Sampling, generator: torch.Generator | None) -> Tensor:
    """Return one id a row, (R, 1), drawn from `logits` (R, V); `top_p` sorts all tokens."""
    if sampling.temperature == 0:
        return logits.argmax(dim=-1, keepdim=True)
    logits = logits / sampling.temperature
    if sampling.top_k > 0:
        smallest = logits.topk(min(sampling.top_k, logits.shape[-1])).values[..., -1:]
        logits = logits.masked_fill(logits < smallest, -math.inf)
    elif sampling.top_p < 1:
        ordered, order = logits.sort(dim=-1, descending=True)
        p = ordered.softmax(dim=-1)
        surplus = p.cumsum(dim=-1) - p > sampling.top_p  # the token that crosses top_p is included
        logits = logits.masked_fill(torch.zeros_like(surplus).scatter(-1, order, surplus), -math.inf)
    return torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)
