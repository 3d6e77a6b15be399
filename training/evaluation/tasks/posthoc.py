"""Small networks that score synthetic candles: a classifier of real and synthetic ones, and a forecaster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from engine.candles import CLOSE, PRICES
from training.evaluation.inference import Estimate
from training.evaluation.scores import hit_rate

AT_ONCE = 1024  # sequences in one forward pass


@dataclass(frozen=True)
class Learning:
    """Size of a network, and its training settings."""

    layers: int
    hidden: int
    rate: float
    epochs: int = 20
    batch: int = 64


# As in appendix D of the paper.
CLASSIFIER = Learning(layers=1, hidden=32, rate=5e-4)
FORECASTER = Learning(layers=2, hidden=64, rate=1e-3)


class Recurrent(nn.Module):
    """An LSTM with a linear layer on its last state."""

    def __init__(self, learning: Learning, out: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(len(PRICES), learning.hidden, learning.layers, batch_first=True)
        self.head = nn.Linear(learning.hidden, out)

    def forward(self, candles: Tensor) -> Tensor:
        """Return (B, out) of sequences (B, T, 4)."""
        states, _ = self.lstm(candles)
        output: Tensor = self.head(states[:, -1])
        return output


def error_of_classifier(
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    *,
    seed: int = 0,
    learning: Learning = CLASSIFIER,
) -> Estimate:
    """Return the error rate of a classifier of real and synthetic sequences, with the exact binomial interval.

    0.5 is guessing, 0 is certainty. `train` and `test` are real and synthetic sequences (B, T, 4), as many of each.
    """
    network = _train(*_labelled(*train), learning, nn.BCEWithLogitsLoss(), seed)
    candles, labels = _labelled(*test)
    wrong = (_predict(network, candles) > 0) != (labels > 0.5)
    return Estimate(*hit_rate(wrong.numpy().astype(np.float64)[:, 0]))


def forecasts(
    train: np.ndarray, test: np.ndarray, lookback: int, *, seed: int = 0, learning: Learning = FORECASTER
) -> np.ndarray:
    """Return the log path (B, T - lookback) that a forecaster trained on the `paths` of `train` expects in `test`.

    `train` and `test` are sequences (B, T, 4): `lookback` candles as input, the rest to forecast.
    """
    seen, target = torch.from_numpy(train[:, :lookback]), torch.from_numpy(paths(train, lookback))
    network = _train(seen, target, learning, nn.MSELoss(), seed)
    return np.asarray(_predict(network, torch.from_numpy(test[:, :lookback])).numpy())


def paths(candles: np.ndarray, lookback: int) -> np.ndarray:
    """Return the log path of the close of sequences (B, T, 4) since candle `lookback`, over the root of its length."""
    steps = candles[:, lookback:, CLOSE]
    return np.asarray(steps.cumsum(axis=1) / np.sqrt(steps.shape[1]), dtype=np.float32)


def _labelled(real: np.ndarray, synthetic: np.ndarray) -> tuple[Tensor, Tensor]:
    labels = np.repeat([1.0, 0.0], [len(real), len(synthetic)]).astype(np.float32)
    return torch.from_numpy(np.concatenate([real, synthetic])), torch.from_numpy(labels[:, None])


def _train(inputs: Tensor, targets: Tensor, learning: Learning, loss: nn.Module, seed: int) -> Recurrent:
    """Return a network trained with Adam; the same seed gives the same one."""
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
def _predict(network: Recurrent, inputs: Tensor) -> Tensor:
    return torch.cat([network(part) for part in torch.split(inputs, AT_ONCE)])
