from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kronos_app.charts.axes import MOST_EMPTY, TimeAxis, time_labels
from kronos_app.charts.candles import candle_chart
from kronos_app.charts.forecast import BANDS, Outline, forecast_chart
from kronos_app.charts.overlay import overlay_chart
from tests.kronos_app.charts.example_style import STYLE


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
    figure = forecast_chart(history, ahead[0], ahead[1], STYLE)
    assert figure.layout.xaxis.type == "category"
    assert len(figure.layout.xaxis.categoryarray) == 36


def test_lost_candles_take_room(history, ahead):
    lost = history.index[[4, 5, 20]]
    seen = history.drop(lost)
    figure = forecast_chart(seen, ahead[0], ahead[1], STYLE, missing=pd.DatetimeIndex(lost))
    assert len(figure.layout.xaxis.categoryarray) == 36
    assert len(figure.data[0].x) == 1 + len(ahead[0])
    assert figure.layout.shapes[0].x0 == 29.5, "the cutoff stands behind the last candle, empty slots counted"
    figure = candle_chart(seen, STYLE, missing=pd.DatetimeIndex(lost))
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
    figure = forecast_chart(history, ahead[0], ahead[1], STYLE)
    bands = {trace.name: np.asarray(trace.y) for trace in figure.data if trace.meta == {"read": "high"}}
    assert list(bands) == ["90 % 区间", "80 % 区间", "50 % 区间"]
    assert {values[0] for values in bands.values()} == {history["close"].iloc[-1]}
    assert (bands["90 % 区间"][1:] > bands["80 % 区间"][1:]).all()
    assert (bands["80 % 区间"][1:] > bands["50 % 区间"][1:]).all()


def test_a_band_to_compare_with_is_drawn_as_dotted_lines_with_one_legend(history, ahead):
    lower, upper = (ahead[1][level]["close"] for level in (0.1, 0.9))
    figure = forecast_chart(history, ahead[0], ahead[1], STYLE, outline=Outline("原", lower, upper))
    low, high = [trace for trace in figure.data if trace.name == "原"]
    assert (low.line.dash, low.fill, low.showlegend, high.showlegend) == ("dot", None, False, True)
    assert low.y[0] == history["close"].iloc[-1]
    assert list(low.y[1:]) == list(lower)
    assert list(high.y[1:]) == list(upper)


def test_what_came_is_drawn_at_its_own_times(history, ahead):
    actual = series("2024-03-05", 6, seed=2).iloc[[1, 4]]
    figure = forecast_chart(history, ahead[0], ahead[1], STYLE, actual=actual)
    came = next(trace for trace in figure.data if trace.type == "candlestick" and trace.name == "实际")
    assert list(came.x) == ["2024-03-05 01:00", "2024-03-05 04:00"]


def test_a_forecast_without_history_is_still_drawn(history, ahead):
    figure = forecast_chart(history.iloc[:0], ahead[0], ahead[1], STYLE)
    assert len(figure.layout.xaxis.categoryarray) == 6
    assert not figure.layout.shapes


def test_a_series_without_volume_has_one_panel(history):
    assert candle_chart(history, STYLE).layout.yaxis2.title.text == "成交量"
    assert not candle_chart(history, STYLE).layout.showlegend
    bare = candle_chart(history.drop(columns="volume"), STYLE)
    assert [trace.type for trace in bare.data] == ["candlestick"]
    assert "yaxis2" not in bare.layout


def test_direction_shows_without_colour(history):
    trace = candle_chart(history, STYLE).data[0]
    assert trace.increasing.fillcolor == "rgba(0,0,0,0)"
    assert trace.decreasing.fillcolor == STYLE.market.down


def test_labels_say_hours_only_where_there_are_any():
    assert time_labels(pd.DatetimeIndex(["2024-01-01", "2024-01-02"])) == ["2024-01-01", "2024-01-02"]
    assert time_labels(pd.DatetimeIndex(["2024-01-01", "2024-01-01 09:30"]))[1] == "2024-01-01 09:30"


def test_six_forecasts_are_told_apart_without_colour(ahead):
    median, quantiles = ahead
    later = median.set_axis(median.index + pd.Timedelta("3h"))
    moved = {level: frame.set_axis(later.index) for level, frame in quantiles.items()}
    names = [*"ABCDEF"]
    figure = overlay_chart(names, [median, later] * 3, [quantiles, moved] * 3, STYLE, actual=median["close"])
    dashes = {trace.name: trace.line.dash for trace in figure.data if trace.showlegend is not False}
    assert dashes.pop("实际") is None
    assert list(dashes) == names
    assert len({*dashes.values()}) == 6
    assert len(figure.layout.xaxis.categoryarray) == 9
    assert sum(trace.legendgroup == "A" for trace in figure.data) == 3  # a click on the legend hides the band too


def test_bands_and_median_are_labelled_at_their_right_ends_apart_from_each_other(history, ahead):
    for log in (False, True):
        figure = forecast_chart(history, ahead[0], ahead[1], STYLE, log=log)
        labels = {mark.text: mark for mark in figure.layout.annotations if mark.xanchor == "right" and mark.xref != "x"}
        assert list(labels) == ["中位数", "90 %", "80 %", "50 %"]
        places = [labels[text].y for text in ("中位数", "50 %", "80 %", "90 %")]
        low, high = figure.layout.yaxis.range
        assert min(np.diff(places)) >= 0.035 * (high - low)
        assert low < places[0] < places[-1] < high
        assert {mark.x for mark in labels.values()} == {figure.layout.xaxis.range[1]}


def test_bands_are_told_apart_without_colour(history, ahead):
    figure = forecast_chart(history, ahead[0], ahead[1], STYLE)
    assert {trace.line.dash for trace in figure.data if trace.meta == {"read": "high"}} == {"dot", "dash", "solid"}


def test_forecast_candles_have_the_name_of_their_kind_for_legend_and_read_out(history, ahead):
    figure = forecast_chart(history, ahead[0], ahead[1], STYLE)
    assert [trace.name for trace in figure.data if trace.meta == {"read": "candle"}] == ["历史", "代表路径"]
    assert [trace.name for trace in figure.data if trace.meta == {"read": "volume"}] == ["历史", "代表路径"]
    assert figure.layout.meta["kronos"]["open"] == "开"
