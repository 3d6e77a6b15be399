from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kronos_app.charts.compare import MOST_POINTS, compare_chart, normalise
from tests.kronos_app.charts.example_style import STYLE


def closes(start: str, values: list[float], freq: str = "D") -> pd.Series[float]:
    return pd.Series(values, index=pd.date_range(start, periods=len(values), freq=freq))


def test_each_series_is_100_where_all_have_begun():
    table = normalise({"early": closes("2024-01-01", [1, 2, 3, 4]), "late": closes("2024-01-03", [50, 75])})
    assert table.index[0] == pd.Timestamp("2024-01-03")
    assert table["early"].tolist() == pytest.approx([100, 400 / 3])
    assert table["late"].tolist() == [100, 150]


def test_a_day_off_keeps_the_last_close_and_an_end_is_an_end():
    share = closes("2024-01-01", [10, 11, 12])
    coin = closes("2024-01-01", [5, 6, 7, 8, 9])
    table = normalise({"share": share.drop(share.index[1]), "coin": coin})
    assert table["share"].tolist()[:3] == [100, 100, 120]
    assert table["share"].isna().tolist() == [False, False, False, True, True]
    assert table["coin"].tolist() == [100, 120, 140, 160, 180]


def test_nothing_before_the_common_start_is_looked_at_but_a_close_that_still_holds():
    weekly, daily = closes("2024-01-01", [10, 20, 30], "7D"), closes("2024-01-04", list(range(100, 110)))
    table = normalise({"weekly": weekly, "daily": daily})
    assert table.index[0] == pd.Timestamp("2024-01-04")
    assert table["weekly"].iloc[0] == 100
    assert table.loc["2024-01-08", "weekly"] == 200


def test_series_that_never_meet_begin_at_100_each():
    table = normalise({"old": closes("2000-01-01", [1, 2]), "new": closes("2024-01-01", [8, 4])})
    assert table["old"].dropna().tolist() == [100, 200]
    assert table["new"].dropna().tolist() == [100, 50]


def test_lines_are_told_apart_without_colour_and_have_no_more_points_than_a_screen():
    table = normalise({f"set {n}": closes("2010-01-01", list(np.arange(1.0, 4001))) for n in range(10)})
    figure = compare_chart(table, STYLE)
    assert len({(trace.line.color, trace.line.dash) for trace in figure.data}) == 10
    assert {len(trace.x) for trace in figure.data} == {MOST_POINTS}
    assert figure.data[0].x[-1] == "2020-12-13"
    assert figure.layout.yaxis.title.text == STYLE.price
