"""Price, return and volatility as the paper sets them, and what it published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine import KronosPredictor
from tests.training.conftest import candles, write
from tests.training.evaluation.conftest import tiny_model, walk
from training.__main__ import main
from training.errors import ConfigError
from training.evaluation.baselines import Drift, LastClose
from training.evaluation.cutoffs import Cutoff, rolling
from training.evaluation.forecasters import Members, Request
from training.evaluation.report import Report
from training.evaluation.tasks.forecasting import by_market
from training.evaluation.tasks.presets import DAY, FORECASTING, TASKS, TaskName
from training.evaluation.tasks.published import PUBLISHED, Published
from training.evaluation.walk_forward import walk_forward


@dataclass
class Knowing:
    """Knows what comes, times `factor`."""

    places: list[Cutoff]
    factor: float = 1.0
    name: str = "knowing"

    @property
    def digest(self) -> str:
        return f"{self.name}/{self.factor}"

    def forecast(self, request: Request) -> Members:
        known = {(c.symbol, c.time): np.log(c.actual[:, 3] / c.past.last(1)[0, 3]) for c in self.places}
        moves = np.stack([known[past.name, past.cutoff] for past in request.pasts]) * self.factor
        return Members(request.closes[:, -1, None, None] * np.exp(moves[:, None]), drawn=True)


@pytest.fixture
def places() -> list[Cutoff]:
    groups = ("crypto/1h", "fx/1h")
    return rolling([walk(f"S{i}", 120, i, groups[i % 2]) for i in range(4)], lookback=40, horizon=5, n_windows=8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for market, seed in (("crypto", 1), ("stocks", 2)):
        write(pd.concat([candles(name, 150, seed) for name in "AB"]), tmp_path / "data" / market / "1h.parquet")
    return tmp_path / "data"


def report(places: list[Cutoff], folder: Path, factor: float = 1.0) -> Report:
    return Report(
        walk_forward([Knowing(places, factor), LastClose(), Drift()], places, folder), ["last_close", "drift"]
    )


def published(task: TaskName, model: str, data: str = "average of its data sets") -> Published:
    return next(one for one in PUBLISHED[task] if (one.model, str(one.data)) == (model, data))


def test_the_published_figures_bear_out_what_the_abstract_says() -> None:
    rank = {name: published("price", name).figures["rank_ic"] for name in ("Kronos-large", "Time-MoE base", "DLinear")}
    assert round(rank["Kronos-large"] / rank["Time-MoE base"], 2) == 1.93
    assert round(rank["Kronos-large"] / rank["DLinear"], 2) == 1.87
    ours, other = (published("synthetic", name).figures["discriminative"] for name in ("Kronos-large", "DiffusionTS"))
    assert round(ours / other, 2) == 1.22


def test_every_published_figure_is_one_that_its_task_is_about() -> None:
    assert set(PUBLISHED) == set(TASKS)
    for name, lines in PUBLISHED.items():
        assert all(line.figures and set(line.figures) <= set(TASKS[name].figures) for line in lines)


def test_the_document_has_every_task_as_it_is_set() -> None:
    text = (Path(__file__).parents[3] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    for name, task in TASKS.items():
        assert f"| `{name}` | {task.temperature} | {task.top_p} | {task.samples} | {task.count} |" in text


def test_a_window_is_that_of_the_nearest_interval_and_never_more_than_a_model_holds() -> None:
    price = TASKS["price"]
    assert price.window(300, 2048) == (480, 96)
    assert price.window(300, 512) == (416, 96)
    assert price.window(60, 2048) == price.window(300, 2048)
    assert price.window(7 * DAY, 512) == price.window(DAY, 512) == (40, 12)
    with pytest.raises(ConfigError, match="96 candles leaves too little room"):
        price.window(300, 100)


@pytest.mark.parametrize(("factor", "expected"), [(0.5, 1.0), (-0.5, -1.0)])
def test_paths_are_compared_step_by_step_and_a_flat_one_has_no_opinion(
    places: list[Cutoff], tmp_path: Path, factor: float, expected: float
) -> None:
    found = by_market("price", report(places, tmp_path, factor))
    assert list(found) == ["crypto/1h", "fx/1h"]
    for rows in found.values():
        assert rows["knowing"]["ic"].value == pytest.approx(expected)
        assert rows["knowing"]["rank_ic"].value == pytest.approx(expected)
        assert np.isnan(rows["last_close"]["ic"].value)
        assert abs(rows["drift"]["ic"].value) < 1


def test_returns_are_compared_over_all_cutoffs_of_a_market_together(places: list[Cutoff], tmp_path: Path) -> None:
    judged = report(places, tmp_path)
    found = by_market("return", judged)
    drift = judged.of("drift").loc["fx/1h"]
    assert found["fx/1h"]["drift"]["ic"].value == pytest.approx(drift["last_mean"].corr(drift["last_actual"]))
    assert found["fx/1h"]["drift"]["rank_ic"].value == pytest.approx(
        drift["last_mean"].corr(drift["last_actual"], method="spearman")
    )
    assert found["crypto/1h"]["knowing"]["ic"].value == pytest.approx(1)


def test_volatility_is_that_of_the_evaluation(tmp_path: Path) -> None:
    places = rolling([walk("A", 120, 1)], lookback=40, horizon=5)
    judged = report(places, tmp_path, 0.5)
    for name, row in judged.rows.items():
        found = by_market("volatility", judged)["crypto/1h"][name]
        assert found == {"mae": row.figures["volatility_mae"], "r2": row.figures["volatility_r2"]}
    assert by_market("volatility", report(places, tmp_path))["crypto/1h"]["knowing"]["mae"].value < 1e-12


@pytest.mark.parametrize("task", FORECASTING)
def test_a_task_is_told_by_market_beside_the_baselines_and_the_paper(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], task: TaskName
) -> None:
    monkeypatch.setattr(KronosPredictor, "from_pretrained", lambda *_, **__: tiny_model())
    assert main(["task", task, "tiny", "--data", str(folder), "--count", "6"]) == 0
    told = capsys.readouterr().out
    blocks = dict(part.split("\n", 1) for part in told.strip().split("\n\n"))
    assert "crypto/1h: 6 cutoffs, 52 candles → 12" in blocks
    beside = "garch" if task == "volatility" else "momentum_5"
    assert all(beside in blocks[name] for name in blocks if "cutoffs" in name)
    assert "custom" in blocks["Average of 2 markets"]
    small = published(task, "Kronos-small").figures
    assert all(f"{value:.4f}" in told.partition("arXiv:2508.02739v1")[2] for value in small.values())


def test_candles_that_do_not_reach_are_an_error_in_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(KronosPredictor, "from_pretrained", lambda *_, **__: tiny_model())
    for path in folder.glob("*/*.parquet"):
        pd.read_parquet(path).groupby("symbol").head(20).to_parquet(path)
    with pytest.raises(SystemExit):
        main(["task", "price", "tiny", "--data", str(folder)])
    assert "No market has enough candles for this task." in capsys.readouterr().err
