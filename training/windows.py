"""Training windows: which candles, normalised by what was known, and which of them are learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.candles import Normaliser
from training.config import TrainingConfig
from training.corpus import Corpus


@dataclass(frozen=True)
class Batch:
    """Normalised candles (B, T, 6), time marks (B, T, 5) and where each history ends (B,)."""

    x: Tensor
    stamp: Tensor
    prefix: Tensor

    @property
    def after(self) -> Tensor:
        """Return (B, T), true at the candles after the history: the only ones the predictor's loss is taken on."""
        return torch.arange(self.x.shape[1]) >= self.prefix[:, None]


class WindowSampler:
    """Draws windows; the same config and step give the same batch, whatever came before.

    A market's share is its number of rows to the power `config.balance`, so that the largest does not drown the rest.
    """

    def __init__(self, corpus: Corpus, config: TrainingConfig) -> None:
        self.corpus, self.config = corpus, config
        segments = [s for s in corpus.segments if s.stop - s.start >= config.window]
        if not segments:
            raise ValueError(f"No series has {config.window} candles without a break: choose a shorter window.")
        self.groups = sorted({s.group for s in segments})
        members = [[s for s in segments if s.group == group] for group in self.groups]
        self._starts = [np.array([s.start for s in m]) for m in members]
        self._ends = [np.cumsum([s.stop - s.start - config.window + 1 for s in m]) for m in members]
        shares = np.array([ends[-1] for ends in self._ends], dtype=np.float64) ** config.balance
        self.shares = shares / shares.sum()

    def __call__(self, step: int, size: int | None = None) -> Batch:
        """Return the batch of `step`, of `size` windows instead of the config's batch where given."""
        c = self.config
        rng = np.random.default_rng((c.seed, step))
        size = size or c.batch
        first = np.array([self._draw(rng, group) for group in rng.choice(len(self.groups), size, p=self.shares)])
        rows = first[:, None] + np.arange(c.window)
        prefix = rng.integers(c.prefix_min, c.prefix_max + 1, size)
        values = self.corpus.values[rows].astype(np.float64)
        values[rng.random(size) < c.volume_dropout, :, 4:] = 0.0
        return Batch(
            torch.from_numpy(normalise_by_prefix(values, prefix)),
            torch.from_numpy(self.corpus.marks[rows]),
            torch.from_numpy(prefix),
        )

    def _draw(self, rng: np.random.Generator, group: int) -> int:
        ends = self._ends[group]
        position = rng.integers(ends[-1])
        segment = int(np.searchsorted(ends, position, side="right"))
        before = ends[segment - 1] if segment else 0
        return int(self._starts[group][segment] + position - before)


def normalise_by_prefix(values: np.ndarray, prefix: np.ndarray) -> np.ndarray:
    """Return float32 windows normalised by the statistics of their first `prefix` candles only.

    Statistics over the whole window would tell the model where the window is going to end, and teach it to expect every
    series to come back to its mean.

    Parameters
    ----------
    values
        Raw candles (B, T, 6), float64.
    prefix
        Number of history candles of each window (B,).
    """
    history = np.arange(values.shape[1]) < prefix[:, None]
    return Normaliser.fit(values, history).apply(values)
