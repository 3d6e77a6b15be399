from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from kronos_app.charts.candles import candle_chart
from kronos_app.charts.forecast import BANDS, Outline, forecast_chart
from kronos_app.charts.overlay import STYLES, overlay_chart
from kronos_app.charts.style import DOWN, FORECAST, MOST_EMPTY, UP, TimeAxis, Words, time_labels

WORDS = Words("历史", "中位数预测", "实际", "{level} % 区间", "价格", "成交量", "截止", "开", "高", "低", "收")


def series(start: str, rows: int, freq: str = "h", seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100 + np.cumsum(rng.normal(0, 1, rows))
    opened = np.concatenate([[100.0], close[:-1]])
    frame = pd.DataFrame({"open": opened, "close": close}, index=pd.date_range(start, periods=rows, freq=freq))
    return frame.assign(high=frame.max(axis=1) + 1, low=frame.min(axis=1) - 1, volume=1000.0)


@pytest.fixture
def history() -> pd.DataFrame:
    return series("2024-03-01", 30)


@pytest.fixture
def ahead() -> tuple[pd.DataFrame, dict[float, pd.DataFrame]]:
    median = series("2024-03-05", 6, seed=1)
    levels = sorted({level for pair in BANDS.values() for level in pair} | {0.5})
    return median, {level: median + (level - 0.5) * 10 for level in levels}


def test_closed_hours_take_no_room(history, ahead):
    figure = forecast_chart(history, ahead[0], ahead[1], WORDS)
    assert figure.layout.xaxis.type == "category"
    assert len(figure.layout.xaxis.categoryarray) == 36


def test_lost_candles_take_room(history, ahead):
    lost = history.index[[4, 5, 20]]
    seen = history.drop(lost)
    figure = forecast_chart(seen, ahead[0], ahead[1], WORDS, missing=pd.DatetimeIndex(lost))
    assert len(figure.layout.xaxis.categoryarray) == 36
    assert len(figure.data[0].x) == 1 + len(ahead[0])
    assert figure.layout.shapes[0].x0 == 29.5, "the cutoff stands behind the last candle, empty slots counted"
    figure = candle_chart(seen, WORDS, missing=pd.DatetimeIndex(lost))
    assert len(figure.layout.xaxis.categoryarray) == 30
    assert len(figure.data[0].x) == 27


def test_a_long_gap_takes_a_bounded_room_and_what_is_outside_none():
    times = pd.date_range("2024-01-01", periods=100, freq="h")
    seen = times[[10, 11, 80, 81]]
    axis = TimeAxis.over(seen, times)
    assert len(axis.labels) == 4 + MOST_EMPTY
    assert axis.at(seen) == ["2024-01-01 10:00", "2024-01-01 11:00", "2024-01-04 08:00", "2024-01-04 09:00"]
    assert axis.labels == sorted(axis.labels)
    assert TimeAxis.over(times[:0], times).labels == []


def test_bands_leave_from_the_last_close_and_hold_each_other(history, ahead):
    figure = forecast_chart(history, ahead[0], ahead[1], WORDS)
    bands = {trace.name: np.asarray(trace.y) for trace in figure.data if trace.type == "scatter" and trace.fill}
    assert list(bands) == ["90 % 区间", "80 % 区间", "50 % 区间"]
    assert {values[0] for values in bands.values()} == {history["close"].iloc[-1]}
    assert (bands["90 % 区间"][1:] > bands["80 % 区间"][1:]).all()
    assert (bands["80 % 区间"][1:] > bands["50 % 区间"][1:]).all()


def test_a_band_to_compare_with_is_drawn_as_dotted_lines_with_one_legend(history, ahead):
    lower, upper = (ahead[1][level]["close"] for level in (0.1, 0.9))
    figure = forecast_chart(history, ahead[0], ahead[1], WORDS, outline=Outline("原", lower, upper))
    low, high = [trace for trace in figure.data if trace.name == "原"]
    assert (low.line.dash, low.fill, low.showlegend, high.showlegend) == ("dot", None, False, True)
    assert low.y[0] == history["close"].iloc[-1]
    assert list(low.y[1:]) == list(lower)
    assert list(high.y[1:]) == list(upper)


def test_what_came_is_drawn_at_its_own_times(history, ahead):
    actual = series("2024-03-05", 6, seed=2).iloc[[1, 4]]
    figure = forecast_chart(history, ahead[0], ahead[1], WORDS, actual=actual)
    came = next(trace for trace in figure.data if trace.type == "candlestick" and trace.name == "实际")
    assert list(came.x) == ["2024-03-05 01:00", "2024-03-05 04:00"]


def test_a_forecast_without_history_is_still_drawn(history, ahead):
    figure = forecast_chart(history.iloc[:0], ahead[0], ahead[1], WORDS)
    assert len(figure.layout.xaxis.categoryarray) == 6
    assert not figure.layout.shapes


def test_a_series_without_volume_has_one_panel(history):
    assert candle_chart(history, WORDS).layout.yaxis2.title.text == "成交量"
    assert not candle_chart(history, WORDS).layout.showlegend
    bare = candle_chart(history.drop(columns="volume"), WORDS)
    assert [trace.type for trace in bare.data] == ["candlestick"]


def test_direction_shows_without_colour(history):
    trace = candle_chart(history, WORDS).data[0]
    assert trace.increasing.fillcolor == "rgba(0,0,0,0)"
    assert trace.decreasing.fillcolor == DOWN


def test_labels_say_hours_only_where_there_are_any():
    assert time_labels(pd.DatetimeIndex(["2024-01-01", "2024-01-02"])) == ["2024-01-01", "2024-01-02"]
    assert time_labels(pd.DatetimeIndex(["2024-01-01", "2024-01-01 09:30"]))[1] == "2024-01-01 09:30"


def test_six_forecasts_are_told_apart_without_colour(ahead):
    median, quantiles = ahead
    later = median.set_axis(median.index + pd.Timedelta("3h"))
    moved = {level: frame.set_axis(later.index) for level, frame in quantiles.items()}
    names = [*"ABCDEF"]
    figure = overlay_chart(names, [median, later] * 3, [quantiles, moved] * 3, WORDS, actual=median["close"])
    dashes = {trace.name: trace.line.dash for trace in figure.data if trace.showlegend is not False}
    assert dashes.pop("实际") is None
    assert list(dashes) == names
    assert len({*dashes.values()}) == 6
    assert len(figure.layout.xaxis.categoryarray) == 9
    assert sum(trace.legendgroup == "A" for trace in figure.data) == 3  # a click on the legend hides the band too


@pytest.mark.parametrize("background", ["#fbfcfd", "#0d141c"])
@pytest.mark.parametrize("colour", sorted({UP, DOWN, FORECAST, *(colour for colour, _dash in STYLES)}))
def test_market_colours_stand_out_on_light_and_dark_pages(colour, background):
    """WCAG 2.2 asks graphics for a contrast of 3 to 1."""

    def luminance(value: str) -> float:
        parts = [int(part, 16) / 255 for part in re.findall("..", value[1:])]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    light, dark = sorted([luminance(colour), luminance(background)], reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 3
