from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from engine import KronosPredictor
from tests.qlib_writer import walk, write
from tests.training.portfolio.conftest import DAYS, NAMES
from training.portfolio.records import Backtest
from training.portfolio.rules import Dealing, TopkRule
from training.portfolio.signals import SIGNALS

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "backtesting.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("qlib")
def test_the_example_goes_from_candles_to_a_verdict(tmp_path, monkeypatch):
    golden = ROOT / "tests" / "golden"
    tiny = KronosPredictor.from_pretrained(golden / "model", tokenizer=golden / "tokenizer", device="cpu")
    monkeypatch.setattr(KronosPredictor, "from_pretrained", lambda *_: tiny)
    monkeypatch.chdir(tmp_path)
    members = NAMES[:6]
    write(Path("cn_data"), {n: walk(DAYS, seed) for seed, n in enumerate([*members, "SH000300"])}, DAYS,
          markets={"csi300": members})  # fmt: skip
    (block,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    small = {"lookback=90, horizon=10": "lookback=20, horizon=3, samples=4", "count=500": "count=20"}
    for whole, less in small.items():
        assert whole in block
        block = block.replace(whole, less)
    names = {}
    exec(compile(block, "backtesting.md", "exec"), names)
    result = Backtest.load(tmp_path / "backtest")
    assert len(result.trades) > 5
    assert result.has_benchmark
    assert 0 <= names["chance"].percentile <= 1
    assert names["chance"].strategy == pytest.approx(names["figures"]["total_return"], rel=1e-9)
    assert np.isfinite(names["beside"]["momentum"]).all()
    assert "mean_return, five days" in (tmp_path / "backtest" / "page.html").read_text()


@pytest.mark.parametrize("settings", [TopkRule(), Dealing()], ids=["TopkRule", "Dealing"])
def test_the_settings_are_in_the_document_with_their_defaults(settings):
    table = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", DOCUMENT, re.MULTILINE))
    assert {name: table[name] for name in asdict(settings)} == {n: str(v) for n, v in asdict(settings).items()}


def test_the_signals_are_in_the_document():
    assert set(SIGNALS) <= set(re.findall(r"`(\w+)`", DOCUMENT))
