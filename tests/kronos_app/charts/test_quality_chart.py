import numpy as np
import pandas as pd
import pytest

from kronos_app.charts.quality import MOST_POINTS, quality_chart
from kronos_app.data.checks.findings import Mark
from tests.kronos_app.charts.example_style import STYLE

NAMES = {"splits": "Splits", "outliers": "Outliers", "stale": "Stale"}


@pytest.fixture
def close():
    times = pd.date_range("2020-01-01", periods=10_000, freq="1h")
    return pd.Series(100 + np.sin(np.arange(10_000) / 50), index=times)


def test_each_kind_that_was_found_has_a_lane_and_single_candles_a_sign_on_the_price(close):
    marks = [Mark("splits", close.index[50], close.index[50]), Mark("stale", close.index[500], close.index[600])]
    figure = quality_chart(close, marks, NAMES, STYLE)
    lanes = [trace for trace in figure.data if trace.yaxis == "y2"]
    assert [trace.name for trace in lanes] == ["Splits", "Stale"]
    assert list(figure.layout.yaxis2.categoryarray) == ["Stale", "Splits"]
    (sign,) = [trace for trace in figure.data if trace.mode == "markers"]
    assert list(sign.y) == [close.iloc[50]]


def test_a_long_series_is_thinned_without_losing_its_spikes(close):
    close.iloc[5_003] = 900.0
    figure = quality_chart(close, [Mark("outliers", close.index[5_003], close.index[5_003])], NAMES, STYLE)
    line = figure.data[0]
    assert len(line.x) <= MOST_POINTS + 2
    assert max(line.y) == 900.0
