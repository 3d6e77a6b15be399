from __future__ import annotations

import pytest

from kronos_app.data.candle_frame import CandleFrame
from kronos_app.errors import InvalidInput
from kronos_app.services.forecast.limits import find_limits, history_warnings
from kronos_app.services.forecast.plan import plan_forecast
from kronos_app.services.forecast.request import ForecastRequest
from kronos_app.store import CandleSet


def limits(lookback, horizon, window="fit", rows=5000):
    return find_limits(lookback, horizon, window, model="tiny", context=512, rows=rows)


@pytest.mark.parametrize(
    ("lookback", "horizon", "window", "rows", "longest"),
    [
        (400, 24, "fit", 5000, (488, 112)),
        (6000, 24, "fit", 5000, (488, 510)),
        (400, 600, "fit", 5000, (511, 112)),
        (100, 24, "fit", 300, (300, 412)),
        (400, 24, "exact", 5000, (512, 512)),
        (400, 24, "strided", 450, (450, 512)),
        (400, 24, "fit", 1, (2, 510)),
    ],
)
def test_the_longest_lookback_and_horizon_follow_from_context_and_candles(lookback, horizon, window, rows, longest):
    found = limits(lookback, horizon, window, rows)
    assert (found.lookback, found.horizon) == longest
    assert str(longest[0]) in found.message.render()
    assert str(longest[1]) in found.message.render()


def test_the_reason_of_a_limit_is_the_context_or_the_candles():
    assert "tiny holds 512 candles, both together" in limits(400, 24).message.render()
    assert "the data set has 300 candles" in limits(100, 24, rows=300).message.render()
    assert "both together" not in limits(400, 24, "exact").message.render()


@pytest.mark.parametrize(
    ("lookback", "horizon", "field"), [(6000, 24, "lookback"), (1, 24, "lookback"), (9, 0, "horizon")]
)
def test_a_value_outside_its_range_is_refused_with_the_range(lookback, horizon, field):
    found = limits(lookback, horizon)
    with pytest.raises(InvalidInput, match=f"{field}: .* outside the range") as caught:
        found.check(lookback, horizon)
    assert caught.value.hint == found.message


def test_values_that_fit_each_but_not_together_are_refused():
    with pytest.raises(InvalidInput, match="lookback: 400 candles are outside the range 2–312"):
        limits(400, 200).check(400, 200)
    limits(312, 200).check(312, 200)


def test_a_shortened_or_short_history_carries_warnings(make_frame):
    candles = CandleSet("walk", CandleFrame(make_frame(200), "walk.csv", "upload"), {}, {})

    def codes(lookback, horizon):
        fields = {"candles_id": "walk", "seed": 1, "lookback": lookback, "horizon": horizon}
        plan = plan_forecast(ForecastRequest.build(fields), candles, 128)
        return [(warning.code, warning.message.params["rows"]) for warning in history_warnings(plan)]

    assert codes(64, 8) == []
    assert codes(100, 60) == [("history_cut", 68)]
    assert codes(63, 8) == [("short_history", 63)]
    assert codes(100, 100) == [("history_cut", 28), ("short_history", 28)]
