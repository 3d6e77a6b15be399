"""Continue tokenised histories, one candle a step.

Shapes: S series, R = S x samples rows (series-major), T history tokens, N horizon.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from engine.kv_cache import KVCache
from engine.sampling import Sampling, draw
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos

ROWS_AT_ONCE = 16  # whole windows computed together: bounds memory, hardly costs time

OnStep = Callable[[int, int], None]


def generate(
    model: Kronos,
    tokens: tuple[Tensor, Tensor],
    stamp: Tensor,
    *,
    samples: int,
    max_context: int,
    how: Sampling,
    generator: torch.Generator | None = None,
    on_step: OnStep | None = None,
) -> tuple[Tensor, Tensor]:
    """Draw `samples` continuations of each history.

    While the window grows, each step computes the new candle alone. Once it is full it slides: positions restart at
    zero and every state is computed anew, because the old ones had attended to the candle that left.

    Parameters
    ----------
    tokens
        Coarse and fine ids (S, T).
    stamp
        Time marks (S, T + N, 5) of history and horizon.
    max_context
        Most tokens the model sees.
    generator
        Source of randomness; PyTorch's global one where None. A step draws all coarse tokens, then all fine ones.
    on_step
        Called after each step with (done, N); may raise to cancel.

    Returns
    -------
    tuple
        Coarse and fine ids (R, T + N), history included.
    """
    length, horizon = tokens[0].shape[1], stamp.shape[1] - tokens[0].shape[1]
    start = max(0, length - max_context)
    cache = KVCache(len(model.transformer), samples, max(0, min(horizon - 1, max_context - length)))
    context = model.prefill(tokens[0][:, start:], tokens[1][:, start:], stamp[:, start:length], cache)
    context = context.repeat_interleave(samples, dim=0)
    s1, s2 = (torch.nn.functional.pad(ids.repeat_interleave(samples, dim=0), (0, horizon)) for ids in tokens)
    stamp = stamp.repeat_interleave(samples, dim=0)
    for now in range(length, length + horizon):
        if now > length and now <= max_context:
            context = model.step(s1[:, now - 1 : now], s2[:, now - 1 : now], stamp[:, now - 1 : now], cache)
        if now == length or now <= max_context:
            s1[:, now : now + 1] = draw(model.head.proj_s1(context[:, -1]), how, generator)
            s2[:, now : now + 1] = draw(model.fine_logits(context, s1[:, now : now + 1], cache), how, generator)
        else:
            window = slice(now - max_context, now)
            _draw_from_whole_windows(model, s1, s2, stamp, window, how, generator)
        if on_step:
            on_step(now - length + 1, horizon)
    return s1, s2


def _draw_from_whole_windows(
    model: Kronos,
    s1: Tensor,
    s2: Tensor,
    stamp: Tensor,
    window: slice,
    how: Sampling,
    generator: torch.Generator | None,
) -> None:
    """Draw the candle after `window` of every row into `s1` and `s2`, each row with a context of its own."""
    now = window.stop
    contexts, caches = [], []
    for rows in range(0, len(s1), ROWS_AT_ONCE):
        part = slice(rows, rows + ROWS_AT_ONCE)
        cache = KVCache(0, 1, 0)
        contexts.append(model.prefill(s1[part, window], s2[part, window], stamp[part, window], cache))
        caches.append(cache)
    s1[:, now : now + 1] = draw(model.head.proj_s1(torch.cat(contexts)[:, -1]), how, generator)
    given = torch.split(s1[:, now : now + 1], ROWS_AT_ONCE)
    fine = [model.fine_logits(*inputs) for inputs in zip(contexts, given, caches, strict=True)]
    s2[:, now : now + 1] = draw(torch.cat(fine), how, generator)


def decode_tail(tokenizer: KronosTokenizer, s1: Tensor, s2: Tensor, *, max_context: int, horizon: int) -> Tensor:
    """Return normalised candles (R, horizon, 6) of the last `horizon` tokens, decoded with the last `max_context`."""
    tail = slice(-max_context, None)
    parts = zip(*(torch.split(ids[:, tail], ROWS_AT_ONCE) for ids in (s1, s2)), strict=True)
    return torch.cat([tokenizer.decode(pair, half=True)[:, -horizon:] for pair in parts])
