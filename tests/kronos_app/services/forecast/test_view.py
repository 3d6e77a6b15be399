from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kronos_app.services.forecast.view import ForecastView
from kronos_app.store import StoredForecast
from kronos_app.store.records import now

# Closes of five paths: 2 is between 1 and 3, 4 begins beside it and ends below, 5 is far from all.
CLOSES = np.array([[99, 98, 97], [101, 102, 103], [103, 106, 109], [101, 101, 99], [120, 130, 140]], dtype=float)


def view_of(closes: np.ndarray) -> ForecastView:
    paths = np.repeat(closes[:, :, None], 6, axis=2)
    times = pd.date_range("2024-03-02", periods=closes.shape[1])
    request = {"levels": [0.1, 0.5, 0.9], "model": "tiny"}
    provenance = {"history_rows": 3, "model": "tiny"}
    stored = StoredForecast("f", now(), "walk", "walk.csv", request, provenance, paths, paths, times,
                            pd.Timestamp("2024-03-01"), 100.0, 0)  # fmt: skip
    return ForecastView.of(stored, None)


def test_the_representative_path_is_the_one_nearest_to_all_others():
    view = view_of(CLOSES)
    assert view.representative_path == 2
    assert view.candles("representative")["close"].tolist() == [101, 102, 103]


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_price_level_does_not_change_the_representative_path(factor):
    assert view_of(CLOSES * factor).representative_path == 2


def test_every_step_counts_alike_however_far_the_paths_are_apart_there():
    """Path 1 is in the middle of the last step, which is 100 times as wide; path 3 is in the middle of all others."""
    steps = [
        [0.000, 0.000, 0.00],
        [0.004, 0.004, -0.9],
        [0.005, 0.005, 0.10],
        [0.010, 0.010, 0.8],
        [0.006, 0.007, -0.4],
    ]
    view = view_of(100 * np.exp(steps))
    assert view_of(100 * np.exp(steps)[:, 2:]).representative_path == 1
    assert view.representative_path == 3


def test_steps_at_which_all_paths_are_equal_are_left_out():
    closes = np.column_stack([np.full(5, 100.0), CLOSES])
    assert view_of(closes).representative_path == 2
    assert view_of(np.full((3, 4), 100.0)).representative_path == 1


def test_candles_are_one_path_or_the_median_or_the_mean_of_all():
    view = view_of(CLOSES)
    assert view.candles(4)["close"].tolist() == [101, 101, 99]
    assert view.candles("median")["close"].tolist() == [101, 102, 103]
    assert view.candles("mean")["close"].tolist() == pytest.approx([104.8, 107.4, 109.6])
    assert list(view.candles("mean").index) == list(pd.date_range("2024-03-02", periods=3))


def test_the_volatility_is_that_of_the_return_to_the_last_candle():
    assert view_of(100 * np.exp([[0.5, 0.01], [0.0, -0.01]])).volatility == pytest.approx(0.01)


def test_the_past_volatility_grows_with_the_root_of_the_horizon():
    view = view_of(CLOSES)
    history = pd.DataFrame({"close": 100 * np.exp([0.0, 0.02, 0.0, 0.02, 0.0])})
    assert replace(view, history=history).past_volatility == pytest.approx(0.02 * np.sqrt(3))
    assert np.isnan(view.past_volatility)
