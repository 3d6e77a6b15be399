"""Scores against reference values and cases worked out by hand, to 1e-9."""

from __future__ import annotations

import numpy as np
import pytest
import scoringrules
from scipy import stats

from training.evaluation import scores

CLOSE = {"rtol": 0, "atol": 1e-9}
MEMBERS = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]])[None]  # (1, 4, 2)
ACTUAL = np.array([[2.5, 50.0]])


def test_the_crps_of_draws_is_the_fair_one() -> None:
    # E|X - y| less half of E|X - X'| over different members: 1 - 5/6 and 25 - 50/6.
    np.testing.assert_allclose(scores.crps(MEMBERS, ACTUAL, drawn=True), [[1 - 5 / 6, 25 - 50 / 6]], **CLOSE)


def test_the_crps_of_quantiles_is_that_of_the_law() -> None:
    levels = (np.arange(4000) + 0.5) / 4000
    members = stats.norm.ppf(levels)[None, :, None]
    for y in (0.0, 0.7, -2.0):
        found = scores.crps(members, np.array([[y]]), drawn=False)
        np.testing.assert_allclose(found, scoringrules.crps_normal(y, 0, 1), atol=1e-6)
    # E|X - y| less half of E|X - X'| over all pairs.
    np.testing.assert_allclose(scores.crps(MEMBERS, ACTUAL, drawn=False), [[1 - 0.625, 25 - 6.25]], **CLOSE)


def test_the_fair_crps_does_not_depend_on_the_number_of_draws_and_the_other_would() -> None:
    rng = np.random.default_rng(0)
    actual = rng.normal(size=(20_000, 1))
    few, many = rng.normal(size=(20_000, 5, 1)), rng.normal(size=(20_000, 40, 1))
    true = 1 / np.sqrt(np.pi)
    assert scores.crps(few, actual, drawn=True).mean() == pytest.approx(true, abs=0.01)
    assert scores.crps(many, actual, drawn=True).mean() == pytest.approx(true, abs=0.01)
    assert scores.crps(few, actual, drawn=False).mean() > true + 0.05


@pytest.mark.parametrize("draws", [2, 5, 40])
def test_without_its_drift_a_law_scores_as_the_one_about_zero_however_few_the_draws(draws: int) -> None:
    rng = np.random.default_rng(0)
    actual = rng.normal(size=(40_000, 1))
    members = rng.normal(size=(40_000, draws, 1))
    drifting = members + rng.normal(size=(40_000, 1, 1))
    found = scores.crps_centred(drifting, actual, drawn=True)
    np.testing.assert_allclose(found, scores.crps_centred(members, actual, drawn=True), **CLOSE)
    assert found.mean() == pytest.approx(1 / np.sqrt(np.pi), abs=0.01)
    assert scores.crps(drifting, actual, drawn=True).mean() > 1 / np.sqrt(np.pi) + 0.1


def test_without_its_drift_a_law_of_quantiles_scores_as_the_law_about_zero() -> None:
    members = 3.0 + stats.norm.ppf((np.arange(4000) + 0.5) / 4000)[None, :, None]
    found = scores.crps_centred(members, np.array([[0.7]]), drawn=False)
    np.testing.assert_allclose(found, scoringrules.crps_normal(0.7, 0, 1), atol=1e-6)


def test_without_its_drift_a_single_draw_is_a_forecast_of_no_move() -> None:
    np.testing.assert_allclose(scores.crps_centred(np.full((1, 1, 1), 3.0), np.array([[0.7]]), drawn=True), [[0.7]])


def test_bands_of_a_right_law_hold_their_share_however_few_the_draws() -> None:
    rng = np.random.default_rng(1)
    members, actual = rng.normal(size=(20_000, 39, 1)), rng.normal(size=(20_000, 1))
    low, high = scores.bands(members, drawn=True)
    inside = [scores.covered(a, b, actual).mean() for a, b in zip(low, high, strict=True)]
    np.testing.assert_allclose(inside, scores.LEVELS, atol=0.01)


def test_bands_of_quantile_members_are_those_of_the_law() -> None:
    members = stats.norm.ppf((np.arange(200) + 0.5) / 200)[None, :, None]
    low, high = scores.bands(members, drawn=False)
    np.testing.assert_allclose(high[:, 0, 0], stats.norm.ppf((1 + np.array(scores.LEVELS)) / 2), atol=2e-3)
    np.testing.assert_allclose(low, -high, **CLOSE)


def test_the_pinball_loss_is_the_mean_over_its_levels() -> None:
    members = np.linspace(-1, 1, 21)[None, :, None]
    actual = np.array([[0.3]])
    quantiles = [np.quantile(members[0, :, 0], q, method="hazen") for q in scores.QUANTILES]
    by_hand = [(level - (q > 0.3)) * (0.3 - q) for level, q in zip(scores.QUANTILES, quantiles, strict=True)]
    np.testing.assert_allclose(scores.pinball(members, actual, drawn=False), [[np.mean(by_hand)]], **CLOSE)


def test_the_weighted_interval_score_is_that_of_its_paper() -> None:
    low, high = np.array([-1.0, -2.0, -3.0, -4.0])[:, None, None], np.array([1.0, 2.0, 3.0, 4.0])[:, None, None]
    actual = np.array([[2.5]])
    alphas = 1 - np.array(scores.LEVELS)
    ends = zip(low.ravel(), high.ravel(), alphas, strict=True)
    parts = 0.5 * 2.5 + sum(alpha / 2 * scoringrules.interval_score(2.5, a, b, alpha) for a, b, alpha in ends)
    found = scores.interval_score(low, np.zeros((1, 1)), high, actual)
    np.testing.assert_allclose(found, [[parts / 4.5]], **CLOSE)


@pytest.mark.parametrize("drawn", [True, False])
def test_the_pit_of_a_right_law_is_even_and_of_wrong_ones_it_is_not(drawn: bool) -> None:
    rng = np.random.default_rng(20)
    actual, chance = rng.normal(size=(2000, 1)), rng.random((2000, 1))
    right = rng.normal(size=(2000, 20, 1)) if drawn else stats.norm.ppf((np.arange(20) + 0.5) / 20)[None, :, None]
    narrow, high = right * 0.5, right + 0.5
    found = [scores.pit(np.broadcast_to(m, (2000, 20, 1)), actual, chance, drawn=drawn) for m in (right, narrow, high)]
    assert scores.uniformity(found[0])[1] > 0.01
    assert scores.uniformity(found[1])[1] < 1e-6
    assert scores.uniformity(found[2])[1] < 1e-6
    np.testing.assert_allclose(scores.histogram(found[0]), 0.1, atol=0.03)
    assert scores.histogram(found[1])[[0, -1]].min() > 0.2  # too narrow: outcomes at both ends
    assert scores.histogram(found[2])[0] > 2 * scores.histogram(found[2])[-1]  # too high: outcomes below


def test_a_pit_value_says_where_among_the_members_the_outcome_fell() -> None:
    np.testing.assert_allclose(scores.pit(MEMBERS, ACTUAL, drawn=True), [[0.5, 0.9]], **CLOSE)
    np.testing.assert_allclose(scores.pit(MEMBERS, ACTUAL, 0.0, drawn=True), [[0.4, 0.8]], **CLOSE)
    np.testing.assert_allclose(scores.pit(MEMBERS, ACTUAL, drawn=False), [[0.5, 0.9375]], **CLOSE)
    same = np.full((1, 4, 1), 7.0)
    np.testing.assert_allclose(scores.pit(same, np.array([[7.0]]), drawn=True), [[0.5]], **CLOSE)


def test_the_kolmogorov_smirnov_test_is_scipys() -> None:
    values = np.random.default_rng(3).random(50)
    reference = stats.ks_1samp(values, stats.uniform.cdf)
    assert scores.uniformity(values) == pytest.approx((reference.statistic, reference.pvalue), abs=1e-9)
    assert np.isnan(scores.uniformity(np.array([np.nan]))).all()


def test_errors_of_points() -> None:
    point, actual = np.array([[2.0, 30.0]]), np.array([[2.5, 50.0]])
    np.testing.assert_allclose(scores.absolute_percentage(point, actual), [[0.2, 0.4]], **CLOSE)
    history = np.array([[10.0, 12.0, 11.0, 14.0]])  # moves by 2 on average
    np.testing.assert_allclose(scores.scaled(point, actual, history), [[0.25, 10.0]], **CLOSE)
    assert np.isnan(scores.scaled(point, actual, np.ones((1, 4)))).all()


def test_a_direction_counts_where_both_moved() -> None:
    point, actual = np.array([[0.1, -0.1, 0.1, 0.0, 0.2]]), np.array([[0.2, 0.1, 0.0, 0.3, np.nan]])
    np.testing.assert_array_equal(scores.hit(point, actual), [[1, 0, np.nan, np.nan, np.nan]])


def test_the_interval_of_a_hit_rate_is_clopper_and_pearsons() -> None:
    hits = np.array([1.0] * 8 + [0.0] * 2 + [np.nan])
    low, high = stats.beta.ppf([0.025, 0.975], [8, 9], [3, 2])
    assert scores.hit_rate(hits) == pytest.approx((0.8, low, high), abs=1e-9)
    assert np.isnan(scores.hit_rate(np.array([np.nan]))).all()


def test_chances_of_a_rise() -> None:
    chance, rose = np.array([0.05, 0.12, 0.18, 1.0]), np.array([0.0, 1.0, 0.0, 1.0])
    np.testing.assert_allclose(scores.brier(chance, rose), scoringrules.brier_score(rose, chance), **CLOSE)
    table = scores.reliability(np.append(chance, 0.5), np.append(rose, np.nan))
    np.testing.assert_allclose(table, [(0.05, 0.0, 1), (0.15, 0.5, 2), (1.0, 1.0, 1)], **CLOSE)


def test_correlations_are_scipys() -> None:
    rng = np.random.default_rng(4)
    one, other = rng.normal(size=(2, 6, 30)).round(1)
    other[2] = 0.3
    for ranks, scipys in ((False, stats.pearsonr), (True, stats.spearmanr)):
        found = scores.correlations(one, other, ranks=ranks)
        expected = [np.nan if row == 2 else scipys(one[row], other[row])[0] for row in range(6)]
        np.testing.assert_allclose(found, expected, **CLOSE)
        assert np.isnan(scores.correlations(one[:, :2], other[:, :2], ranks=ranks)).all()


def test_the_energy_score_of_one_step_is_its_crps() -> None:
    rng = np.random.default_rng(5)
    members, actual = rng.normal(size=(3, 20, 1)), rng.normal(size=(3, 1))
    for drawn in (True, False):
        expected = scores.crps(members, actual, drawn=drawn)[:, 0]
        np.testing.assert_allclose(scores.energy(members, actual, drawn=drawn), expected, **CLOSE)


def test_the_energy_score_is_scoringrules() -> None:
    rng = np.random.default_rng(6)
    paths, actual = rng.normal(size=(3, 20, 4)), rng.normal(size=(3, 4))
    for drawn, estimator in ((True, "fair"), (False, "nrg")):
        expected = scoringrules.es_ensemble(actual, paths, estimator=estimator) / 2
        np.testing.assert_allclose(scores.energy(paths, actual, drawn=drawn), expected, **CLOSE)
    actual[1, 2] = np.nan
    np.testing.assert_array_equal(np.isfinite(scores.energy(paths, actual, drawn=True)), [True, False, True])


def test_the_energy_score_by_hand() -> None:
    paths = np.array([[[0.0, 0.0], [3.0, 4.0]]])
    actual = np.array([[3.0, 0.0]])
    # Mean distance (3 + 4) / 2; pairs are 5 apart: less 5 / 2 of different ones, or 5 / 4 of all; over the root of 2.
    np.testing.assert_allclose(scores.energy(paths, actual, drawn=True), [1.0 / np.sqrt(2)], **CLOSE)
    np.testing.assert_allclose(scores.energy(paths, actual, drawn=False), [2.25 / np.sqrt(2)], **CLOSE)


def test_quantiles_walk_like_a_random_walk() -> None:
    """Each step keeps its law, and paths hang together: else the energy score would punish baselines for their form."""
    z = stats.norm.ppf((np.arange(2000) + 0.5) / 2000)
    members = (z[:, None] * np.sqrt([1, 2, 3, 4]))[None]
    paths = scores.shuffle_to_paths(members)
    np.testing.assert_array_equal(np.sort(paths, axis=1), members)
    steps = np.diff(paths[0], axis=1, prepend=0.0)
    np.testing.assert_allclose(np.corrcoef(steps.T), np.eye(4), atol=0.06)
    np.testing.assert_allclose(steps.std(axis=0), 1, atol=0.06)


def test_realized_volatility_is_the_root_of_the_summed_squares() -> None:
    np.testing.assert_allclose(scores.realized_volatility(np.array([[3.0, 4.0]])), [5.0], **CLOSE)


def test_steps_whose_outcome_is_not_known_are_nan() -> None:
    actual = np.array([[2.5, np.nan]])
    low, high = scores.bands(MEMBERS, drawn=True)
    found = [
        scores.crps(MEMBERS, actual, drawn=True),
        scores.pinball(MEMBERS, actual, drawn=True),
        scores.interval_score(low, MEMBERS.mean(axis=1), high, actual),
        scores.covered(low[0], high[0], actual),
        scores.pit(MEMBERS, actual, drawn=True),
    ]
    for score in found:
        np.testing.assert_array_equal(np.isfinite(score), [[True, False]])
