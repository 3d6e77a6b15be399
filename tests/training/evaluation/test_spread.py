"""Factors for bands, learned over many series to be shipped with a model."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from engine.usage import read_recalibration
from tests.training.conftest import candles, write
from tests.training.evaluation.conftest import walk
from tests.training.evaluation.test_walk_forward import Gaussian
from training.__main__ import main
from training.errors import DataError
from training.evaluation.cutoffs import Cutoff, rolling
from training.evaluation.spread import best_scale, learn, scaled, table, write_factors

GOLDEN = Path(__file__).parents[2] / "golden"


def places(groups: tuple[str, ...] = ("crypto/1h",), windows: int = 100) -> list[Cutoff]:
    """Return cutoffs of walks of volatility 0.01."""
    series = [walk("S", 40 + 4 * windows, seed, group) for seed, group in enumerate(groups)]
    return rolling(series, lookback=40, horizon=4)


def test_bands_half_as_wide_as_the_market_are_doubled() -> None:
    learned = learn(Gaussian(0.005), places())["crypto/1h"]
    assert learned.factor.scale == pytest.approx(2.0, rel=0.1)
    np.testing.assert_allclose(learned.coverage[1], [0.5, 0.8, 0.9, 0.95], atol=0.06)
    assert learned.coverage[0][2] < 0.7
    assert learned.crps[1] < learned.crps[0]


def test_every_market_learns_for_itself_and_right_bands_stay() -> None:
    markets = {"crypto/1h": 0.01, "fx/1h": 0.03}
    series = [walk("S", 1640, 2, group, sigma=sigma) for group, sigma in markets.items()]
    found = learn(Gaussian(0.01), rolling(series, lookback=40, horizon=4))
    assert found["crypto/1h"].factor.scale == pytest.approx(1.0, abs=0.1)
    assert found["fx/1h"].factor.scale == pytest.approx(3.0, rel=0.1)


def test_the_median_stays_and_deviations_are_multiplied() -> None:
    moves = np.array([[[-1.0, 0.0], [1.0, 1.0], [4.0, 5.0]]])  # one forecast, three paths, two steps
    np.testing.assert_allclose(scaled(moves, 2.0), [[[-3.0, -1.0], [1.0, 1.0], [7.0, 9.0]]])


def test_the_factor_does_not_hang_on_the_unit_of_a_market() -> None:
    rng = np.random.default_rng(0)
    moves, actual = rng.normal(size=(200, 50, 3)), rng.normal(size=(200, 3)) * 1.5
    unit = np.ones(200)
    factor = best_scale(moves, actual, unit)
    assert factor == pytest.approx(1.5, rel=0.15)
    assert best_scale(moves * 7, actual * 7, unit * 7) == pytest.approx(factor, abs=1e-3)


def test_few_paths_with_a_common_middle_are_widened_no_more_than_they_lack() -> None:
    rng = np.random.default_rng(1)
    moves, actual, unit = rng.normal(size=(4000, 8, 2)), rng.normal(size=(4000, 2)), np.ones(4000)
    moved = moves - np.median(moves, axis=1, keepdims=True)
    assert best_scale(moved, actual, unit, driftless=True) == pytest.approx(1.0, abs=0.05)


def test_what_is_written_is_what_the_engine_reads(tmp_path: Path) -> None:
    cutoffs = places()
    found = learn(Gaussian(0.005), cutoffs, temperature=0.9, top_p=0.95)
    write_factors(found, tmp_path / "new" / "recalibration.json")
    kept = read_recalibration(tmp_path / "new" / "recalibration.json")
    assert kept == {"crypto/1h": found["crypto/1h"].factor}
    factor = kept["crypto/1h"]
    assert (factor.cutoffs, factor.temperature, factor.top_p) == (len(cutoffs), 0.9, 0.95)
    assert factor.until == date(2024, 1, 19)  # 440 hours after the first of January
    told = table(found).to_dict("index")["crypto/1h"]
    assert told["90 % after"] > told["90 %"]


def test_few_cutoffs_teach_nothing() -> None:
    some = [*places(("crypto/1h",), 30), *places(("fx/1h",), 10)]
    told: list[int] = []
    assert list(learn(Gaussian(), some, on_cutoffs=told.append)) == ["crypto/1h"]
    assert told == [30]
    with pytest.raises(DataError, match="No market and interval has the 20 cutoffs"):
        learn(Gaussian(), places(windows=10))


def test_the_command_writes_the_factors_of_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(candles("A", 40 + 4 * 20, seed=1).assign(split="val"), tmp_path / "data" / "crypto" / "1h.parquet")
    write(candles("B", 60, seed=2).assign(split="val"), tmp_path / "data" / "fx" / "1h.parquet")
    out = tmp_path / "recalibration.json"
    asked = ["recalibrate", GOLDEN / "model", tmp_path / "data", "--tokenizer", GOLDEN / "tokenizer", "--out", out]
    sizes = ["--lookback", 40, "--horizon", 4, "--samples", 4, "--temperature", 0.8]
    assert main([str(one) for one in (*asked, *sizes)]) == 0
    factors = read_recalibration(out)
    assert {group: (one.cutoffs, one.temperature) for group, one in factors.items()} == {"crypto/1h": (20, 0.8)}
    told = capsys.readouterr().out
    assert "90 % after" in told
    assert "Too few cutoffs to fit: fx/1h" in told
