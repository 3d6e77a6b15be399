"""From logits to drawn tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.arguments import check_count, check_number


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn, checked when built.

    Attributes
    ----------
    temperature
        Divides the logits; 0 takes the likeliest token.
    top_k
        Keep only so many of the likeliest tokens, and then ignore `top_p`; 0 keeps all.
    top_p
        Keep the smallest set of likeliest tokens whose probability reaches this share; 1 keeps all.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        check_number(self.temperature, "temperature", 0)
        check_count(self.top_k, "top_k", 0)
        check_number(self.top_p, "top_p", 0, 1, above=True)


def draw(logits: Tensor, how: Sampling, generators: Sequence[torch.Generator | None]) -> Tensor:
    """Return one id a row (R, 1) from `logits` (R, V).

    Draws are those of `torch.multinomial`, which races exponentials too, without its checks of the probabilities.

    Parameters
    ----------
    generators
        Sources of randomness, each for an equal share of the rows; None is PyTorch's global one.
    """
    if how.temperature == 0:
        return logits.argmax(dim=-1, keepdim=True)
    p = likeliest(logits.float() / how.temperature, how)
    race = _exponentials(p, generators)
    return torch.div(p, race, out=race).argmax(dim=-1, keepdim=True)


def _exponentials(like: Tensor, generators: Sequence[torch.Generator | None]) -> Tensor:
    """Return what `exponential_` fills a tensor like `like` with, each generator an equal share of its rows.

    On the CPU that works through one number after the other; the same formula on the same uniform numbers takes a
    quarter of the time.
    """
    if like.device.type != "cpu":
        race = torch.empty_like(like)
        for rows, generator in zip(race.chunk(len(generators)), generators, strict=True):
            rows.exponential_(generator=generator)
        return race
    uniform = torch.empty(like.shape, dtype=torch.float64)
    for rows, generator in zip(uniform.chunk(len(generators)), generators, strict=True):
        rows.uniform_(generator=generator)
    return uniform.neg_().log1p_().neg_().to(like.dtype)


def likeliest(logits: Tensor, how: Sampling) -> Tensor:
    """Return the softmax of `logits` (R, V) with all but the tokens that `how` keeps at zero.

    What is kept does not add up to 1: draws compare probabilities and ask for no more.
    """
    p = logits.softmax(dim=-1)
    if how.top_k > 0:
        smallest = logits.topk(min(how.top_k, logits.shape[-1])).values[..., -1:]
        return p.masked_fill_(logits < smallest, 0.0)
    if how.top_p < 1:
        ordered = _descending(logits)
        shares = ordered.softmax(dim=-1)
        kept = (shares.cumsum(dim=-1).sub_(shares) <= how.top_p).sum(dim=-1, keepdim=True)  # the one that crosses stays
        return p.masked_fill_(logits < ordered.gather(-1, kept - 1), 0.0)
    return p


def _descending(x: Tensor) -> Tensor:
    """Return the rows of `x` sorted; on the CPU by NumPy, which sorts values alone many times faster."""
    if x.device.type == "cpu":
        return torch.from_numpy(np.sort(x.numpy(), axis=-1)).flip(-1)
    return x.sort(dim=-1, descending=True).values
