"""Scores of one forecast against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scoringrules
from scipy.stats import norm

from training.evaluation.forecast_scores import coverage, crps, direction, mae, mape

MEMBERS = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]])
ACTUAL = np.array([2.5, 50.0])


def test_crps_is_the_fair_estimate() -> None:
    # Mean distance to the actual value, less half the mean distance between two different members.
    one = np.mean([1.5, 0.5, 0.5, 1.5]) - 0.5 * np.mean([1, 2, 3, 1, 2, 1])
    two = np.mean([40, 30, 20, 10]) - 0.5 * np.mean([10, 20, 30, 10, 20, 10])
    assert crps(MEMBERS, ACTUAL) == pytest.approx((one + two) / 2)
    assert crps(MEMBERS[:1], ACTUAL) == pytest.approx((1.5 + 40) / 2)


def test_crps_of_normal_quantiles_is_that_of_the_normal_distribution() -> None:
    members = norm.ppf((np.arange(200) + 0.5) / 200)[:, None] * 2 + 1
    assert crps(members, np.array([2.0]), drawn=False) == pytest.approx(
        scoringrules.crps_normal(2.0, 1.0, 2.0), rel=1e-3
    )


def test_coverage_is_the_share_inside_the_central_band() -> None:
    assert coverage(MEMBERS, ACTUAL, 0.5) == 0.5
    assert coverage(MEMBERS, np.array([1.0, 40.0]), 1.0) == 1.0
    assert coverage(MEMBERS, np.array([1.0, 40.0]), 0.5) == 0.0


def test_point_errors_are_those_worked_out_by_hand() -> None:
    point = np.array([2.0, 45.0])
    assert mae(point, ACTUAL) == 2.75
    assert mape(point, ACTUAL) == pytest.approx((0.2 + 0.1) / 2)


def test_direction_counts_only_steps_that_moved() -> None:
    actual = np.array([11.0, 9.0, 10.0, 12.0, 13.0])
    point = np.array([10.5, 11.0, 12.0, 10.0, 14.0])
    assert direction(point, actual, 10.0) == pytest.approx(2 / 3)
    assert np.isnan(direction(np.array([10.0]), np.array([12.0]), 10.0))


def test_steps_without_an_actual_value_are_left_out() -> None:
    actual = np.array([2.5, np.nan])
    point = np.array([2.0, 7.0])
    assert crps(MEMBERS, actual) == crps(MEMBERS[:, :1], actual[:1])
    assert coverage(MEMBERS, actual, 0.9) == 1.0
    assert mae(point, actual) == 0.5
    assert mape(point, actual) == pytest.approx(0.2)
    assert direction(point, actual, 1.0) == 1.0


def test_no_actual_value_gives_nan() -> None:
    nothing = np.full(2, np.nan)
    point = np.zeros(2)
    scores = [crps(MEMBERS, nothing), coverage(MEMBERS, nothing, 0.9), mae(point, nothing), mape(point, nothing)]
    assert np.isnan([*scores, direction(point, nothing, 1.0)]).all()
