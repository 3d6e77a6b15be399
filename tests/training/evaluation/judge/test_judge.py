"""The judge: its candles, its negative controls, its pictures, and the command."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from engine.predictor import KronosPredictor
from tests.training.conftest import candles, write
from tests.training.evaluation.conftest import walk
from training.__main__ import main
from training.errors import DataError
from training.evaluation.baselines import Ewma
from training.evaluation.cutoffs import Cutoff, Series, spread_by_group
from training.evaluation.forecasters import request_of
from training.evaluation.judge.blocks import read_blocks, too_short
from training.evaluation.judge.controls import Shuffled, shuffled, untrained
from training.evaluation.judge.figures import TARGETS
from training.evaluation.judge.judgement import judge
from training.evaluation.judge.pictures import draw, varied
from training.evaluation.kronos import Drift, KronosForecaster, is_driftless
from training.run.launch import ROOT

GOLDEN = ROOT / "tests" / "golden"
LOOKBACK, HORIZON = 40, 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two markets of two assets to train on, one of which ends early, and one of another split."""
    for market, interval in (("crypto", "1h"), ("crypto", "4h"), ("fx", "1h")):
        parts = [
            candles("A", 900, seed=1).assign(split="train"),
            candles("B", 500, seed=2).assign(split="train"),
            candles("C", 300, seed=3).assign(split="val"),
        ]
        write(pd.concat(parts), tmp_path / "data" / market / f"{interval}.parquet")
    return tmp_path / "data"


def blocks(data: Path, **changes: object) -> dict[str, list[Series]]:
    return read_blocks(data, **{"lookback": LOOKBACK, "gap": HORIZON, "tail": 0.2, **changes})


def test_new_assets_and_the_last_stretch_of_known_ones_are_judged_apart(folder: Path) -> None:
    found = blocks(folder)
    assert list(found) == ["new", "later"]
    assert {(one.group, one.symbol, len(one)) for one in found["new"]} == {
        (group, "C", 300) for group in ("crypto/1h", "crypto/4h", "fx/1h")
    }
    assert {one.symbol for one in found["later"]} == {"A", "B"}


def test_futures_of_the_last_stretch_come_after_one_time_that_all_symbols_share(folder: Path) -> None:
    series = blocks(folder, groups=["fx/*"])["later"]
    chosen = spread_by_group(series, lookback=LOOKBACK, horizon=HORIZON, per_group=1000, together=1)
    start = candles("A", 900, seed=1)["timestamp"]
    cut = start[900 - 280 + HORIZON]  # a fifth of 1,400 candles, when B had ended, and the gap
    assert {one.symbol for one in chosen} == {"A"}
    assert min(pd.Timestamp(one.future_times[0]) for one in chosen) == cut
    assert too_short(series, LOOKBACK + HORIZON) == {"fx/1h": (1, 2)}
    assert {one.time for one in chosen} == {one.time for one in chosen[:: len(chosen) // 55]}


def test_candles_that_no_split_tells_apart_are_all_judged(tmp_path: Path) -> None:
    candles("A", 100, seed=1).drop(columns="symbol").to_csv(tmp_path / "mine.csv", index=False)
    found = blocks(tmp_path / "mine.csv")
    assert [(one.symbol, len(one)) for one in found["all"]] == [("mine", 100)]
    assert found.keys() == blocks(tmp_path).keys() == {"all"}


def test_a_folder_without_candles_is_named(folder: Path) -> None:
    with pytest.raises(DataError, match="data: there is no CSV or Parquet file to judge on"):
        blocks(folder, groups=["stocks/*"])


def test_a_shuffled_history_has_the_same_candles_in_another_order() -> None:
    frame = candles("A", 60, seed=4)
    before = frame[["open", "high", "low", "close", "volume", "amount"]].to_numpy(np.float64)
    after = shuffled(before, np.random.default_rng(0))

    def shapes(values: np.ndarray) -> np.ndarray:
        rows = np.column_stack([np.log(values[1:, :4] / values[:-1, 3, None]), values[1:, 4:]])
        return rows[np.lexsort(rows.T[::-1].round(9))]

    np.testing.assert_allclose(shapes(after), shapes(before), atol=1e-9)
    np.testing.assert_allclose(after[[0, -1], 3], before[[0, -1], 3])
    assert np.abs(after[:, 3] / before[:, 3] - 1).max() > 0.01


def test_only_the_model_sees_the_shuffled_history_and_cutoffs_shuffle_alike(tmp_path: Path) -> None:
    places = [Cutoff(walk("A", 200, 1), row, LOOKBACK, HORIZON) for row in (100, 150)]
    ewma, request = Ewma(), request_of(places, 0)
    double = Shuffled(ewma)
    assert (double.name, double.digest) == ("ewma", "ewma/shuffled")
    together, alone = double.forecast(request).close, double.forecast(request_of(places[1:], 0)).close
    np.testing.assert_array_equal(together[1:], alone)
    assert (together != ewma.forecast(request).close).any()
    np.testing.assert_array_equal(request.pasts[0].last(LOOKBACK), places[0].past.last(LOOKBACK))


def test_an_untrained_double_has_the_shapes_and_other_weights(predictor: KronosPredictor) -> None:
    double = untrained(predictor)
    assert double.digest != predictor.digest
    assert double.digest == untrained(predictor).digest
    assert (double.model.config, double.max_context) == (predictor.model.config, predictor.max_context)


@pytest.fixture
def predictor() -> KronosPredictor:
    return KronosPredictor.from_pretrained(GOLDEN / "model", tokenizer=GOLDEN / "tokenizer", device="cpu")


def test_pictures_are_of_different_groups_by_turns_calm_and_wild(
    folder: Path, predictor: KronosPredictor, tmp_path: Path
) -> None:
    series = blocks(folder)["new"] + [walk(name, 60, seed, "stocks/1d") for seed, name in enumerate("PQRS")]
    chosen = varied(series, lookback=LOOKBACK, horizon=HORIZON, count=5)
    assert [one.group for one in chosen] == ["crypto/1h", "crypto/4h", "fx/1h", "stocks/1d", "stocks/1d"]
    assert all(one.row == LOOKBACK for one in chosen)
    model = KronosForecaster("tiny", predictor, samples=4)
    first, again = tmp_path / "first.svg", tmp_path / "again.svg"
    for out in (first, again):
        draw(model, chosen[:3], out, ["one", "two", "three"])
    drawn = first.read_text()
    assert all(f"<!-- {name} -->" in drawn for name in ("one", "two", "three", "actual", "90 %"))
    assert drawn == again.read_text()


def test_the_command_fails_a_random_model_and_goes_on_where_it_was(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "judged"
    command = ["judge", GOLDEN / "model", folder, "--tokenizer", GOLDEN / "tokenizer", "--weights", "random"]
    command += ["--lookback", LOOKBACK, "--horizon", HORIZON, "--tail", 0.2, "--samples", 8, "--out", out]
    command += ["--cutoffs", 8, "--groups", "crypto/*", "--threads", 1]
    assert main([str(word) for word in command]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 120
    assert "last stretch, crypto/1h: 1 of 2 symbols are left out, without 45 candles in a row." in said
    kept = json.loads((out / "judgement.json").read_text())
    assert list(kept["blocks"]) == ["new", "later", "together"]
    assert list(kept["blocks"]["new"]) == ["crypto/1h", "crypto/4h", "crypto", "all"]
    whole = kept["blocks"]["together"]["all"]
    assert whole["cutoffs"] == 4 * 8
    assert whole["crps_ratio"]["value"] > 1.02
    assert list(whole["marks"].values()).count("missed") > 3
    assert (kept["settings"]["weights"], kept["settings"]["drift"]) == ("random", "kept")
    assert "without its drift" in (out / "judgement.md").read_text()
    assert "| crypto/4h | 8 |" in (out / "judgement.md").read_text()
    assert set(pd.read_csv(out / "scores.csv")["forecaster"]) == {"model", "ewma", "walk_20", "walk_100", "garch"}
    made = {path: path.stat().st_mtime_ns for path in (out / "parts").glob("*.parquet")}
    assert main([str(word) for word in [*command, "--pictures", tmp_path / "pictures"]]) == 0
    assert made == {path: path.stat().st_mtime_ns for path in (out / "parts").glob("*.parquet")}
    assert "<!-- CRPS " in (tmp_path / "pictures" / "worst.svg").read_text()
    assert "<!-- crypto/1h C, " in (tmp_path / "pictures" / "forecasts.svg").read_text()


def test_without_drift_the_pull_is_gone_and_its_cost_is_no_longer_told_apart(folder: Path, tmp_path: Path) -> None:
    command = ["judge", GOLDEN / "model", folder, "--tokenizer", GOLDEN / "tokenizer", "--groups", "crypto/1h"]
    command += ["--lookback", LOOKBACK, "--horizon", HORIZON, "--samples", 8, "--cutoffs", 4, "--threads", 1]
    found = {}
    for drift in ("kept", "removed"):
        assert main([str(word) for word in [*command, "--drift", drift, "--out", tmp_path / drift]]) == 0
        judged = json.loads((tmp_path / drift / "judgement.json").read_text())
        assert judged["settings"]["drift"] == drift
        found[drift] = judged["blocks"]["together"]["all"]
    assert found["removed"]["crps_ratio"] == found["removed"]["crps_ratio_centred"]
    assert found["removed"]["crps_ratio_centred"]["value"] == pytest.approx(
        found["kept"]["crps_ratio_centred"]["value"]
    )
    assert found["removed"]["crps_ratio"] != found["kept"]["crps_ratio"]
    told = (tmp_path / "removed" / "judgement.md").read_text()
    assert "drift removed" in told
    assert "without its drift" not in told


def test_the_drift_is_removed_where_a_model_recommends_it() -> None:
    drifts = get_args(Drift)
    assert [is_driftless(drift, "kronos-nano") for drift in drifts] == [True, False, True]
    assert [is_driftless(drift, "kronos-small") for drift in drifts] == [False, False, True]
    assert [is_driftless(drift, "some/folder") for drift in drifts] == [False, False, True]


def test_nothing_is_missed_beyond_chance_by_fewer_than_five_times(tmp_path: Path) -> None:
    class Wide(Ewma):
        """A walk that is three times as volatile as it should be."""

        name = "wide"

        def step(self, returns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            mean, deviation = super().step(returns)
            return mean, 3 * deviation

    series = walk("A", 400, 1)
    for count, mark in ((4, "close"), (30, "missed")):
        places = [Cutoff(series, LOOKBACK + HORIZON * i, LOOKBACK, HORIZON) for i in range(count)]
        assert judge(Wide(), {"all": places}, tmp_path / mark).mark("all", "all", "coverage_80") == mark


def test_a_last_stretch_that_is_no_share_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["judge", "kronos-nano", str(folder), "--tail", "1"])
    assert "--tail is 1.0: it must be at least 0 and below 1." in capsys.readouterr().err


def test_the_document_has_the_options_and_the_figures_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    document = (ROOT / "docs" / "judging.md").read_text()
    for command in ("judge", "all"):  # the latter trains without a market
        with pytest.raises(SystemExit):
            main([command, "--help"])
    assert set(re.findall(r"(?<!-)--[a-z][a-z-]*", document)) <= set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    assert all(f"| {target.label} | {target.text} |" in document for target in TARGETS.values())
