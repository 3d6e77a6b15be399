"""Normalisation, time marks and the repair of impossible candles."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.candles import CLIP, CLOSE, HIGH, LOW, OPEN, VOLUME, Normaliser, repair_paths, time_marks

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False, width=64)
RAW = st.integers(1, 8).flatmap(lambda rows: arrays(np.float64, (2, rows, 6), elements=NUMBERS))


def series(seed: int, level: float = 100.0, rows: int = 40) -> np.ndarray:
    close = level * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, (rows, 4)), axis=0))
    volume = np.random.default_rng(seed + 1).uniform(500, 900, (rows, 1))
    return np.concatenate((close, volume, volume * close[:, :1]), axis=1)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.floats(1e-9, 1e9))
def test_what_was_normalised_comes_back(seed: int, level: float) -> None:
    values = series(seed, level)
    scale = Normaliser.fit(values)
    x = scale.apply(values, clip=100.0)
    assert x.dtype == np.float32
    np.testing.assert_allclose(scale.invert(x), values, rtol=1e-5)


def test_ordinary_series_are_normalised_by_mean_and_population_deviation() -> None:
    values = series(3)
    expected = (values - values.mean(axis=0)) / (values.std(axis=0, ddof=0) + 1e-5)
    scale = Normaliser.fit(values)
    assert (scale.factor == 1).all()
    np.testing.assert_allclose(scale.apply(values), np.clip(expected, -CLIP, CLIP), rtol=1e-6, atol=1e-7)


def test_normalised_values_are_clipped() -> None:
    values = series(4)
    values[-1] *= 100
    x = Normaliser.fit(values[:-1]).apply(values)
    assert (x[-1] == CLIP).all()


@pytest.mark.parametrize("power", [-30, -20, -10])
def test_tiny_prices_keep_every_digit_of_their_moves(power: int) -> None:
    values = series(5, level=1.4)
    tiny = values * np.array([2.0**power] * 4 + [1, 1])
    assert tiny[:, CLOSE].mean() < 2e-3
    np.testing.assert_array_equal(Normaliser.fit(tiny).apply(tiny), Normaliser.fit(values).apply(values))


@settings(max_examples=20)
@given(st.integers(0, 1000), st.floats(1.2, 50.0))
def test_with_a_shared_deviation_prices_differ_as_they_did_whatever_a_false_print_did(seed: int, spike: float) -> None:
    values = series(seed)
    values[7, HIGH] *= spike
    scale = Normaliser.fit(values, shared_deviation=True)
    assert (scale.std[..., :CLOSE] == scale.std[..., CLOSE, None]).all()
    np.testing.assert_array_equal(scale.std[..., CLOSE:], Normaliser.fit(values).std[..., CLOSE:])
    x = scale.apply(values, clip=1e6).astype(float)
    wick, usual = values[:, HIGH] - values[:, CLOSE], values[:, HIGH].mean() - values[:, CLOSE].mean()
    expected = (wick - usual) / (values[:, CLOSE].std() + 1e-5)
    np.testing.assert_allclose(x[:, HIGH] - x[:, CLOSE], expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(scale.invert(x), values, rtol=1e-4)


def test_where_the_close_never_moved_the_largest_deviation_is_shared() -> None:
    values = series(9)
    values[:, CLOSE] = 100.0
    scale = Normaliser.fit(values, shared_deviation=True)
    np.testing.assert_array_equal(scale.std[0, :4], values[:, :4].std(axis=0).max())


def test_all_four_prices_are_scaled_alike() -> None:
    values = series(6, level=1e-6)
    values[:, LOW] /= 3
    factor = Normaliser.fit(values).factor[0]
    assert len(set(factor[:4])) == 1
    assert factor[0] == 2.0 ** np.round(np.log2(factor[0])) > 1
    assert factor[VOLUME] == 1


def test_statistics_come_from_the_history_alone() -> None:
    values = np.stack([series(7), series(8)])
    history = np.arange(40) < np.array([[10], [30]])
    changed = values.copy()
    changed[0, 10:] *= 9
    changed[1, 30:] += 1e4
    one, other = Normaliser.fit(values, history), Normaliser.fit(changed, history)
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.std, other.std)
    np.testing.assert_allclose(one.mean[0, 0], values[0, :10].mean(axis=0))
    np.testing.assert_allclose(one.std[1, 0], values[1, :30].std(axis=0))


def test_a_constant_series_is_all_zeros_and_comes_back() -> None:
    values = np.full((10, 6), 7.0)
    scale = Normaliser.fit(values)
    assert (scale.apply(values) == 0).all()
    np.testing.assert_array_equal(scale.invert(scale.apply(values)), values)


@settings(max_examples=50)
@given(RAW, st.floats(1e-6, 10.0))
def test_repaired_candles_are_possible_and_counted(raw: np.ndarray, floor: float) -> None:
    before = raw.copy()
    fixed, count = repair_paths(raw, price_floor=floor)
    assert (fixed[..., HIGH, None] >= fixed[..., [OPEN, LOW, CLOSE]]).all()
    assert (fixed[..., LOW, None] <= fixed[..., [OPEN, HIGH, CLOSE]]).all()
    assert (fixed[..., LOW] >= floor).all()
    assert (fixed[..., VOLUME:] >= 0).all()
    np.testing.assert_array_equal(raw, before)  # the unrepaired paths are kept by the caller
    assert count == sum(tuple(a) != tuple(b) for a, b in zip(fixed.reshape(-1, 6), raw.reshape(-1, 6), strict=True))
    again, none = repair_paths(fixed, price_floor=floor)
    np.testing.assert_array_equal(again, fixed)
    assert none == 0


def test_possible_candles_are_left_as_they_are() -> None:
    possible = np.array([10.0, 12.0, 9.0, 11.0, 5.0, 50.0])
    crossed = np.array([10.0, 9.5, 10.5, 11.0, -1.0, 50.0])
    fixed, count = repair_paths(np.stack([possible, crossed]), price_floor=0.01)
    np.testing.assert_array_equal(fixed, [possible, [10.0, 11.0, 9.5, 11.0, 0.0, 50.0]])
    assert count == 1


def test_time_marks_are_minute_hour_weekday_day_and_month() -> None:
    times = pd.DatetimeIndex(["2024-02-26 09:05", "2024-12-29 23:59"])  # a Monday, a Sunday
    np.testing.assert_array_equal(time_marks(times), [[5, 9, 0, 26, 2], [59, 23, 6, 29, 12]])


def test_time_marks_are_those_of_the_place_the_times_are_written_in() -> None:
    times = pd.DatetimeIndex(["2024-02-26 09:05"])
    np.testing.assert_array_equal(time_marks(times.tz_localize("Asia/Shanghai")), time_marks(times))
