"""kill -9 at any moment costs no more than time: what is resumed equals what never stopped, bit for bit."""

from __future__ import annotations

import random
import signal
import sys
import time
from pathlib import Path

import pytest

from engine.loading.checkpoint import digest
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from tests.training import children
from tests.training.staging import figures, losses, make_stage, train, with_stage
from training.errors import Message
from training.fit.corpus import Corpus
from training.fit.loop import StageResult
from training.run.config import RunConfig, StageName

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")


@pytest.fixture
def settings(config: RunConfig) -> RunConfig:
    """All that could be lost: accumulation, a moving average, rows and patience that span a checkpoint, dropout."""
    changes = {
        "steps": 20, "accumulate": 2, "ema": 0.9, "checkpoint_every": 4, "validate_every": 5, "log_every": 3,
        "patience": 50,
    }  # fmt: skip
    return with_stage(with_stage(config, "predictor", **changes), "tokenizer", **changes)


def killed(
    name: StageName,
    corpus: Corpus,
    config: RunConfig,
    folder: Path,
    *,
    after: int = 0,
    wait: float = 0.0,
    moment: str = "",
) -> bool:
    """Have a process train and die, `wait` seconds after a step was logged; return whether it did before its end."""
    begun = children.server().Event()
    process = children.start(children.train_alone, name, corpus, config, folder, begun, moment)
    assert begun.wait(60)
    if not moment:
        while process.is_alive() and max(losses(folder), default=0) < after:
            time.sleep(0.002)
        time.sleep(wait)
        process.kill()  # signal 9; where it has ended by now nothing is sent
    process.join(60)
    assert process.exitcode in {0, -signal.SIGKILL}
    return process.exitcode != 0


def same(name: StageName, corpus: Corpus, config: RunConfig, parts: Path, whole: Path, expected: StageResult) -> None:
    """Resume in `parts`, and compare with a run that was never interrupted."""
    stage = make_stage(name, corpus, config)
    assert train(stage, corpus, config, parts) == expected
    assert figures(parts) == figures(whole)
    network = Kronos if name == "predictor" else KronosTokenizer
    ours, theirs = (digest(network.from_pretrained(folder / "best")) for folder in (parts, whole))
    assert ours == theirs


def test_killed_at_random_moments_it_goes_on_as_if_never_stopped(
    tmp_path: Path, corpus: Corpus, settings: RunConfig
) -> None:
    expected = train(make_stage("predictor", corpus, settings), corpus, settings, tmp_path / "whole")
    for seed in range(3):
        moments, folder = random.Random(seed), tmp_path / f"{seed}"
        # At once after it began, too: a process that resumes has logged that step before.
        deaths = [
            killed("predictor", corpus, settings, folder, after=moments.randrange(18), wait=moments.uniform(0, 0.05))
            for _ in range(2)
        ]
        assert any(deaths)
        same("predictor", corpus, settings, folder, tmp_path / "whole", expected)


@pytest.mark.parametrize("moment", ["half a file", "unnamed", "three of them"])
def test_killed_while_it_writes_a_checkpoint_it_goes_on_as_if_never_stopped(
    moment: str, tmp_path: Path, corpus: Corpus, settings: RunConfig
) -> None:
    expected = train(make_stage("tokenizer", corpus, settings), corpus, settings, tmp_path / "whole")
    assert killed("tokenizer", corpus, settings, tmp_path / "parts", moment=moment)
    same("tokenizer", corpus, settings, tmp_path / "parts", tmp_path / "whole", expected)


def test_a_damaged_checkpoint_costs_the_steps_since_the_one_before(
    tmp_path: Path, corpus: Corpus, settings: RunConfig
) -> None:
    expected = train(make_stage("predictor", corpus, settings), corpus, settings, tmp_path / "whole")
    train(make_stage("predictor", corpus, settings), corpus, settings, tmp_path / "parts")
    newest = tmp_path / "parts" / "checkpoints" / "step-00000020" / "state.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    notes: list[Message] = []
    stage = make_stage("predictor", corpus, settings)
    assert train(stage, corpus, settings, tmp_path / "parts", on_note=notes.append) == expected
    assert [str(note) for note in notes] == [
        "Checkpoint step-00000020 is damaged: training resumes from the one before."
    ]
    same("predictor", corpus, settings, tmp_path / "parts", tmp_path / "whole", expected)
