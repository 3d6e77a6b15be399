"""How long forecasts take, from measurements."""

import pytest

from kronos_app.services.runs.pace import Pace, estimate_seconds
from kronos_app.services.selection.setup import ForecastSetup

SETUP = ForecastSetup(lookback=400, horizon=10, samples=20)


def test_nothing_measured_gives_no_estimate():
    assert estimate_seconds([], SETUP, 100) is None


def test_the_range_holds_what_was_measured_with_the_same_setup():
    assert estimate_seconds([Pace(0.2, 400, 200)], SETUP, 100) == pytest.approx((20 / 1.3, 20 * 1.3))


def test_the_measurement_with_the_nearest_setup_counts():
    far, near = Pace(9.0, 64, 10), Pace(0.2, 400, 200, slower=2.0)
    assert estimate_seconds([far, near], SETUP, 100) == pytest.approx((20 / 1.3, 40))


def test_another_setup_widens_the_range_to_the_side_where_the_time_may_lie():
    assert estimate_seconds([Pace(0.2, 200, 100, 1.0)], SETUP, 100) == pytest.approx((20 / 1.3, 20 * 2 * 2))
    assert estimate_seconds([Pace(0.2, 800, 400, 1.0)], SETUP, 100) == pytest.approx((20 / 1.3 / 2 / 2, 20))
