"""What torchrun starts in the tests: `python -m tests.training.together FOLDER` trains all stages that lie there."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from tests.training.staging import CALM, kept, make_stage, train
from training.fit.distributed import World
from training.run.config import RunConfig


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    world, corpus = World.from_environment("cpu"), kept(folder / "corpus.npz")
    for path in sorted(folder.glob("*.json")):
        config = RunConfig.model_validate_json(path.read_text())
        for name in config.stages:
            stage = make_stage(name, corpus, config, **(CALM if name == "predictor" else {}))
            train(stage, corpus, config, folder / "together" / path.stem / name, world)
    world.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
