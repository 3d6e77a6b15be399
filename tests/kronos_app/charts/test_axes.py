from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kronos_app.charts.axes import spread_labels
from kronos_app.charts.candles import candle_chart
from tests.kronos_app.charts.example_style import STYLE


@pytest.fixture
def rising() -> pd.DataFrame:
    """Return 100 candles from 1 to 100, the last with the largest volume."""
    close = np.arange(1.0, 101.0)
    frame = pd.DataFrame({"open": close, "high": close + 0.5, "low": close - 0.5, "close": close})
    return frame.assign(volume=close * 1e8).set_index(pd.date_range("2024-01-01", periods=100))


def test_both_value_axes_fit_the_candles_that_are_shown(rising):
    layout = candle_chart(rising, STYLE, shown=10).layout
    assert layout.xaxis.range == (89.5, 99.5)
    low, high = layout.yaxis.range
    assert 89 < low < 90.5
    assert 100.5 < high < 103
    whole = candle_chart(rising, STYLE).layout
    assert whole.xaxis.range == (-0.5, 99.5)
    assert whole.yaxis.range[0] < 0.5


def test_more_candles_than_there_are_is_all(rising):
    assert candle_chart(rising, STYLE, shown=1_000).layout.xaxis.range == (-0.5, 99.5)


def test_a_logarithmic_axis_has_the_range_of_the_logarithms(rising):
    layout = candle_chart(rising, STYLE, shown=10, log=True).layout
    assert layout.yaxis.type == "log"
    assert np.log10(89) < layout.yaxis.range[0] < np.log10(90.5)
    assert np.log10(100.5) < layout.yaxis.range[1] < np.log10(103)


def test_one_price_for_all_candles_still_has_an_axis(rising):
    flat = rising.assign(open=5.0, high=5.0, low=5.0, close=5.0)
    low, high = candle_chart(flat, STYLE).layout.yaxis.range
    assert low < 5 < high


def test_missing_values_do_not_change_an_axis(rising):
    gaps = rising.copy()
    gaps.iloc[95, :] = np.nan
    ranges = [candle_chart(frame, STYLE, shown=10).layout.yaxis.range for frame in (gaps, rising)]
    assert ranges[0] == ranges[1]


def test_the_volume_has_round_ticks_in_the_language_of_the_reader(rising):
    axis = candle_chart(rising, STYLE).layout.yaxis2
    assert axis.tickvals == (0.0, 5e9, 1e10)
    assert axis.ticktext == ("0 亿", "50 亿", "100 亿")
    assert candle_chart(rising, STYLE, shown=100).layout.yaxis2.range == (0, 1.05e10)


def test_labels_are_moved_apart_as_little_as_necessary():
    assert spread_labels([1.0, 5.0, 9.0], 1.0) == [1.0, 5.0, 9.0]
    assert spread_labels([5.2, 5.0], 1.0) == pytest.approx([5.6, 4.6])
    places = spread_labels([3.0, 3.0, 3.0, 3.0], 1.0)
    assert min(np.diff(sorted(places))) == pytest.approx(1.0, abs=1e-3)
    assert np.mean(places) == pytest.approx(3.0)
    assert spread_labels([], 1.0) == []
