"""Generation as plainly as it can be written: no cache, every step computes the whole window of every sample anew.

The yardstick of the benchmarks, at the cost of the published loop, and the oracle of the tests.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.sampling import Sampling, draw
from engine.transformer import Kronos


@torch.inference_mode()
def generate_plainly(
    model: Kronos,
    tokens: tuple[Tensor, Tensor],
    stamp: Tensor,
    *,
    samples: int,
    max_context: int,
    how: Sampling,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Return what `engine.generate.generate` returns for the same arguments."""
    s1, s2, stamp = (x.repeat_interleave(samples, dim=0) for x in (*tokens, stamp))
    while s1.shape[1] < stamp.shape[1]:
        window = slice(max(0, s1.shape[1] - max_context), s1.shape[1])
        logits, context = model.decode_s1(s1[:, window], s2[:, window], stamp[:, window])
        coarse = draw(logits[:, -1], how, generator)
        fine = draw(model.decode_s2(context, coarse)[:, -1], how, generator)
        s1, s2 = torch.cat((s1, coarse), dim=1), torch.cat((s2, fine), dim=1)
    return s1, s2
