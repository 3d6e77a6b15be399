"""How paths are drawn: the settings of a forecast, and the step from logits to tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.arguments import check_choice, check_count, check_number, check_seed

WINDOWS = ("fit", "exact", "strided")
MAX_SAMPLES = 10_000


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn, checked when built.

    Attributes
    ----------
    temperature
        Divides the logits; 0 takes the most likely token.
    top_k
        Number of most likely tokens to keep, without regard to `top_p`; 0 keeps all.
    top_p
        Keep the smallest set of most likely tokens whose total probability reaches `top_p`; 1 keeps all.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        check_number(self.temperature, "temperature", 0)
        check_count(self.top_k, "top_k", 0)
        check_number(self.top_p, "top_p", 0, 1, above=True)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a forecast, checked when built: the keyword arguments of `KronosPredictor.forecast`.

    Attributes
    ----------
    samples
        Number of paths.
    temperature, top_k, top_p
        See `Sampling`; a `top_k` of None is 0.
    seed
        The same seed gives the same paths, independent of everything else in the process; None draws a new seed.
    window
        What to do when history and horizon together exceed the model's context. `fit` shortens the history so that both
        fit. `exact` slides as the published implementation does and recomputes the whole window for every candle past
        the context. `strided` drops the oldest `stride` candles at once and continues until the window is full again:
        an approximation; docs/benchmarks.md has its cost in CRPS.
    stride
        Candles that `strided` drops at a time; 1 is `exact`.
    """

    samples: int = 100
    temperature: float = 1.0
    top_k: int | None = 0
    top_p: float = 1.0
    seed: int | None = None
    window: str = "fit"
    stride: int = 64

    def __post_init__(self) -> None:
        checked = {
            "samples": check_count(self.samples, "samples", 1, MAX_SAMPLES),
            "top_k": 0 if self.top_k is None else self.top_k,
            "seed": check_seed(self.seed),
            "window": check_choice(self.window, "window", WINDOWS),
            "stride": check_count(self.stride, "stride", 1),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        _ = self.sampling  # checks the rest

    @property
    def sampling(self) -> Sampling:
        """Return how tokens are drawn."""
        return Sampling(self.temperature, self.top_k or 0, self.top_p)


def draw_tokens(logits: Tensor, sampling: Sampling, generators: Sequence[torch.Generator | None]) -> Tensor:
    """Return one token id a row, (R, 1), drawn from `logits` (R, V).

    The ids are those of `torch.multinomial`, which divides by exponentials too, without its checks.

    Parameters
    ----------
    generators
        Sources of randomness, each for an equal share of the rows; None is PyTorch's global generator.
    """
    if sampling.temperature == 0:
        return logits.argmax(dim=-1, keepdim=True)
    p = compute_probabilities(logits.float() / sampling.temperature, sampling)
    exponentials = _draw_exponentials(p, generators)
    return torch.div(p, exponentials, out=exponentials).argmax(dim=-1, keepdim=True)


def _draw_exponentials(like: Tensor, generators: Sequence[torch.Generator | None]) -> Tensor:
    """Return a tensor like `like` filled as by `exponential_`, an equal share of its rows by each generator.

    `exponential_` on the CPU computes one number after another; the same formula applied to the same uniform numbers
    takes a quarter of the time.
    """
    if like.device.type != "cpu":
        exponentials = torch.empty_like(like)
        for rows, generator in zip(exponentials.chunk(len(generators)), generators, strict=True):
            rows.exponential_(generator=generator)
        return exponentials
    uniform = torch.empty(like.shape, dtype=torch.float64)
    for rows, generator in zip(uniform.chunk(len(generators)), generators, strict=True):
        rows.uniform_(generator=generator)
    return uniform.neg_().log1p_().neg_().to(like.dtype)


def compute_probabilities(logits: Tensor, sampling: Sampling) -> Tensor:
    """Return the softmax of `logits` (R, V), zero for tokens that `sampling` excludes.

    The rest is not normalised to 1: a draw only compares probabilities.
    """
    p = logits.softmax(dim=-1)
    if sampling.top_k > 0:
        smallest = logits.topk(min(sampling.top_k, logits.shape[-1])).values[..., -1:]
        return p.masked_fill_(logits < smallest, 0.0)
    if sampling.top_p < 1:
        ordered = _sort_descending(logits)
        shares = ordered.softmax(dim=-1)
        # The token that crosses top_p is still included.
        included = (shares.cumsum(dim=-1).sub_(shares) <= sampling.top_p).sum(dim=-1, keepdim=True)
        return p.masked_fill_(logits < ordered.gather(-1, included - 1), 0.0)
    return p


def _sort_descending(x: Tensor) -> Tensor:
    """Return `x` with each row sorted, largest first; NumPy sorts many times faster on the CPU."""
    if x.device.type == "cpu":
        return torch.from_numpy(np.sort(x.numpy(), axis=-1)).flip(-1)
    return x.sort(dim=-1, descending=True).values
