import numpy as np
import pytest

from kronos_app.services.ledger.comparison import Score, compare, summarize


@pytest.fixture
def history():
    return 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.01, 200)))


def around(actual, spread, members=200):
    return actual + np.random.default_rng(4).normal(0, spread, (members, len(actual)))


def named(comparison):
    return {score.name: score for score in comparison.scores}


def test_a_forecast_around_what_came_is_better_than_every_baseline(history):
    actual = history[-1] + np.linspace(1, 9, 12)
    comparison = compare(around(actual, 0.2), actual, history)
    scores = named(comparison)
    assert scores["model"].crps < min(score.crps for name, score in scores.items() if name != "model")
    assert "The model is better" in comparison.verdict.render()
    assert "A single window is not evidence" in comparison.verdict.render()


def test_a_forecast_far_from_what_came_is_told_to_be_worse(history):
    actual = np.full(12, history[-1])
    comparison = compare(around(actual + 40, 0.2), actual, history)
    assert "The model is worse" in comparison.verdict.render()
    assert named(comparison)["model"].coverage == {0.5: 0.0, 0.8: 0.0, 0.9: 0.0}


def test_the_numbers_are_those_of_the_definition(history):
    last = float(history[-1])
    actual = np.array([last + 1, last - 2, last + 3, last + 4, np.nan])
    paths = np.tile(np.array([last + 2, last + 2, last + 2, last + 2, last + 50]), (3, 1))
    model = named(compare(paths, actual, history))["model"]
    assert model.mae == pytest.approx((1 + 4 + 1 + 2) / 4)
    assert model.mape == pytest.approx(np.mean([1 / (last + 1), 4 / (last - 2), 1 / (last + 3), 2 / (last + 4)]))
    assert model.direction == pytest.approx(3 / 4)
    assert model.crps == pytest.approx(2.0), "of paths that agree, CRPS is the absolute error"


def test_unknown_candles_are_left_out_and_counted(history):
    actual = np.array([np.nan, history[-1], np.nan])
    assert compare(around(np.full(3, history[-1]), 1.0), actual, history).matched == 1


def test_nothing_known_is_no_comparison(history):
    assert compare(around(np.full(3, 100.0), 1.0), np.full(3, np.nan), history) is None


def test_paths_moved_to_a_common_middle_are_not_flattered_by_being_few(history):
    last, rng = float(history[-1]), np.random.default_rng(5)
    law = last * np.exp(rng.normal(0, 0.02, (4000, 400)))
    actual = last * np.exp(rng.normal(0, 0.02, 400))
    drawn = law[:6]
    moved = drawn * last / np.exp(np.median(np.log(drawn), axis=0))
    right, fair, flattered = (
        named(compare(paths, actual, history, driftless=one))["model"].crps
        for paths, one in ((law, False), (moved, True), (moved, False))
    )
    assert flattered < 0.97 * right
    assert fair == pytest.approx(right, rel=0.03)


def test_the_baselines_do_not_depend_on_the_number_of_paths(history):
    actual = np.full(6, history[-1])
    few, many = (named(compare(around(actual, 1.0, members), actual, history)) for members in (1, 200))
    assert few["ewma"] == many["ewma"]


def test_a_flat_series_is_scored_without_numbers_that_json_lacks():
    flat = np.full(50, 10.0)
    comparison = compare(np.full((5, 8), 10.0), np.full(8, 10.0), flat)
    assert "no error" in comparison.verdict.render()
    assert named(comparison)["model"].direction is None


def scores(model, *baselines):
    pairs = zip(["model", "last_close", "drift", "ewma"], [model, *baselines], strict=False)
    return [Score(name=name, mae=1, mape=1, direction=0.5, coverage={}, crps=crps) for name, crps in pairs]


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (0.90, "The model is better than the best baseline (drift) here: CRPS ratio 0.90 over 24 candles."),
        (1.20, "The model is worse than the best baseline (drift) here: CRPS ratio 1.20 over 24 candles."),
        (1.04, "No significant difference between the model and the best baseline (drift): CRPS ratio 1.04"),
        (0.96, "No significant difference between the model and the best baseline (drift): CRPS ratio 0.96"),
    ],
)
def test_the_verdict_compares_with_the_best_baseline(model, sentence):
    assert sentence in summarize(scores(model, 2.0, 1.0, 1.5), 24).render()


def test_a_handful_of_candles_gives_no_verdict():
    assert "too few" in summarize(scores(0.1, 1.0), 4).render()


def test_the_verdict_can_be_stored_and_read_in_chinese():
    from kronos_app.i18n import Text

    told = summarize(scores(0.9, 2.0, 1.0), 24)
    assert Text.from_dict(told.to_dict()).render("zh_CN") == told.render("zh_CN")
