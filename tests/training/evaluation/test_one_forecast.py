"""Scores of one forecast against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scoringrules
from scipy.stats import norm

from training.evaluation.one_forecast import ForecastScores, score_forecast

MEMBERS = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]])
ACTUAL = np.array([2.5, 50.0])


def score(members: np.ndarray, actual: np.ndarray, last: float = 1.0, **options: bool) -> ForecastScores:
    return score_forecast(members, actual, last, (0.5, 0.9, 1.0), **options)


def point(*values: float) -> np.ndarray:
    """Return the members of a forecast of one value a step."""
    return np.array([values, values])


def test_crps_is_the_fair_estimate() -> None:
    # Mean distance to the actual value, less half the mean distance between two different members.
    first = np.mean([1.5, 0.5, 0.5, 1.5]) - 0.5 * np.mean([1, 2, 3, 1, 2, 1])
    second = np.mean([40, 30, 20, 10]) - 0.5 * np.mean([10, 20, 30, 10, 20, 10])
    assert score(MEMBERS, ACTUAL).crps == pytest.approx((first + second) / 2)
    assert score(MEMBERS[:1], ACTUAL).crps == pytest.approx((1.5 + 40) / 2)


def test_crps_of_normal_quantiles_is_that_of_the_normal_distribution() -> None:
    members = norm.ppf((np.arange(200) + 0.5) / 200)[:, None] * 2 + 11
    assert score(members, np.array([12.0]), drawn=False).crps == pytest.approx(
        scoringrules.crps_normal(2.0, 1.0, 2.0), rel=1e-3
    )


def test_coverage_is_the_share_inside_the_central_band() -> None:
    assert score(MEMBERS, ACTUAL).coverage[0.5] == 0.5
    assert score(MEMBERS, np.array([1.0, 40.0])).coverage == {0.5: 0.0, 0.9: 0.0, 1.0: 1.0}


def test_point_errors_are_those_worked_out_by_hand() -> None:
    scores = score(point(2.0, 45.0), ACTUAL)
    assert scores.mae == pytest.approx(2.75)
    assert scores.mape == pytest.approx((0.2 + 0.1) / 2)


def test_direction_counts_only_steps_that_moved() -> None:
    actual = np.array([11.0, 9.0, 10.0, 12.0, 13.0])
    assert score(point(10.5, 11.0, 12.0, 10.0, 14.0), actual, last=10.0).direction == pytest.approx(2 / 3)
    assert score(point(10.0), np.array([12.0]), last=10.0).direction is None


def test_steps_without_an_actual_value_are_left_out() -> None:
    assert score(MEMBERS, np.array([2.5, np.nan])) == score(MEMBERS[:, :1], np.array([2.5]))


def test_the_score_of_draws_without_drift_corrects_for_their_common_median() -> None:
    members = np.exp(np.random.default_rng(0).normal(size=(8, 4)))
    assert score(members, np.full(4, 2.0), driftless=True).crps != score(members, np.full(4, 2.0)).crps
