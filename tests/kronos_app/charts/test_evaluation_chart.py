from __future__ import annotations

import pandas as pd
import pytest

from kronos_app.charts.evaluation import (
    EvaluationWords,
    coverage_chart,
    coverage_over_time_chart,
    cutoff_chart,
    pit_chart,
    reliability_chart,
    steps_chart,
)
from kronos_app.charts.style import NEUTRAL
from tests.kronos_app.charts.example_style import STYLE

WORDS = EvaluationWords("步", "CRPS", "分位", "份额", "理想值", "名义", "实际", "概率", "频率", "截至")
NAMES = {"nano": "nano", "mini": "mini", "drift": "漂移"}
MODELS = ["nano", "mini"]


def traces(figure):
    return {trace.name: trace for trace in figure.data if trace.name}


def test_models_stand_out_from_baselines_and_have_the_last_word():
    figure = steps_chart({"nano": [1, 2], "drift": [2, 3], "mini": [1.5, 2]}, MODELS, NAMES, WORDS)
    found = traces(figure)
    assert [trace.name for trace in figure.data] == ["漂移", "nano", "mini"]
    assert found["漂移"].line.color == NEUTRAL
    assert len({found[name].line.color for name in ("nano", "mini", "漂移")}) == 3
    assert list(found["nano"].x) == [1, 2]


def test_a_single_step_shows_as_a_point():
    assert traces(steps_chart({"nano": [1.0]}, MODELS, NAMES, WORDS))["nano"].mode == "lines+markers"


def test_shares_lie_beside_the_even_line():
    found = traces(pit_chart({"nano": [0.1] * 10}, MODELS, NAMES, WORDS))
    assert list(found["nano"].x) == pytest.approx([0.05 + i / 10 for i in range(10)])
    assert set(found["理想值"].y) == {0.1}


def test_bands_lie_beside_what_they_promise():
    found = traces(coverage_chart({"nano": {"50": 0.4, "90": 0.7}}, MODELS, NAMES, WORDS))
    assert list(found["nano"].x) == [0.5, 0.9]
    assert list(found["nano"].y) == [0.4, 0.7]
    assert list(found["理想值"].x) == list(found["理想值"].y)


def test_a_point_of_many_forecasts_is_larger():
    found = traces(reliability_chart({"nano": [[0.2, 0.3, 5], [0.6, 0.5, 80]]}, MODELS, NAMES, WORDS))["nano"]
    assert found.marker.size[0] < found.marker.size[1]
    assert list(found.y) == [0.3, 0.5]


def test_nothing_that_rose_or_fell_leaves_the_line_alone():
    assert [trace.name for trace in reliability_chart({}, MODELS, NAMES, WORDS).data] == ["理想值"]


def test_coverage_over_time_lies_beside_the_level():
    rows = [{"until": f"2024-0{i}-01", "cutoffs": 5, "coverage_90": i / 10} for i in range(1, 4)]
    found = traces(coverage_over_time_chart({"nano": rows}, "90", MODELS, NAMES, WORDS))
    assert list(found["nano"].y) == [0.1, 0.2, 0.3]
    assert set(found["理想值"].y) == {0.9}


def test_markets_have_panels_and_time_axes_of_their_own():
    rows = [
        {"market": market, "until": f"{year}-0{i}-01", "cutoffs": 5, "coverage_90": 0.9}
        for market, year in (("stocks/1d", 2018), ("crypto/1h", 2026))
        for i in range(1, 4)
    ]
    figure = coverage_over_time_chart({"nano": rows}, "90", MODELS, NAMES, WORDS)
    lines = [trace for trace in figure.data if trace.name == "nano"]
    assert [(line.xaxis, {time.year for time in line.x}) for line in lines] == [("x", {2018}), ("x2", {2026})]
    assert [line.showlegend for line in lines] == [True, False]
    assert [title.text for title in figure.layout.annotations] == ["stocks/1d", "crypto/1h"]


def test_a_line_breaks_where_no_cutoff_lies_for_long():
    months = ("2018-01", "2018-02", "2018-03", "2026-01", "2026-02")
    rows = [{"until": f"{month}-01", "cutoffs": 5, "coverage_90": 0.9} for month in months]
    found = traces(coverage_over_time_chart({"nano": rows}, "90", MODELS, NAMES, WORDS))["nano"]
    assert list(found.y) == [0.9, 0.9, 0.9, None, 0.9, 0.9]


def test_a_cutoff_shows_bands_that_leave_from_the_last_close():
    times = pd.date_range("2024-01-01", periods=5, freq="D")
    frame = pd.DataFrame({name: [1.0, 2, 3, 4, 5] for name in ("open", "high", "low", "close")}, index=times)
    bands = pd.DataFrame({"median": [3.0, 3.0]}, index=times[3:])
    for level in ("50", "80", "90", "95"):
        bands[f"low_{level}"], bands[f"high_{level}"] = 2.0, 4.0
    found = traces(cutoff_chart(frame[:3], frame[3:], bands, STYLE))
    assert {"50 % 区间", "80 % 区间", "90 % 区间", "95 % 区间", "历史", "中位数", "实际"} == set(found)
    assert list(found["中位数"].y) == [3.0, 3.0, 3.0]
    assert list(found["90 % 区间"].y) == [3.0, 4.0, 4.0]
    assert list(found["中位数"].x) == ["2024-01-03", "2024-01-04", "2024-01-05"]
    early = traces(cutoff_chart(frame[:3], frame[3:4], bands, STYLE))
    assert (list(early["中位数"].x), list(early["实际"].x)) == (list(found["中位数"].x), ["2024-01-04"])
