"""Figures of a backtest."""

import tomllib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kronos_app.charts.backtest import BacktestWords, equity_chart, growth_chart, monthly_chart
from kronos_app.charts.style import MARKET_COLOURS, TEXT, translucent

MARKET = MARKET_COLOURS["red_up"]
ROOT = Path(__file__).parents[3]


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


def luminance(colour):
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def rgb(colour):
    """Return red, green, blue and opacity of `#rrggbb` or `rgba(r, g, b, a)`."""
    if colour.startswith("#"):
        return (*(int(colour[i : i + 2], 16) for i in (1, 3, 5)), 1.0)
    return tuple(float(part) for part in colour[colour.index("(") + 1 : -1].split(","))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("market", MARKET_COLOURS.values(), ids=MARKET_COLOURS)
def test_numbers_of_the_heat_map_have_a_contrast_of_at_least_4_5_in_every_shade(words, theme, market):
    page = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"][theme]
    empty = dict.fromkeys([*(str(month) for month in range(1, 13)), "year"])
    heat, numbers = monthly_chart({"2024": empty | {"1": 0.05, "2": -0.05}}, words, market).data
    assert numbers.textfont.color == TEXT  # the page's text colour
    text, paper = (np.array(rgb(page[name])[:3]) for name in ("textColor", "backgroundColor"))
    stops = [np.array(rgb(colour)) for _, colour in heat.colorscale]
    for low, high in pairwise(stops):
        for share in np.linspace(0, 1, 11):
            *colour, opacity = low + share * (high - low)
            cell = opacity * np.array(colour) + (1 - opacity) * paper
            lighter, darker = sorted((luminance(text), luminance(cell)), reverse=True)
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5


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
