"""One setup on Forecast, Evaluate, Backtest and Live: the same fields, limits and defaults."""

import pytest

from kronos_app.services.backtest.request import BacktestRequest
from kronos_app.services.evaluation.request import EvaluationRequest
from kronos_app.services.forecast.request import ForecastRequest
from kronos_app.services.live.views import FollowRequest
from kronos_app.services.selection.setup import ForecastSetup, Setup


@pytest.mark.parametrize("request_class", [ForecastRequest, EvaluationRequest, BacktestRequest, FollowRequest])
def test_every_request_has_the_fields_limits_and_defaults_of_the_setup(request_class):
    def describe(model, name):
        field = model.model_fields[name]
        return field.annotation, field.default, field.metadata, field.description

    for name in ForecastSetup.model_fields:
        assert describe(request_class, name) == describe(Setup, name)


def test_the_defaults_are_four_hundred_candles_a_day_of_hours_and_what_the_model_recommends():
    setup = Setup()
    assert (setup.lookback, setup.horizon, setup.top_k, setup.window) == (400, 24, 0, "fit")
    assert (setup.samples, setup.driftless, setup.temperature, setup.top_p, setup.seed) == (None,) * 5
