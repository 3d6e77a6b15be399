"""What can be asked of a forecast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.candles import CLOSE, FEATURES, repair_paths
from engine.errors import InputError
from engine.forecast import Forecast

TIMES = pd.date_range("2024-01-01", periods=2, freq="D")


@pytest.fixture
def forecast() -> Forecast:
    closes = np.array([[10.0, 8.0], [12.0, 10.0], [11.0, 15.0], [13.0, 9.0]])  # (samples, horizon)
    paths = np.repeat(closes[..., None], 6, axis=2)
    return Forecast(paths, paths, TIMES, 0, 10.0, 64, "tiny", "0" * 64, 1, {"samples": 4})


def test_the_mean_is_taken_over_paths(forecast: Forecast) -> None:
    mean = forecast.mean()
    assert list(mean.columns) == list(FEATURES)
    assert list(mean.index) == list(TIMES)
    assert mean["close"].tolist() == [11.5, 10.5]


def test_the_median_is_taken_over_paths(forecast: Forecast) -> None:
    assert forecast.median()["close"].tolist() == [11.5, 9.5]


def test_quantiles_are_interpolated_between_paths(forecast: Forecast) -> None:
    quantiles = forecast.quantiles([0.0, 0.5, 1.0, 0.1])
    assert list(quantiles) == [0.0, 0.5, 1.0, 0.1]
    assert quantiles[0.0]["close"].tolist() == [10.0, 8.0]
    assert quantiles[1.0]["close"].tolist() == [13.0, 15.0]
    assert quantiles[0.1]["close"].tolist() == pytest.approx([10.3, 8.3])
    pd.testing.assert_frame_equal(quantiles[0.5], forecast.median())


@pytest.mark.parametrize("levels", [[], [-0.1], [0.5, 1.5], [float("nan")]])
def test_levels_that_are_no_shares_are_refused(levels: list[float], forecast: Forecast) -> None:
    with pytest.raises(InputError, match="each between 0 and 1"):
        forecast.quantiles(levels)


def test_a_rise_is_a_close_above_the_last_one_not_at_it(forecast: Forecast) -> None:
    up = forecast.probability_up()
    assert up.tolist() == [0.75, 0.25]
    assert list(up.index) == list(TIMES)


def test_without_drift_the_median_is_the_last_close_and_paths_lie_as_far_apart(forecast: Forecast) -> None:
    still = forecast.driftless()
    moves, moved = (np.log(one.paths[..., CLOSE] / 10.0) for one in (forecast, still))
    np.testing.assert_allclose(np.median(moved, axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(moved - moved[0], moves - moves[0], atol=1e-12)
    assert still.probability_up().tolist() == [0.5, 0.5]
    assert still.settings == {"samples": 4, "driftless": True}
    np.testing.assert_array_equal(still.paths[..., 4:], forecast.paths[..., 4:])
    np.testing.assert_array_equal(still.raw_paths, forecast.raw_paths)
    np.testing.assert_allclose(still.driftless().paths, still.paths, rtol=1e-12)
    assert forecast.median()["close"].tolist() == [11.5, 9.5], "the forecast itself stays"


@given(seed=st.integers(0, 2**32 - 1), samples=st.integers(2, 9), scale=st.floats(1e-4, 2.0))
def test_candles_without_drift_are_as_possible_as_before(seed: int, samples: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    raw = 50 * np.exp(scale * rng.normal(size=(samples, 2, 6)))
    paths, _ = repair_paths(raw, price_floor=1e-3)
    still = Forecast(paths, raw, TIMES, 0, 50.0, 64, "tiny", "0" * 64, 1, {}).driftless()
    assert repair_paths(still.paths, price_floor=0.0)[1] == 0
    assert (still.paths[..., :4] > 0).all()


def test_one_path_has_no_drift_that_could_be_told_from_chance(forecast: Forecast) -> None:
    with pytest.raises(InputError, match="at least 2"):
        replace(forecast, paths=forecast.paths[:1]).driftless()


def test_a_frame_holds_mean_quantiles_and_chance(forecast: Forecast) -> None:
    frame = forecast.to_frame(levels=[0.05, 0.5])
    assert list(frame.columns) == [*FEATURES, "close_q0.05", "close_q0.5", "probability_up"]
    assert frame["close_q0.5"].tolist() == [11.5, 9.5]
    assert frame["probability_up"].tolist() == [0.75, 0.25]


def test_a_forecast_cannot_be_reassigned(forecast: Forecast) -> None:
    with pytest.raises(AttributeError):
        forecast.seed = 2  # type: ignore[misc]
