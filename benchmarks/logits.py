"""How far reduced weights move the logits of the next candle."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.shapes import Inputs
from benchmarks.yardstick import Prepared, prepare
from engine.predictor import KronosPredictor


def logit_error(exact: KronosPredictor, reduced: KronosPredictor, data: Sequence[Inputs]) -> dict[str, float]:
    """Return the `max` and `rms` difference, and the latter `of_spread`, the standard deviation of a row of logits.

    Coarse and fine logits after each history of `data` count alike; both predictors are given the coarse token that
    the exact one finds likeliest.
    """
    apart, spread = [], []
    for inputs in data:
        prepared = prepare(inputs, exact)
        *expected, given = next_logits(exact, prepared)
        *found, _ = next_logits(reduced, prepared, given)
        for ours, theirs in zip(expected, found, strict=True):
            apart.append((theirs - ours).flatten())
            spread.append(ours.std(dim=-1))
    error = torch.cat(apart)
    rms = float(error.square().mean().sqrt())
    return {"max": float(error.abs().max()), "rms": rms, "of_spread": rms / float(torch.cat(spread).mean())}


@torch.inference_mode()
def next_logits(
    predictor: KronosPredictor, prepared: Prepared, given: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return coarse logits (S, V1), fine logits (S, V2), and the coarse ids (S,) the latter are given."""
    network, tokenizer = predictor.packed()
    s1, s2 = (ids[:, -predictor.max_context :] for ids in tokenizer.encode(prepared.x))
    stamp = prepared.stamp[:, : prepared.x.shape[1]][:, -predictor.max_context :]
    cache = network.allocate([s1.shape[1]] * len(s1), samples=1, capacity=0)
    context = network.prefill(s1, s2, network.times(stamp), cache)
    coarse: Tensor = network.head_s1(context)
    given = coarse.argmax(dim=-1) if given is None else given
    return coarse, network.fine_logits(context, given, cache), given
