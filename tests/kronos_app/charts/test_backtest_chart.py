"""Figures of a backtest."""

import pandas as pd
import pytest

from kronos_app.charts.backtest import BacktestWords, equity_chart, growth_chart, monthly_chart
from kronos_app.charts.style import MARKET_COLOURS, translucent

MARKET = MARKET_COLOURS["red_up"]


@pytest.fixture
def words():
    others = {"bench": "Index", "momentum": "Momentum", "equal_weight": "Equal", "buy_and_hold": "Held"}
    return BacktestWords(
        strategy="Own", benchmarks=others, luck=["90", "50"], cumulative_return="Return", drawdown="Fall",
        months=[*(f"m{month}" for month in range(1, 13)), "all"],
    )  # fmt: skip


@pytest.fixture
def curves():
    return {"day": ["2024-01-02", "2024-01-03"], "strategy": [0.01, -0.02], "drawdown": [0.0, -0.03]}


def test_a_strategy_is_drawn_over_luck_beside_what_it_is_compared_with(curves, words):
    luck = {level: [0.0, 0.1 * place] for place, level in enumerate(("0.05", "0.25", "0.5", "0.75", "0.95"))}
    figure = equity_chart(curves, {"momentum": [0.0, 0.02], "bench": [None, 0.01]}, luck, words, MARKET)
    shown = [trace.name for trace in figure.data if trace.showlegend is None]
    assert shown == ["90", "50", "Index", "Momentum", "Own"]
    assert list(figure.data[-2].y) == [0.01, -0.02]
    assert (list(figure.data[-1].y), figure.data[-1].yaxis) == ([0.0, -0.03], "y2")
    low, high = figure.data[0], figure.data[1]
    assert (list(low.y), list(high.y), high.fill) == (luck["0.05"], luck["0.95"], "tonexty")


def test_strategies_are_drawn_over_each_other_each_to_its_own_end(words):
    days = pd.bdate_range("2024-01-02", periods=3)
    curves = {"one": pd.Series([0.0, 0.1, 0.2], days), "other": pd.Series([0.0, -0.1], days[:2])}
    one, other = growth_chart(curves, words).data
    assert (one.name, list(one.y), other.name, list(other.y)) == ("one", [0.0, 0.1, 0.2], "other", [0.0, -0.1])
    assert one.line.color != other.line.color


def test_months_are_coloured_by_gain_and_loss_the_latest_year_first(words):
    empty = dict.fromkeys([*(str(month) for month in range(1, 13)), "year"])
    monthly = {"2023": empty | {"12": -0.02, "year": -0.02}, "2024": empty | {"1": 0.05, "year": 0.4}}
    heat, numbers = monthly_chart(monthly, words, MARKET).data
    assert list(heat.y) == ["2024", "2023"]
    assert (heat.z[0][0], heat.z[1][11], heat.z[0][1]) == (0.05, -0.02, None)
    assert (heat.zmin, heat.zmax) == (-0.05, 0.05)
    assert [heat.colorscale[n][1] for n in (0, 2)] == [translucent(MARKET.down, 0.6), translucent(MARKET.up, 0.6)]
    told = list(zip(numbers.x, numbers.y, numbers.text, strict=True))
    assert ("m1", "2024", "+5.0") in told
    assert ("all", "2023", "-2.0") in told
    assert len(told) == 4
