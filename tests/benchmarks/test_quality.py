"""What reduced weights and strided windows cost is measured against what is exact."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from benchmarks import memory, quality
from benchmarks.logits import logit_error, next_logits
from benchmarks.shapes import build, random_walks
from benchmarks.yardstick import prepare
from engine.predictor import KronosPredictor
from tests.benchmarks.conftest import TINY


def test_logits_of_whole_weights_are_those_of_the_network(predictor: KronosPredictor) -> None:
    ready = prepare(random_walks(2, 30, 1), predictor)
    coarse, fine, given = next_logits(predictor, ready)
    with torch.inference_mode():
        s1, s2 = (ids[:, -24:] for ids in predictor.tokenizer.encode(ready.x, half=True))
        expected, context = predictor.model.decode_s1(s1, s2, ready.stamp[:, 6:30])
        torch.testing.assert_close(coarse, expected[:, -1], rtol=1e-4, atol=1e-5)
        expected = predictor.model.decode_s2(context, given[:, None])
        torch.testing.assert_close(fine, expected[:, -1], rtol=1e-4, atol=1e-5)


def test_fewer_bits_move_logits_further(predictor: KronosPredictor) -> None:
    data = [random_walks(1, 20, 1, seed) for seed in range(3)]
    assert logit_error(predictor, predictor, data) == {"max": 0, "rms": 0, "of_spread": 0}
    half, eighth = (logit_error(predictor, build(TINY, weights), data) for weights in ("float16", "int8"))
    assert 0 < half["rms"] < eighth["rms"] < eighth["max"]
    assert 0 < half["of_spread"] < eighth["of_spread"] < 0.5


def test_windows_and_weights_are_judged_on_the_candles_of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    walk = random_walks(1, 80, 1)
    frame = walk.frames[0].assign(timestamp=walk.times[0], symbol="A", split="val")
    (tmp_path / "crypto").mkdir()
    frame.to_parquet(tmp_path / "crypto" / "5min.parquet")

    def tiny(*_: object, weights: str = "float32", **__: object) -> KronosPredictor:
        return build(TINY, weights)

    monkeypatch.setattr(KronosPredictor, "from_pretrained", tiny)
    monkeypatch.setattr(memory, "measure", lambda *_: {"weights": 5_000_000})
    lengths = ["--lookback", "20", "--horizon", "10", "--context", "24", "--samples", "4", "--threads", "1"]
    written = tmp_path / "quality.json"
    quality.main(["--data", str(tmp_path), *lengths, "--strides", "1", "8", "--json", str(written)])
    found = json.loads(written.read_text())
    windows, weights = found["windows"], found["weights"]
    assert list(windows) == ["exact", "fit", "strided 1", "strided 8"]
    assert windows["exact"]["cutoffs"] == 6
    assert windows["strided 1"]["difference"] == 0  # that is what exact does
    assert list(weights) == ["float32", "float16", "int8"]
    assert weights["int8"]["bytes"] == {"nano": 5_000_000, "small": 5_000_000}
    assert weights["float16"]["logits"]["rms"] > 0
    printed = capsys.readouterr().out
    assert "6 cutoffs of 1 groups, 20 → 10, 4 paths each" in printed
    assert pd.notna(windows["fit"]["standard_error"])
