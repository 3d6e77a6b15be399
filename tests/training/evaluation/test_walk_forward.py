"""Many cutoffs, many forecasters: batched, resumable, and told from what is in the folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.predictor import KronosPredictor
from tests.training.evaluation.conftest import of_closes, walk
from training.errors import DataError, RunError
from training.evaluation import walk_forward as module
from training.evaluation.asof import LookAhead
from training.evaluation.baselines import QUICK, Ets, Ewma, LastClose
from training.evaluation.cutoffs import Cutoff, Series, rolling
from training.evaluation.forecasters import Members, Request
from training.evaluation.kronos import KronosForecaster
from training.evaluation.report import Report
from training.evaluation.walk_forward import SETTINGS, digests, overlap_of, seen_in_training, walk_forward


@dataclass
class Gaussian:
    """Draws walks of `volatility` a step and counts what it was asked for."""

    volatility: float = 0.01
    name: str = "gaussian"
    asked: list[int] = field(default_factory=list)

    @property
    def digest(self) -> str:
        return f"{self.name}/{self.volatility}"

    def forecast(self, request: Request) -> Members:
        self.asked.append(len(request.pasts))
        z = np.stack([np.random.default_rng(seed).normal(size=(40, request.horizon)) for seed in request.seeds])
        return Members(request.closes[:, -1, None, None] * np.exp(self.volatility * z.cumsum(axis=2)), drawn=True)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 16)


@pytest.fixture
def places() -> list[Cutoff]:
    groups = ("crypto/1h", "fx/1h")
    return rolling([walk(f"S{i}", 200, i, groups[i % 2]) for i in range(4)], lookback=40, horizon=4, n_windows=10)


def report(forecasters: Sequence[object], places: Sequence[Cutoff], folder: Path) -> Report:
    return Report(walk_forward(forecasters, places, folder), [one.name for one in QUICK])


def test_every_forecaster_is_scored_at_every_cutoff(places: list[Cutoff], tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    found = walk_forward([Gaussian(), *QUICK], places, tmp_path, on_step=lambda *step: steps.append(step))
    assert steps == [(i + 1, 12) for i in range(12)]
    table = pd.concat(found.parts())
    assert (table.groupby(["forecaster", "step"]).size() == 40).all()
    assert table.groupby("forecaster")["time"].nunique().eq(10).all()


def test_memory_holds_a_batch_whatever_the_number_of_cutoffs(places: list[Cutoff], tmp_path: Path) -> None:
    model = Gaussian()
    walk_forward([model], places, tmp_path)
    assert model.asked == [16, 16, 8]


def test_what_was_stopped_goes_on_where_it_stopped(places: list[Cutoff], tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise Stopped

    with pytest.raises(Stopped):
        walk_forward([Gaussian(), LastClose()], places, tmp_path / "one", on_step=stop)
    model = Gaussian()
    resumed = walk_forward([model, LastClose()], places, tmp_path / "one")
    assert model.asked == [8]  # of three batches two were there
    whole = walk_forward([Gaussian(), LastClose()], places, tmp_path / "other")
    pd.testing.assert_frame_equal(pd.concat(resumed.parts()), pd.concat(whole.parts()))


def test_a_model_added_later_is_all_that_is_computed(places: list[Cutoff], tmp_path: Path) -> None:
    one, other = Gaussian(), Gaussian(0.02, "wide")
    walk_forward([one], places, tmp_path)
    walk_forward([one, other], places, tmp_path)
    assert (len(one.asked), len(other.asked)) == (3, 3)


@pytest.mark.parametrize("what", ["weights", "candles", "seed", "horizon"])
def test_scores_of_something_else_are_never_taken(places: list[Cutoff], tmp_path: Path, what: str) -> None:
    walk_forward([Gaussian()], places, tmp_path)
    model, seed = Gaussian(0.02 if what == "weights" else 0.01), 1 if what == "seed" else 0
    if what == "candles":
        for series in {id(c.series): c.series for c in places}.values():
            series.values[0] *= 1.001  # long before any cutoff: a baseline may look there
    if what == "horizon":
        places = [Cutoff(c.series, c.row, c.lookback, c.horizon - 1) for c in places]
    walk_forward([model], places, tmp_path, seed=seed)
    assert len(model.asked) == 3


def test_new_candles_leave_the_digest_of_earlier_cutoffs_as_it_was() -> None:
    long = walk("A", 300)
    short = Series(long.group, long.symbol, long.values[:200], long.times[:200])
    rows = (100, 103, 150)
    assert digests([Cutoff(long, r, 40, 10) for r in rows]) == digests([Cutoff(short, r, 40, 10) for r in rows])
    assert len(set(digests([Cutoff(long, r, 40, 10) for r in rows]))) == 3


def test_a_damaged_file_is_computed_again(places: list[Cutoff], tmp_path: Path) -> None:
    whole = pd.concat(walk_forward([Gaussian()], places, tmp_path).parts())
    broken = sorted(tmp_path.glob("*.parquet"))[1]
    broken.write_bytes(broken.read_bytes()[:100])
    model = Gaussian()
    pd.testing.assert_frame_equal(pd.concat(walk_forward([model], places, tmp_path).parts()), whole)
    assert len(model.asked) == 1


def test_without_refit_a_series_is_fitted_at_its_first_cutoff_alone(
    places: list[Cutoff], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits: list[bytes] = []
    fit = Ets._fit
    monkeypatch.setattr(Ets, "_fit", lambda self, returns: fits.append(returns.tobytes()) or fit(self, returns))
    model, one, other = Gaussian(), tmp_path / "one", tmp_path / "other"
    anew, held = (pd.concat(walk_forward([Ets(), model], places, one, refit=r).parts("ets")) for r in (True, False))
    assert (len(fits), len(set(fits[-4:]))) == (40 + 4, 4)
    assert len(model.asked) == 3  # what is not fitted is the same either way
    same = anew["crps"].to_numpy() == held["crps"].to_numpy()
    first = anew.groupby("symbol")["time"].transform("min").to_numpy() == anew["time"].to_numpy()
    assert same[first].all()
    assert not same[~first].any()
    assert json.loads((one / SETTINGS).read_text())["refit"] is False
    later = [place for place in places if place.time > min(c.time for c in places if c.series is place.series)]
    again = [pd.concat(walk_forward([Ets()], later, folder, refit=False).parts()) for folder in (one, other)]
    pd.testing.assert_frame_equal(*again)


def test_settings_are_written_down(places: list[Cutoff], tmp_path: Path) -> None:
    walk_forward([Gaussian(), Ewma()], places, tmp_path, seed=5)
    noted = json.loads((tmp_path / SETTINGS).read_text())
    assert noted["forecasters"] == {"gaussian": "gaussian/0.01", "ewma": "ewma"}
    assert (noted["cutoffs"], noted["lookback"], noted["horizon"], noted["seed"]) == (40, 40, 4, 5)
    assert len(noted["data"]) == 64


def test_no_cutoff_two_of_one_name_and_a_folder_that_is_none_are_errors(places: list[Cutoff], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="every series is shorter"):
        walk_forward([Gaussian()], [], tmp_path)
    with pytest.raises(DataError, match="Two forecasters are named gaussian"):
        walk_forward([Gaussian(), Gaussian(0.02)], places, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written to"):
        walk_forward([Gaussian()], places, tmp_path / "file")


def test_a_leak_planted_in_a_model_is_caught(
    places: list[Cutoff], tmp_path: Path, model: KronosPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forecaster that takes one candle more than is known."""
    honest = KronosForecaster.paths

    def paths(self: KronosForecaster, request: Request) -> tuple[np.ndarray, np.ndarray]:
        for past in request.pasts:
            past.rows(len(past) - request.lookback + 1, len(past) + 1)
        return honest(self, request)

    walk_forward([KronosForecaster("honest", model, samples=2)], places[:4], tmp_path)
    monkeypatch.setattr(KronosForecaster, "paths", paths)
    with pytest.raises(LookAhead, match="nothing after the cutoff"):
        walk_forward([KronosForecaster("cheat", model, samples=2)], places[:4], tmp_path)


def test_a_model_never_sees_what_came(model: KronosPredictor, tmp_path: Path) -> None:
    series = walk("A", 200)
    changed = Series(series.group, series.symbol, series.values.copy(), series.times)
    changed.values[100:] *= 2
    drawn = []
    for one in (series, changed):
        request = module.request_of([Cutoff(one, 100, 40, 4)], 0)
        drawn.append(KronosForecaster("kronos", model, samples=3).forecast(request).close)
    np.testing.assert_array_equal(*drawn)


def test_a_models_paths_depend_on_the_cutoff_alone(model: KronosPredictor, places: list[Cutoff]) -> None:
    kronos = KronosForecaster("kronos", model, samples=3)
    together = kronos.forecast(module.request_of(places[:6], 0)).close
    alone = kronos.forecast(module.request_of(places[4:5], 0)).close
    np.testing.assert_allclose(together[4], alone[0], rtol=1e-9)
    other = kronos.forecast(module.request_of(places[4:5], 1)).close
    assert (alone != other).any()


def test_without_drift_the_median_of_each_step_is_the_last_close(
    model: KronosPredictor, places: list[Cutoff], tmp_path: Path
) -> None:
    drawn, still = (KronosForecaster("kronos", model, samples=4, driftless=one) for one in (False, True))
    assert drawn.digest != still.digest
    request = module.request_of(places[:3], 0)
    last = request.closes[:, -1, None]
    moves = np.log(still.forecast(request).close / last[..., None])
    np.testing.assert_allclose(np.median(moves, axis=1), 0.0, atol=1e-12)
    assert np.abs(np.median(np.log(drawn.forecast(request).close / last[..., None]), axis=1)).min() > 1e-9
    results = walk_forward([still], places[:3], tmp_path)
    table = pd.concat(results.parts("kronos"))
    np.testing.assert_array_equal(table["crps"], table["crps_centred"])
    assert table["hit"].isna().all(), "no opinion is neither right nor wrong"


def test_overlapping_futures_are_counted() -> None:
    series = [walk("A", 200), walk("B", 200, 1)]
    assert overlap_of(rolling(series, lookback=40, horizon=10)) == 1
    assert overlap_of(rolling(series, lookback=40, horizon=10, step_size=4)) == 3
    assert overlap_of(rolling(series, lookback=40, horizon=10, n_windows=1)) == 1


def test_cutoffs_before_the_end_of_a_models_training_are_warned_of(places: list[Cutoff]) -> None:
    crypto_only = {"crypto": date(2030, 1, 1)}.get
    told = str(seen_in_training("kronos-nano", crypto_only, places))
    assert told.startswith("20 of 40 cutoffs are within the training period of kronos-nano")
    assert "no evidence in its favour" in str(seen_in_training("kronos-nano", lambda _: date(2024, 6, 1), places))
    assert seen_in_training("kronos-nano", lambda _: date(2023, 12, 31), places) is None
    assert seen_in_training("kronos-nano", lambda _: None, places) is None


def test_the_right_law_is_no_better_than_the_walk_and_a_wrong_one_is_worse(tmp_path: Path) -> None:
    series = [walk(f"S{i}", 1000, i) for i in range(4)]
    places = rolling(series, lookback=200, horizon=4, n_windows=80)
    found = report([Gaussian(), Gaussian(0.03, "wide"), *QUICK], places, tmp_path)
    right, wide = found.rows["gaussian"], found.rows["wide"]
    assert right.skill.value == pytest.approx(1.0, abs=0.02)
    assert right.test.p is not None
    assert str(found.verdicts["gaussian"]).startswith("On this data, gaussian does not differ significantly from ")
    assert wide.skill.low is not None
    assert wide.skill.low > 1.3
    assert wide.test.p is not None
    assert wide.test.p < 1e-6
    assert str(found.verdicts["wide"]).startswith("On this data, wide is worse than ")
    for level in (50, 80, 90, 95):
        assert right.figures[f"coverage_{level}"].value == pytest.approx(level / 100, abs=0.03)
    assert wide.figures["coverage_80"].value > 0.98
    assert found.calibration("gaussian")["p"] > 0.01
    assert found.calibration("wide")["p"] < 1e-6
    np.testing.assert_allclose(found.calibration("gaussian")["pit"], 0.1, atol=0.02)


def test_one_who_knows_better_is_said_to_be_better(tmp_path: Path) -> None:
    """Volatility jumps between two values at hours only the model knows of."""
    rng = np.random.default_rng(0)
    sigma = np.where(np.arange(900) // 4 % 2 == 0, 0.002, 0.03)
    series = of_closes(50 * np.exp((rng.normal(size=900) * sigma).cumsum()))
    places = [Cutoff(series, row, 40, 4) for row in range(48, 448, 4)]

    class Knows(Gaussian):
        def forecast(self, request: Request) -> Members:
            at = np.array([len(past) for past in request.pasts]) // 4 % 2 == 0
            narrow, wide = Gaussian(0.002).forecast(request).close, Gaussian(0.03).forecast(request).close
            return Members(np.where(at[:, None, None], narrow, wide), drawn=True)

    found = report([Knows(name="knows"), *QUICK], places, tmp_path)
    assert str(found.verdicts["knows"]).startswith("On this data, knows is better than ")
    foreseen = found.volatility_foreseen
    assert foreseen.value < found.rows["knows"].skill.value  # who knows the law still has to see what comes of it
    assert found.to_dict()["volatility_foreseen"] == foreseen.to_dict()
    assert foreseen.value == pytest.approx(found.foreseen.mean() / found.of(found.best_baseline)["crps"].mean())


def test_tables_by_step_market_regime_and_period(places: list[Cutoff], tmp_path: Path) -> None:
    found = report([Gaussian(), *QUICK], places, tmp_path)
    by_step = found.by_step()
    assert list(by_step.loc["gaussian"].index) == [1, 2, 3, 4]
    assert by_step.loc["gaussian", "crps"].mean() == pytest.approx(found.rows["gaussian"].figures["crps"].value)
    assert (by_step.loc["ewma", "crps"].diff().dropna() > 0).all()  # further ahead is harder
    by_group = found.by_group()
    assert set(by_group.index.get_level_values("part")) == {"crypto/1h", "fx/1h"}
    assert (by_group["cutoffs"] == 20).all()
    assert by_group.loc[("fx/1h", found.best_baseline), "skill"] == pytest.approx(1.0)
    by_regime = found.by_regime()
    assert set(by_regime.index.get_level_values("part")) == {"calm", "usual", "wild"}
    assert by_regime["cutoffs"].xs("ewma", level="forecaster").tolist() == pytest.approx([40 / 3] * 3, abs=4)
    assert set(found.by_period("M").index.get_level_values("part")) == {"2024-01"}


def test_the_worst_cutoffs_come_first(places: list[Cutoff], tmp_path: Path) -> None:
    worst = report([Gaussian(), *QUICK], places, tmp_path).worst("gaussian", 5)
    assert len(worst) == 5
    assert worst["lost"].is_monotonic_decreasing
    assert {(c.group, c.symbol, c.time, c.known_at) for c in places} >= set(worst.index)


def test_one_cutoff_is_scored_and_nothing_concluded(places: list[Cutoff], tmp_path: Path) -> None:
    found = report([Gaussian(), *QUICK], places[:1], tmp_path)
    row = found.rows["gaussian"]
    assert (row.skill.low, row.test.p) == (None, None)
    assert "too few cutoff times" in str(found.verdicts["gaussian"])
    json.dumps(found.to_dict(), allow_nan=False)
    assert found.calibration("gaussian")["hits"].keys() == {"value", "low", "high"}
