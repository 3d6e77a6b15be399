"""Figures of many forecasts, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.training.evaluation.conftest import of_closes, walk
from training.evaluation import scores
from training.evaluation.baselines import Ewma, Window
from training.evaluation.cutoffs import Cutoff
from training.evaluation.forecasters import Members, request_of
from training.evaluation.inference import Estimate
from training.evaluation.records import records
from training.evaluation.summary import by_cutoff, crps_ratio, figures, foreseen, information, ranking
from training.evaluation.verdicts import verdict_on_base, verdict_on_baseline

HISTORY = np.array([100.0, 110.0, 99.0, 108.9])
FUTURE = np.array([110.0, 104.0])


@pytest.fixture
def table() -> pd.DataFrame:
    """Records of two paths that were drawn, at one cutoff."""
    place = Cutoff(of_closes(np.r_[HISTORY, FUTURE]), 4, 4, 2)
    members = np.array([[[108.9, 112.0], [111.0, 100.0]]])
    impossible = np.array([0.25])
    return records("two", Members(members, drawn=True, impossible=impossible), request_of([place], 0), [place])


def test_records_are_those_worked_out_by_hand(table: pd.DataFrame) -> None:
    unit = np.log([1.1, 0.9, 1.1]).std() * np.sqrt(2)
    moves = np.log(np.array([[108.9, 112.0], [111.0, 100.0]]) / 108.9)
    actual = np.log(FUTURE / 108.9)
    assert list(table["step"]) == [1, 2]
    spread = np.abs(moves[0] - moves[1])
    crps = np.abs(moves - actual).mean(axis=0) - spread / 2
    expected = {
        "unit": [unit, unit],
        "crps": crps / unit,
        "median": moves.mean(axis=0),
        "mean": moves.mean(axis=0),
        "actual": actual,
        "absolute": np.abs(moves.mean(axis=0) - actual),
        "squared": (moves.mean(axis=0) - actual) ** 2,
        "absolute_price": [abs(109.95 - 110), 2.0],
        "squared_price": [0.05**2, 4.0],
        "percentage": [0.05 / 110, 2 / 104],
        "scaled": np.array([0.05, 2.0]) / np.abs(np.diff(HISTORY)).mean(),
        "sharpness": spread / 2 / unit,
        "width_90": spread / unit,
        "covered_50": [1.0, 1.0],
        "chance": [0.75, 0.5],
        "rose": [1.0, 0.0],
        "brier": [0.0625, 0.25],
        "hit": [1.0, 1.0 if 112.0 * 100.0 < 108.9**2 else 0.0],
        "impossible": [0.25, 0.25],
        "realised": [np.sqrt(actual[0] ** 2 + (actual[1] - actual[0]) ** 2)] * 2,
        "volatility": [np.sqrt((np.diff(moves, axis=1, prepend=0.0) ** 2).sum(axis=1)).mean()] * 2,
        "past_volatility": [unit / np.sqrt(2)] * 2,
    }
    for column, values in expected.items():
        np.testing.assert_allclose(table[column], values, rtol=1e-9, atol=1e-12, err_msg=column)


def test_a_cutoff_is_averaged_over_its_steps_and_keeps_its_last(table: pd.DataFrame) -> None:
    row = by_cutoff(table).iloc[0]
    assert row["crps"] == pytest.approx(table["crps"].mean())
    assert row["mae"] == pytest.approx(table["absolute"].mean())
    assert row["coverage_50"] == 1.0
    assert row["last_actual"] == pytest.approx(np.log(104 / 108.9))
    assert row["energy"] == pytest.approx(table["energy"].iloc[0])


def test_a_baseline_without_an_opinion_has_no_direction() -> None:
    """Medians of a walk differ from the last close by rounding; that must not count as right or wrong."""
    place = Cutoff(walk("A", 100), 60, 40, 3)
    z = np.linspace(-2, 2, 8)[None, :, None] * np.ones(3)
    close = place.past.last(1)[0, 3] * np.exp(0.01 * z)
    table = records("walk", Members(close, drawn=False), request_of([place], 0), [place])
    assert (table[["mean", "median"]] == 0).all(axis=None)
    assert table["hit"].isna().all()
    np.testing.assert_allclose(table["chance"], 0.5)


def scored(times: list[int], symbols: list[str], **columns: np.ndarray) -> pd.DataFrame:
    """Return rows of `by_cutoff` with these columns and noise in all others."""
    place = Cutoff(walk("A", 100), 60, 40, 3)
    z = np.random.default_rng(0).normal(size=(1, 8, 3)).cumsum(axis=2)
    close = place.past.last(1)[0, 3] * np.exp(0.01 * z)
    one = by_cutoff(records("m", Members(close, drawn=True), request_of([place], 0), [place]))
    table = pd.concat([one] * len(times)).assign(**columns)
    keys = [("g", symbol, time, time + 1, "m") for time, symbol in zip(times, symbols, strict=True)]
    return table.set_index(pd.MultiIndex.from_tuples(keys, names=one.index.names))


def test_ic_is_the_mean_over_times_across_symbols() -> None:
    rng = np.random.default_rng(1)
    forecast, actual = rng.normal(size=(2, 8, 6))
    times, symbols = np.repeat(np.arange(8), 6).tolist(), list("ABCDEF") * 8
    found, over = information(scored(times, symbols, last_mean=forecast.ravel(), last_actual=actual.ravel()))
    by_time = np.array([stats.pearsonr(a, b)[0] for a, b in zip(forecast, actual, strict=True)])
    ranks = np.array([stats.spearmanr(a, b)[0] for a, b in zip(forecast, actual, strict=True)])
    assert over == "symbols"
    assert found["ic"].value == pytest.approx(by_time.mean(), abs=1e-9)
    assert found["rank_ic"].value == pytest.approx(ranks.mean(), abs=1e-9)
    assert found["icir"].value == pytest.approx(ranks.mean() / ranks.std(), abs=1e-9)
    assert found["rank_ic"].low is not None
    assert found["rank_ic"].low < found["rank_ic"].value < found["rank_ic"].high


def test_ic_of_few_symbols_is_taken_across_all_cutoffs() -> None:
    forecast, actual = np.random.default_rng(2).normal(size=(2, 30))
    found, over = information(scored(list(range(30)), ["A"] * 30, last_mean=forecast, last_actual=actual))
    assert over == "cutoffs"
    assert found["ic"].value == pytest.approx(stats.pearsonr(forecast, actual)[0], abs=1e-9)
    assert found["rank_ic"].value == pytest.approx(stats.spearmanr(forecast, actual)[0], abs=1e-9)
    assert np.isnan(found["icir"].value)


def test_roots_and_shares_are_those_of_all_cutoffs() -> None:
    rng = np.random.default_rng(3)
    squared, forecast, realised = rng.random((3, 20))
    found = figures(scored(list(range(20)), ["A"] * 20, squared=squared, volatility=forecast, realised=realised))
    assert found["rmse"].value == pytest.approx(np.sqrt(squared.mean()), abs=1e-9)
    assert found["volatility_mae"].value == pytest.approx(np.abs(forecast - realised).mean(), abs=1e-9)
    total = ((realised - realised.mean()) ** 2).sum()
    expected = 1 - ((forecast - realised) ** 2).sum() / total
    assert found["volatility_r2"].value == pytest.approx(expected, abs=1e-9)


def test_forecasters_are_ranked_by_their_crps_over_the_cutoffs_they_share() -> None:
    one = scored([1, 2, 3], ["A"] * 3, crps=np.array([1.0, 2.0, 3.0]))
    other = scored([1, 2, 4], ["A"] * 3, crps=np.array([2.0, 2.0, 90.0])).rename({"m": "n"}, level="forecaster")
    table = pd.concat([one, other])
    assert ranking(table, ["n", "m"]) == ["m", "n"]
    assert crps_ratio(table, "m", "n").value == pytest.approx(3 / 4)


@pytest.mark.parametrize(
    ("against", "sentence"),
    [
        (Estimate(1.01, 0.97, 1.05), "On this data, kronos-nano does not differ significantly from EWMA random walk ("),
        (Estimate(1.1, 1.02, 1.2), "On this data, kronos-nano is worse than EWMA random walk (CRPS ratio 1.100, 95 % "),
        (Estimate(0.9, 0.8, 0.99), "On this data, kronos-nano is better than EWMA random walk (CRPS ratio 0.900, 95 %"),
        (Estimate(0.9), "The CRPS ratio of kronos-nano to EWMA random walk is 0.900; there are too few cutoff times"),
        (Estimate(float("nan")), "On this data, kronos-nano cannot be compared with EWMA random walk: the CRPS of"),
    ],
)
def test_the_verdict_is_one_plain_sentence(against: Estimate, sentence: str) -> None:
    assert str(verdict_on_baseline("kronos-nano", "ewma", against)).startswith(sentence)


@pytest.mark.parametrize(
    ("against", "sentence"),
    [
        (
            Estimate(0.989, 0.966, 1.022),
            "No significant improvement over the base model (CRPS ratio 0.989, 95 % CI 0.9",
        ),
        (
            Estimate(1.1, 1.02, 1.2),
            "Fine-tuning made the base model worse (CRPS ratio 1.100, 95 % CI 1.020–1.200). Use",
        ),
        (Estimate(0.9, 0.8, 0.99), "Fine-tuning improved the base model (CRPS ratio 0.900, 95 % CI 0.800–0.990)."),
        (Estimate(0.9), "The CRPS ratio of the fine-tuned to the base model is 0.900; there are too few cutoff times"),
        (Estimate(float("nan")), "Fine-tuned and base model cannot be compared: the CRPS of the base model is 0."),
    ],
)
def test_fine_tuning_is_compared_with_its_base_in_one_sentence(against: Estimate, sentence: str) -> None:
    assert str(verdict_on_base(against)).startswith(sentence)


def test_foresight_scores_as_the_walk_that_moves_as_far_as_prices_did() -> None:
    place = Cutoff(of_closes(np.r_[HISTORY, FUTURE]), 4, 4, 2)
    request = request_of([place], 0)
    moves = np.log(FUTURE / HISTORY[-1])
    deviation = np.sqrt((np.diff(moves, prepend=0.0) ** 2).mean() * np.array([1, 2]))
    members = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)[:, None] * deviation
    wanted = scores.crps(members[None], moves[None], drawn=False).mean() / (request.returns.std() * np.sqrt(2))
    steps = [records(one.name, one.forecast(request), request, [place]) for one in (Ewma(), Window(3))]
    for found in map(foreseen, steps):  # whoever forecast
        assert found.to_dict() == {(place.group, "A", place.time, place.known_at): pytest.approx(wanted, rel=1e-3)}


def test_foresight_of_what_never_moves_is_perfect() -> None:
    place = Cutoff(of_closes(np.r_[HISTORY, HISTORY[-1], HISTORY[-1]]), 4, 4, 2)
    request = request_of([place], 0)
    found = foreseen(records("ewma", Ewma().forecast(request), request, [place]))
    assert found.tolist() == pytest.approx([0.0], abs=1e-9)
