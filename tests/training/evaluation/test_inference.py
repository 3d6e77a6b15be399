"""How sure one may be: intervals that hold what they promise, and a test that is the textbook's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from training.evaluation.inference import block_length, by_time, diebold_mariano, estimates, ratio, resample

TIMES = np.arange(8)


def test_cutoffs_of_one_time_are_one_draw() -> None:
    sums, counts = by_time(np.array([[1.0], [2.0], [np.nan], [5.0]]), np.array([7, 3, 3, 7]))
    np.testing.assert_array_equal(sums, [[2.0], [6.0]])
    np.testing.assert_array_equal(counts, [[1.0], [2.0]])


def test_blocks_grow_with_the_number_of_times_and_cover_overlaps() -> None:
    assert [block_length(n) for n in (1, 8, 27, 1000)] == [1, 2, 3, 10]
    assert block_length(27, overlap=9) == 9
    assert block_length(4, overlap=9) == 4


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = [
        found.low <= 0.0 <= found.high
        for found in (estimates(rng.normal(size=(60, 1)), np.arange(60))[0] for _ in range(200))
    ]
    assert 0.87 <= np.mean(held) <= 0.98


def test_dependence_widens_the_interval() -> None:
    """Sixty times of one symbol, and sixty copies of each: no more is known than before."""
    values = np.random.default_rng(1).normal(size=60)
    one = estimates(values[:, None], np.arange(60))[0]
    copies = estimates(np.repeat(values, 60)[:, None], np.repeat(np.arange(60), 60))[0]
    assert (copies.low, copies.high) == pytest.approx((one.low, one.high), abs=1e-9)


def test_resampled_means_have_the_standard_error_of_the_mean() -> None:
    values = np.random.default_rng(2).normal(size=(400, 1))
    drawn = resample(*by_time(values, np.arange(400)))
    assert drawn.std() == pytest.approx(values.std() / 20, rel=0.15)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(3).normal(size=(30, 1))
    assert estimates(values, np.arange(30)) == estimates(values, np.arange(30))
    assert estimates(values, np.arange(30), seed=1) != estimates(values, np.arange(30))


def test_a_ratio_is_paired() -> None:
    """Cutoffs are far apart, forecasters always the same part of one another: the ratio is certain."""
    other = np.exp(np.random.default_rng(4).normal(0, 2, 40))
    found = ratio(other * 0.9, other, np.arange(40))
    assert (found.value, found.low, found.high) == pytest.approx((0.9, 0.9, 0.9), abs=1e-9)


def test_only_cutoffs_that_both_have_are_compared() -> None:
    one, other = np.array([1.0, 2.0, np.nan]), np.array([2.0, 2.0, 100.0])
    assert ratio(one, other, np.arange(3)).value == pytest.approx(0.75)
    assert np.isnan(ratio(one[2:], other[2:], np.arange(1)).value)


@pytest.mark.parametrize("times", [[1], [1] * 30, [1, 2, 3, 4]])
def test_too_few_times_have_no_interval_and_no_test(times: list[int]) -> None:
    values = np.random.default_rng(5).random(len(times)) + 1
    found = ratio(values, values[::-1], np.array(times))
    assert (found.low, found.high) == (None, None)
    assert found.to_dict() == {"value": pytest.approx(1.0), "low": None, "high": None}
    assert diebold_mariano(values, values[::-1] + 1, np.array(times)).p is None


def test_the_diebold_mariano_test_by_hand() -> None:
    one, other = np.array([1.0, 2, 3, 4, 5, 6, 7, 9]), np.array([2.0, 1, 5, 4, 7, 7, 9, 9])
    d = one - other
    n = 8
    plain = d.mean() / np.sqrt(((d - d.mean()) ** 2).mean() / n)
    found = diebold_mariano(one, other, TIMES)
    assert found.statistic == pytest.approx(plain * np.sqrt((n + 1 - 2) / n), abs=1e-9)
    assert found.p == pytest.approx(2 * stats.t.cdf(-abs(found.statistic), 7), abs=1e-9)
    # Of one step ahead it is the t-test of the mean.
    assert (found.statistic, found.p) == pytest.approx(stats.ttest_1samp(d, 0.0), abs=1e-9)


def test_overlapping_futures_count_their_autocovariance() -> None:
    d = np.array([1.0, 2, -1, 0, 3, 1, 2, 0])
    centred = d - d.mean()
    covariance = (centred[1:] * centred[:-1]).sum() / 8
    variance = ((centred**2).mean() + 2 * covariance) / 8
    correction = np.sqrt((8 + 1 - 4 + 2 / 8) / 8)
    found = diebold_mariano(d, np.zeros(8), TIMES, overlap=2)
    assert found.statistic == pytest.approx(correction * d.mean() / np.sqrt(variance), abs=1e-9)


def test_the_test_finds_a_difference_as_often_as_it_says_where_there_is_none() -> None:
    rng = np.random.default_rng(6)
    found = [diebold_mariano(*rng.normal(size=(2, 20)), np.arange(20)).p for _ in range(400)]
    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.03)
    assert diebold_mariano(rng.normal(1, 1, 50), rng.normal(3, 1, 50), np.arange(50)).p < 1e-4


def test_equal_losses_cannot_be_tested() -> None:
    assert diebold_mariano(np.ones(20), np.ones(20), np.arange(20)).p is None
