"""How long a forecast takes, as a ratio to the plain loop in the same run: `make bench`.

Random weights: speed does not depend on their values.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.plain import generate_plainly
from engine.config import ModelConfig
from engine.generate import generate
from engine.sampling import Sampling
from engine.transformer import TIME_MARKS, Kronos

SHAPES = {
    "nano": ModelConfig(n_layers=4, d_model=192, n_heads=6, ff_dim=512),
    "small": ModelConfig(),
}


def main() -> None:
    """Time both loops on the shapes asked for and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=["nano"], choices=SHAPES)
    parser.add_argument("--samples", nargs="+", type=int, default=[1, 5])
    parser.add_argument("--history", type=int, default=392)
    parser.add_argument("--horizon", type=int, default=120)
    arguments = parser.parse_args()
    print(f"{'size':8}{'samples':>8}{'plain s':>10}{'engine s':>10}{'ratio':>8}{'paths/s':>9}")
    for size in arguments.sizes:
        model = Kronos.from_config(SHAPES[size]).eval()
        for samples in arguments.samples:
            inputs = _inputs(arguments.history, arguments.horizon)
            plain = _seconds(generate_plainly, model, inputs, samples)
            fast = _seconds(generate, model, inputs, samples)
            print(f"{size:8}{samples:8}{plain:10.2f}{fast:10.2f}{plain / fast:8.1f}{samples / fast:9.1f}", flush=True)


def _inputs(history: int, horizon: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
    tokens = (torch.randint(1024, (1, history)), torch.randint(1024, (1, history)))
    marks = [torch.randint(1, min(TIME_MARKS.values()), (1, history + horizon)) for _ in TIME_MARKS]
    return tokens, torch.stack(marks, dim=-1)


def _seconds(
    loop: Callable[..., tuple[Tensor, Tensor]],
    model: Kronos,
    inputs: tuple[tuple[Tensor, Tensor], Tensor],
    samples: int,
) -> float:
    generator = torch.Generator().manual_seed(0)
    started = time.perf_counter()
    with torch.inference_mode():
        loop(model, *inputs, samples=samples, max_context=512, how=Sampling(), generator=generator)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
