"""Training is held against the plain way of doing it. How fast anything was is nobody's business here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from benchmarks import training
from benchmarks.measure import format_verdict
from benchmarks.plain_training import PlainStep, frames_of, places_of, plain_batch
from benchmarks.shapes import build_predictor
from tests.benchmarks.conftest import TINY
from training.fit.corpus import Corpus
from training.fit.windows import WindowSampler
from training.run import estimate as estimating
from training.run.config import RunConfig, StageName, WindowConfig
from training.run.estimate import Estimate

TINY_RUN = ["--size", "tiny", "--batch", "4", "--lookback", "12", "--horizon", "6", "--rounds", "1", "--threads", "1"]
CANDLES = ["--symbols", "3", "--candles", "80"]


@pytest.fixture(autouse=True)
def _measured_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Spare a process a measurement."""

    def here(config: RunConfig, corpus: Corpus, stage: StageName, steps: int, limit: float) -> Estimate:
        folder = tmp_path / str(len([*tmp_path.iterdir()]))
        folder.mkdir()
        estimating._write_trial(folder, config, corpus, stage, steps, limit)
        estimating._run_trial(folder)
        return estimating._read_result(folder, "", limit, 1)

    monkeypatch.setattr(training, "estimate", here)
    monkeypatch.setattr(training, "run_in_process", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(training, "BATCHES", 3)


def test_a_run_measures_all_there_is_and_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training.main([*TINY_RUN, *CANDLES, "--json", str(tmp_path / "found.json")])
    found = json.loads((tmp_path / "found.json").read_text())
    assert {"machine", "settings", "sampler", "step", "memory", "corpus"} == set(found)
    assert found["sampler"]["equal"]
    assert found["sampler"]["ratio"] > 0
    computed, cached = found["step"]["computed"], found["step"]["cached"]
    assert computed["windows"] == cached["windows"] == 9
    assert 0 < computed["encoded"] <= 9
    assert cached["encoded"] == 0
    assert cached["ratio"] == pytest.approx(cached["plain_seconds"] / cached["seconds"])
    memory = found["memory"]
    assert memory["full"]["of_full"] == memory["full"]["share_trained"] == 1
    assert 0 < memory["lora"]["share_trained"] < 0.5
    assert list(found["corpus"]) == ["240", "2400"]
    printed = capsys.readouterr().out
    assert "one by one (bit-equal), target 50 ×" in printed
    assert "step, tokens cached:" in printed
    assert "target 60% of the memory" in printed
    assert "2,400 candles: sampling takes" in printed


def test_only_what_is_asked_for_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    training.main([*TINY_RUN, *CANDLES, "--what", "sampler"])
    assert capsys.readouterr().out.count("\n") == 1


def test_the_plain_step_learns_every_next_token() -> None:
    predictor = build_predictor(TINY)
    for module in predictor.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "attn_dropout_p"):
            module.attn_dropout_p = 0.0
    x, stamp = torch.randn(3, 9, 6), torch.ones(3, 9, 5, dtype=torch.int64)
    with torch.no_grad():
        s1, s2 = predictor.tokenizer.encode(x, half=True)
        predictor.model.train()
        s1_logits, s2_logits = predictor.model(
            s1[:, :-1], s2[:, :-1], stamp[:, :-1], use_teacher_forcing=True, s1_targets=s1[:, 1:]
        )
        parts = [
            F.cross_entropy(logits[row, t], ids[row, t + 1])
            for logits, ids in ((s1_logits, s1), (s2_logits, s2))
            for row in range(3)
            for t in range(8)
        ]
    step = PlainStep(predictor.tokenizer, predictor.model)
    first = step(x, stamp)
    assert first == pytest.approx(torch.stack(parts).mean().item(), rel=1e-5)
    for _ in range(20):
        last = step(x, stamp)
    assert last < first


def test_plain_windows_are_cut_from_the_series_by_hand() -> None:
    with training._make_corpus(3, 80) as corpus:
        sampler = WindowSampler(corpus, WindowConfig(lookback=12, horizon=6, stride=5), seed=1)
        assert sampler.windows == 3 * 13
        numbers = np.array([0, 12, 13, 38])
        places = places_of(sampler, numbers)
        assert [(p.series, p.start) for p in places] == [(0, 0), (0, 60), (1, 0), (2, 60)]
        x, stamp = plain_batch(frames_of(corpus), places, 18)
        candles = corpus.values[220:238].astype(np.float64)
        history = candles[: places[3].prefix]
        scaled = (candles - history.mean(0)) / (history.std(0) + 1e-5)
        np.testing.assert_allclose(x[3], np.clip(scaled, -5, 5), atol=1e-5)
        assert stamp[3, :, 0].tolist() == [*range(18)]


def test_a_target_is_reached_or_missed() -> None:
    assert format_verdict(True, "50 ×") == "target 50 × reached"
    assert format_verdict(False, "50 ×") == "target 50 × MISSED"
