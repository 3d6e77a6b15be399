"""A regression of volatility learns what is known and finds what is there to find."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import volatility
from training.evaluation.baselines import Ewma
from training.evaluation.cutoffs import Cutoff
from training.evaluation.forecasters import request_of
from training.evaluation.judge.places import cutoffs_of, read_blocks
from training.evaluation.scores import crps

LOOKBACK, HORIZON = 60, 12
SPELL = 40  # candles that are calm, then as many that are not: beyond what weights of 0.94 can follow
LEARN, JUDGE = {"per_group": 400}, {"lookback": LOOKBACK, "horizon": HORIZON, "per_group": 30}


def candles(symbol: str, split: str, seed: int, count: int = 4000) -> pd.DataFrame:
    """Return candles of spells, so many trades each that their ranges tell how wild they are."""
    rng = np.random.default_rng(seed)
    calm = rng.integers(SPELL) + np.arange(count)
    sigma = np.where(calm // SPELL % 2 == 0, 0.002, 0.012)
    ticks = (rng.normal(size=(count, 16)) * sigma[:, None] / 4).cumsum(axis=1)
    close = ticks[:, -1].cumsum()
    start = close - ticks[:, -1]
    path = np.concatenate([start[:, None], start[:, None] + ticks], axis=1)
    prices = 50 * np.exp(np.column_stack([start, path.max(axis=1), path.min(axis=1), close]))
    frame = pd.DataFrame(prices, columns=["open", "high", "low", "close"])
    times = pd.date_range("2024-01-01", periods=count, freq="h")
    return frame.assign(timestamp=times, symbol=symbol, split=split, volume=1.0, amount=1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "crypto").mkdir()
    parts = [candles("A", "train", 1), candles("B", "train", 2), candles("C", "val", 3, 1500)]
    pd.concat(parts).to_parquet(tmp_path / "crypto" / "1h.parquet")
    return tmp_path


def judged(folder: Path) -> dict[str, list[Cutoff]]:
    blocks = read_blocks(folder, lookback=LOOKBACK, gap=HORIZON)
    return cutoffs_of(blocks, **JUDGE)


def learned(folder: Path) -> volatility.Regression:
    return volatility.fit(volatility.learnable([*folder.glob("*/*.parquet")], judged(folder), **LEARN))


def test_it_follows_the_spells_better_than_ewma(folder: Path) -> None:
    regression = learned(folder)
    places = judged(folder)["new"]
    request = request_of(places, 0)
    moves = np.log(np.stack([one.actual[:, 3] for one in places]) / request.closes[:, -1:])
    found = [
        crps(np.log(one.forecast(request).close / request.closes[:, -1, None, None]), moves, drawn=False).mean()
        for one in (regression, Ewma())
    ]
    assert found[0] < found[1]


def test_it_learns_nothing_of_what_it_is_judged_by(folder: Path) -> None:
    before, first = learned(folder), min(one.time for one in judged(folder)["later"])
    path = next(folder.glob("*/*.parquet"))
    frame = pd.read_parquet(path)
    prices = ["open", "high", "low", "close"]
    later = (frame["timestamp"] > pd.Timestamp(first)) | (frame["split"] == "val")
    frame.loc[later, prices] = frame.loc[later, prices] ** 1.1
    frame.to_parquet(path)
    np.testing.assert_array_equal(learned(folder).weights, before.weights)
    frame.loc[frame.index[1000:2000], prices] **= 1.1  # what it learns from does matter
    frame.to_parquet(path)
    assert (learned(folder).weights != before.weights).any()


def test_the_table_is_that_of_the_judge(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shape = ["--lookback", str(LOOKBACK), "--horizon", str(HORIZON), "--cutoffs", "10", "--learn", "100"]
    volatility.main(["--data", str(folder), *shape])
    said = capsys.readouterr().out
    assert said.startswith("regression: 20 cutoffs, 60 → 12 candles, learned from ")
    assert "CRPS ÷ best baseline's" in said


def test_a_folder_without_training_candles_is_told(tmp_path: Path) -> None:
    (tmp_path / "crypto").mkdir()
    candles("C", "val", 3, 400).to_parquet(tmp_path / "crypto" / "1h.parquet")
    with pytest.raises(SystemExit, match="There is no cutoff: every series is shorter"):
        volatility.main(["--data", str(tmp_path), "--lookback", str(LOOKBACK), "--horizon", str(HORIZON)])
