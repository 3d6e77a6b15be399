"""Training in its plainest form: the baseline of `benchmarks.training`, and the oracle of its tests.

Windows are cut from data frames one by one. A step costs the same as the published recipe's: the tokenizer encodes the
batch in every step, the network computes logits at all positions, and AdamW is PyTorch's default.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.candles import FEATURES, VOLUME, Normaliser, time_marks
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from training.fit.corpus import Corpus
from training.fit.windows import WindowSampler


@dataclass(frozen=True)
class Place:
    """A window: candles from `start` on of a series, `prefix` of them history; some lose their volume."""

    series: int
    start: int
    prefix: int
    lost: bool = False


def frames_of(corpus: Corpus) -> list[pd.DataFrame]:
    """Return a data frame for each segment."""
    return [
        pd.DataFrame(corpus.values[s.start : s.stop].astype(np.float64), columns=list(FEATURES)).assign(
            timestamp=pd.DatetimeIndex(corpus.times[s.start : s.stop])
        )
        for s in corpus.segments
    ]


def plain_batch(frames: list[pd.DataFrame], places: Iterable[Place], size: int) -> tuple[Tensor, Tensor]:
    """Return normalised candles (B, T, 6) and time marks (B, T, 5) of some windows, computed one by one."""
    windows = [_window(frames[place.series], place, size) for place in places]
    x, stamp = (np.stack(part) for part in zip(*windows, strict=True))
    return torch.from_numpy(x), torch.from_numpy(stamp)


def places_of(sampler: WindowSampler, numbers: np.ndarray) -> list[Place]:
    """Return the places of the windows `numbers` (B,), found by counting instead of tables."""
    segments, stride = sampler.corpus.segments, sampler.window.stride
    order = sorted(range(len(segments)), key=lambda index: segments[index].group)
    counts = [segments[index].windows(sampler.window.size, stride) for index in order]
    places = []
    for number, prefix, lost in zip(
        numbers.tolist(), sampler.prefix(numbers).tolist(), sampler.loses_volume(numbers).tolist(), strict=True
    ):
        member = 0
        while number >= counts[member]:
            number, member = number - counts[member], member + 1
        places.append(Place(order[member], number * stride, prefix, lost))
    return places


def _window(frame: pd.DataFrame, place: Place, size: int) -> tuple[np.ndarray, np.ndarray]:
    part = frame.iloc[place.start : place.start + size]
    stamp = time_marks(pd.DatetimeIndex(part["timestamp"]))
    values = np.ascontiguousarray(part[list(FEATURES)].to_numpy(np.float64))  # the order of sums: candle by candle
    if place.lost:
        values[:, VOLUME:] = 0.0
    return Normaliser.fit(values[: place.prefix]).apply(values), stamp


class PlainStep:
    """The published recipe's step on a predictor: teacher forcing, both cross-entropies at all positions, clip 3."""

    def __init__(self, tokenizer: KronosTokenizer, model: Kronos) -> None:
        self.tokenizer, self.model = tokenizer.eval(), model.train()
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=4e-5, betas=(0.9, 0.95), weight_decay=0.1)

    def __call__(self, x: Tensor, stamp: Tensor) -> float:
        """Learn from normalised candles (B, T, 6) and time marks (B, T, 5); return the loss."""
        with torch.no_grad():
            s1, s2 = self.tokenizer.encode(x, half=True)
        inputs, targets = (s1[:, :-1], s2[:, :-1]), (s1[:, 1:], s2[:, 1:])
        logits = self.model(*inputs, stamp[:, :-1], use_teacher_forcing=True, s1_targets=targets[0])
        coarse, fine = (F.cross_entropy(a.flatten(0, 1), b.flatten()) for a, b in zip(logits, targets, strict=True))
        loss = (coarse + fine) / 2
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # of torch
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), max_norm=3.0)
        self.optimizer.step()
        return loss.item()
