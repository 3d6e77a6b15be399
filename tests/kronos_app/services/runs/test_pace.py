"""How long forecasts take, from measurements."""

import pytest

from kronos_app.services.runs.pace import Pace, estimate_seconds
from kronos_app.services.selection.setup import ForecastSetup

SETUP = ForecastSetup(lookback=400, horizon=10, samples=20)


def test_nothing_measured_gives_no_estimate():
    assert estimate_seconds([], [], SETUP, 100) is None


def test_runs_count_before_single_forecasts_and_the_range_holds_the_measurement():
    low, high = estimate_seconds([Pace(0.001, 400)], [Pace(1.0, 400)], SETUP, 100)
    assert (low, high) == pytest.approx((20 / 1.3, 20 * 1.3))


def test_another_lookback_widens_the_range_to_the_side_where_the_time_may_lie():
    low, high = estimate_seconds([], [Pace(0.001, 200)], SETUP, 100)
    assert (low, high) == pytest.approx((20 / 2, 20 * 2 * 2))
    low, high = estimate_seconds([], [Pace(0.001, 800)], SETUP, 100)
    assert (low, high) == pytest.approx((20 / 2 / 2, 20 * 2))
