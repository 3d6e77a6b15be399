from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from streamlit.elements.lib import streamlit_plotly_theme as theme

from kronos_app.charts.axes import panels
from kronos_app.charts.overlay import STYLES
from kronos_app.charts.style import FORECAST, MARKET_COLOURS, NEUTRAL, PAPER, SECOND, TEXT
from tests.kronos_app.charts.example_style import STYLE

CONFIG = tomllib.loads((Path(__file__).parents[3] / ".streamlit" / "config.toml").read_text())
BACKGROUNDS = {name: CONFIG["theme"][name]["backgroundColor"] for name in ("light", "dark")}
# What Streamlit's browser code puts in the place of TEXT.
TEXTS = {"light": "#262730", "dark": "#fafafa"}
LINES = {FORECAST, SECOND, NEUTRAL, *(colour for colour, _ in STYLES)}
MARKET = {colour for pair in MARKET_COLOURS.values() for colour in (pair.up, pair.down)}


def luminance(colour: str) -> float:
    parts = np.array([int(part, 16) for part in re.findall("..", colour[1:])]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    """Return the contrast of WCAG 2.2, from 1 to 21."""
    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("background", BACKGROUNDS.values(), ids=BACKGROUNDS)
@pytest.mark.parametrize("colour", sorted(LINES | MARKET))
def test_lines_and_candles_have_a_contrast_of_3_on_light_and_dark_pages(colour, background):
    assert contrast(colour, background) >= 3


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_text_of_charts_has_a_contrast_of_4_5_on_light_and_dark_pages(name):
    assert contrast(TEXTS[name], BACKGROUNDS[name]) >= 4.5


def test_text_and_background_are_those_of_the_page():
    assert (TEXT, PAPER) == (theme.GRAY_90, theme.BG_COLOR)
    layout = panels(["2024-01-01"], STYLE, [], height=400).layout
    assert {layout.font.color, layout.xaxis.tickfont.color, layout.yaxis.tickfont.color} == {TEXT}
    assert (layout.paper_bgcolor, layout.plot_bgcolor) == (PAPER, PAPER)


@pytest.mark.parametrize("pair", MARKET_COLOURS.values(), ids=MARKET_COLOURS)
def test_rising_and_falling_colours_are_not_those_of_forecasts(pair):
    assert len({pair.up, pair.down, FORECAST, SECOND, NEUTRAL}) == 5


def test_red_and_green_can_be_exchanged():
    green, red = MARKET_COLOURS["green_up"], MARKET_COLOURS["red_up"]
    assert (green.up, green.down) == (red.down, red.up)
