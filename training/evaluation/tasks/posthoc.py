"""The small networks that judge synthetic candles: one tells them from real ones, one learns to forecast from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from engine.candles import CLOSE, PRICES
from training.evaluation.inference import Estimate
from training.evaluation.scores import hit_rate

AT_ONCE = 1024  # sequences that are read together


@dataclass(frozen=True)
class Learning:
    """A network and how it learns."""

    layers: int
    hidden: int
    rate: float
    epochs: int = 20
    batch: int = 64


# As in appendix D of the paper.
CLASSIFIER = Learning(layers=1, hidden=32, rate=5e-4)
FORECASTER = Learning(layers=2, hidden=64, rate=1e-3)


class Recurrent(nn.Module):
    """An LSTM and a linear layer that reads its last state."""

    def __init__(self, learning: Learning, out: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(len(PRICES), learning.hidden, learning.layers, batch_first=True)
        self.head = nn.Linear(learning.hidden, out)

    def forward(self, candles: Tensor) -> Tensor:
        """Return (B, out) of sequences (B, T, 4)."""
        states, _ = self.lstm(candles)
        read: Tensor = self.head(states[:, -1])
        return read


def error_of_classifier(
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    *,
    seed: int = 0,
    learning: Learning = CLASSIFIER,
) -> Estimate:
    """Return how often a classifier takes real sequences of `test` for synthetic ones or the reverse.

    0.5 is guessing: nothing tells them apart. 0 is certainty.

    Parameters
    ----------
    train, test
        Real and synthetic sequences (B, T, 4), as many of each.

    Returns
    -------
    Estimate
        With the exact binomial interval.
    """
    told = _learn(*_labelled(*train), learning, nn.BCEWithLogitsLoss(), seed)
    candles, labels = _labelled(*test)
    wrong = (_read(told, candles) > 0) != (labels > 0.5)
    return Estimate(*hit_rate(wrong.numpy().astype(np.float64)[:, 0]))


def forecasts(
    train: np.ndarray, test: np.ndarray, lookback: int, *, seed: int = 0, learning: Learning = FORECASTER
) -> np.ndarray:
    """Return the log path that a forecaster which learned from `train` expects after the first candles of `test`.

    Parameters
    ----------
    train, test
        Sequences (B, T, 4): `lookback` candles to look at, the rest to forecast.

    Returns
    -------
    numpy.ndarray
        (B, T - lookback); `paths` is what it learns to tell.
    """
    seen, target = torch.from_numpy(train[:, :lookback]), torch.from_numpy(paths(train, lookback))
    network = _learn(seen, target, learning, nn.MSELoss(), seed)
    return np.asarray(_read(network, torch.from_numpy(test[:, :lookback])).numpy())


def paths(candles: np.ndarray, lookback: int) -> np.ndarray:
    """Return the log path of the close of sequences (B, T, 4) since candle `lookback`, over the root of its length."""
    steps = candles[:, lookback:, CLOSE]
    return np.asarray(steps.cumsum(axis=1) / np.sqrt(steps.shape[1]), dtype=np.float32)


def _labelled(real: np.ndarray, synthetic: np.ndarray) -> tuple[Tensor, Tensor]:
    labels = np.repeat([1.0, 0.0], [len(real), len(synthetic)]).astype(np.float32)
    return torch.from_numpy(np.concatenate([real, synthetic])), torch.from_numpy(labels[:, None])


def _learn(inputs: Tensor, targets: Tensor, learning: Learning, loss: nn.Module, seed: int) -> Recurrent:
    """Return a network trained by Adam; the same seed gives the same one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Recurrent(learning, targets.shape[1])
        optimizer = torch.optim.Adam(network.parameters(), lr=learning.rate)
        for _ in range(learning.epochs):
            for chosen in torch.split(torch.randperm(len(inputs)), learning.batch):
                optimizer.zero_grad()
                loss(network(inputs[chosen]), targets[chosen]).backward()
                optimizer.step()
    return network


@torch.inference_mode()
def _read(network: Recurrent, inputs: Tensor) -> Tensor:
    return torch.cat([network(part) for part in torch.split(inputs, AT_ONCE)])
