"""The investment simulation by the paper's rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine import KronosPredictor
from tests.training.conftest import candles, write
from tests.training.evaluation.conftest import tiny_model
from training.__main__ import main
from training.evaluation.cutoffs import Series
from training.evaluation.tasks.investment import DEALING, figures, invest, rule_for
from training.evaluation.tasks.outcome import MarketRun
from training.evaluation.tasks.presets import TASKS
from training.portfolio import market as quotes
from training.portfolio.luck import equal_weight
from training.portfolio.vectorised import Simulation

WINDOW = (30, 3)


@pytest.fixture
def frames() -> dict[str, pd.DataFrame]:
    return {f"S{i}": candles(f"S{i}", 48 + i % 2, i, freq="D") for i in range(8)}


def test_the_rule_is_that_of_the_paper_and_the_same_in_small() -> None:
    assert (rule_for(300).topk, rule_for(300).n_drop, rule_for(300).hold_thresh) == (50, 5, 5)
    assert (rule_for(800).topk, rule_for(60).topk, rule_for(60).n_drop) == (50, 10, 1)
    assert (DEALING.open_cost, DEALING.close_cost) == (0.0015, 0.0015)


def test_what_is_beyond_equal_parts_is_annualised_by_the_days_of_the_market(frames: dict[str, pd.DataFrame]) -> None:
    market = quotes.Market.of_candles(frames, DEALING)
    rng = np.random.default_rng(0)
    beyond, costs = rng.normal(0.001, 0.01, len(market.days)), np.full((len(market.days), 1), 0.0005)
    returns = (equal_weight(market).to_numpy() + beyond + 0.0005)[:, None]
    account = np.cumprod(1 + returns - costs, axis=0)
    found = figures(Simulation(market.days, account, account, costs, costs, returns), market)
    assert found["excess_return"].value == pytest.approx(beyond.mean() * 365.25)
    assert found["information_ratio"].value == pytest.approx(beyond.mean() / beyond.std() * np.sqrt(365.25))
    assert found["excess_return"].low is not None
    assert found["excess_return"].low < found["excess_return"].value


def test_a_market_is_traded_beside_momentum_and_luck(frames: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    series = [Series.of(frame, name, "stocks/1d") for name, frame in frames.items()]
    days: list[tuple[int, int]] = []
    run = MarketRun(
        TASKS["investment"], tiny_model(), series, WINDOW, tmp_path, count=6, on_step=lambda *step: days.append(step)
    )
    result = invest(run)
    assert result is not None
    found, places = result
    assert found.used.startswith("6 days of 8 instruments, 30 candles → 3")
    assert list(found.rows) == ["custom", "momentum_5"]
    assert 0 <= found.rows["custom"]["luck"].value <= 1
    assert days[-1] == (6, 6)
    assert {place.row <= len(place.series) for place in places} == {True}
    assert len({place.time for place in places}) == 6
    again = invest(run)
    assert again is not None
    assert again[0] == found


def test_candles_shorter_than_a_day_are_not_traded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(KronosPredictor, "from_pretrained", lambda *_, **__: tiny_model())
    write(candles("A", 200, 1), tmp_path / "crypto" / "1h.parquet")
    with pytest.raises(SystemExit):
        main(["task", "investment", "tiny", "--data", str(tmp_path)])
    assert "No market has enough candles" in capsys.readouterr().err
