"""Baselines against numbers worked out by hand, and against the libraries behind them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from arch import arch_model
from scipy.stats import norm
from statsmodels.tsa.arima.model import ARIMA
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.forecasting.theta import ThetaModel

from tests.training.evaluation.conftest import HOUR, of_closes, walk
from training.evaluation.asof import AsOf, LookAhead
from training.evaluation.baselines import (
    BASELINES,
    Arima,
    Bootstrap,
    Drift,
    Ets,
    Ewma,
    Garch,
    LastClose,
    Momentum,
    Seasonal,
    Theta,
    Walk,
    Window,
    fitted,
)
from training.evaluation.baselines.fitted import Fitted
from training.evaluation.cutoffs import Cutoff, Series
from training.evaluation.forecasters import Forecaster, Members, Request, request_of
from training.evaluation.verdicts import LABELS, label

CLOSE = np.array([[100.0, 110.0, 99.0, 108.9]])  # log returns 0.0953, -0.1054, 0.0953
RETURNS = np.log([1.1, 0.9, 1.1])
STEPS = np.array([1, 2, 3])


def ask(series: Series, row: int, *, lookback: int = 90, horizon: int = 5) -> Request:
    return request_of([Cutoff(series, row, lookback, horizon)], seed=0)


def log_moves(baseline: Forecaster, request: Request) -> np.ndarray:
    """Return the log returns (members, horizon) of the only cutoff."""
    return np.log(baseline.forecast(request).close / request.closes[:, -1, None, None])[0]


@pytest.mark.parametrize(
    ("baseline", "drift", "volatility"),
    [
        (LastClose(), 0.0, RETURNS.std()),
        (Drift(), RETURNS.mean(), RETURNS.std()),
        (Ewma(), 0.0, np.sqrt(np.dot([0.94**2, 0.94, 1], RETURNS**2) / (0.94**2 + 0.94 + 1))),
        (Window(2), 0.0, np.sqrt((RETURNS[1:] ** 2).mean())),
        (Momentum(2), RETURNS[1:].mean(), RETURNS.std()),
    ],
    ids=lambda value: value.name if isinstance(value, Walk) else "",
)
def test_a_walk_is_log_normal(baseline: Walk, drift: float, volatility: float) -> None:
    members = baseline.members(CLOSE, 3, 999)
    assert members.shape == (1, 999, 3)
    np.testing.assert_allclose(np.median(members[0], axis=0), 108.9 * np.exp(drift * STEPS), rtol=1e-9)
    expected = drift * STEPS + volatility * np.sqrt(STEPS) * norm.ppf((0.5 + 899) / 999)
    np.testing.assert_allclose(np.log(members[0, 899] / 108.9), expected, rtol=1e-9)


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda baseline: baseline.name)
def test_every_baseline_answers_each_cutoff_as_if_it_were_alone(baseline: Forecaster) -> None:
    cutoffs = [Cutoff(walk("A", 300, 1), row, 90, 5) for row in (150, 200)]
    together = baseline.forecast(request_of(cutoffs, 0))
    assert together.close.shape[0] == 2
    assert together.close.shape[2] == 5
    assert (together.close > 0).all()
    alone = baseline.forecast(request_of(cutoffs[1:], 0))
    np.testing.assert_allclose(together.close[1], alone.close[0], rtol=1e-12)
    if not together.drawn:
        assert (np.diff(together.close, axis=1) > 0).all()


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda baseline: baseline.name)
def test_every_baseline_finds_the_volatility_of_a_random_walk(baseline: Forecaster) -> None:
    series = walk("A", 3000, 2)
    cutoffs = [Cutoff(series, row, 500, 4) for row in (1200, 2000, 2800)]
    request = request_of(cutoffs, 0)
    moves = np.log(baseline.forecast(request).close / request.closes[:, -1, None, None])
    tolerance = 0.35 if baseline.name in {"walk_20", "ewma"} else 0.15
    np.testing.assert_allclose(moves.std(axis=1).mean(axis=0), 0.01 * np.sqrt([1, 2, 3, 4]), rtol=tolerance)


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda baseline: baseline.name)
@pytest.mark.parametrize("close", [np.full(200, 7.0), np.r_[np.full(199, 7.0), 9.0]], ids=["never moves", "one jump"])
@pytest.mark.parametrize("lookback", [3, 100])
def test_every_baseline_has_an_answer_whatever_the_history(
    baseline: Forecaster, close: np.ndarray, lookback: int
) -> None:
    request = ask(of_closes(close), 199, lookback=lookback, horizon=1)
    assert np.isfinite(baseline.forecast(request).close).all()


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda baseline: baseline.name)
def test_no_baseline_sees_what_came(baseline: Forecaster) -> None:
    series = walk("A", 300, 3)
    changed = Series(series.group, series.symbol, series.values.copy(), series.times)
    changed.values[200:] *= 3
    one, other = (baseline.forecast(ask(s, 200)).close for s in (series, changed))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("baseline", [one for one in BASELINES if isinstance(one, Walk)], ids=lambda one: one.name)
@pytest.mark.parametrize("close", [np.array([[5.0]]), np.full((1, 10), 5.0)], ids=["one close", "ten"])
def test_a_history_that_never_moved_is_walked_on_from_where_it_stands(baseline: Walk, close: np.ndarray) -> None:
    np.testing.assert_allclose(baseline.members(close, 4, 7), 5.0)


class Cheat(Walk):
    """Takes the drift from the candle to come."""

    name = "cheat"

    def forecast(self, request: Request) -> Members:
        past = request.pasts[0]
        return Members(past.rows(len(past), len(past) + 1)[None, :, 3:4], drawn=True)


def test_a_leak_planted_in_a_baseline_is_caught() -> None:
    with pytest.raises(LookAhead, match="nothing after the cutoff"):
        Cheat().forecast(ask(walk("A"), 200))


def test_a_window_reaches_further_back_than_the_history_of_the_model() -> None:
    close = 50 * np.exp(np.r_[0.0, np.tile([0.02, -0.02], 40).cumsum(), np.zeros(10)])
    request = ask(of_closes(np.r_[close, close[-1]]), len(close), lookback=10, horizon=1)
    assert log_moves(Window(20), request).std() == pytest.approx(0.02 * np.sqrt(10 / 20), rel=0.01)
    assert log_moves(LastClose(), request).std() == 0.0


def test_a_bootstrap_draws_past_returns_without_their_mean() -> None:
    moves = log_moves(Bootstrap(paths=2000), ask(of_closes(np.r_[CLOSE[0], 1.0, 1.0]), 4, lookback=4, horizon=2))
    centred = RETURNS - RETURNS.mean()
    np.testing.assert_allclose(np.unique(moves[:, 0].round(12)), np.unique(centred.round(12)), atol=1e-9)
    assert moves[:, 1].std() == pytest.approx(centred.std() * np.sqrt(2), rel=0.05)


def test_seasonal_volatility_is_that_of_the_time_of_day() -> None:
    """Returns of 3 % at eight o'clock and of 1 % at any other time."""
    rng = np.random.default_rng(0)
    hours = np.arange(24 * 40)
    returns = rng.choice([-1, 1], len(hours)) * np.where(hours % 24 == 8, 0.03, 0.01)
    moves = log_moves(Seasonal(), ask(of_closes(50 * np.exp(returns.cumsum())), 24 * 35 + 6, lookback=30, horizon=4))
    variances = np.diff(moves.std(axis=0) ** 2, prepend=0.0)
    np.testing.assert_allclose(np.sqrt(variances), [0.01, 0.01, 0.03, 0.01], rtol=0.01)


def test_seasonal_volatility_of_daily_candles_is_that_of_the_weekday() -> None:
    rng = np.random.default_rng(0)
    times = (np.arange(300) + 4) * 24 * HOUR  # the first is a Monday
    returns = rng.choice([-1, 1], 300) * np.where(np.arange(300) % 7 == 0, 0.03, 0.01)
    close = 50 * np.exp(returns.cumsum())
    series = Series("g", "A", np.repeat(close[:, None], 6, axis=1), times)
    moves = log_moves(Seasonal(), ask(series, 7 * 40 - 1, lookback=30, horizon=3))
    np.testing.assert_allclose(np.diff(moves.std(axis=0) ** 2, prepend=0.0), [1e-4, 9e-4, 1e-4], rtol=0.02)


def test_garch_is_archs() -> None:
    request = ask(walk("A", 600, 4), 550, lookback=500)
    returns = request.returns[0]
    fit = arch_model(returns / returns.std(), mean="Zero", p=1, q=1, rescale=False).fit(disp="off")
    variance = fit.forecast(horizon=5, reindex=False).variance.to_numpy()[0].cumsum() * returns.var()
    z = norm.ppf(199.5 / 200)
    np.testing.assert_allclose(log_moves(Garch(), request)[-1], np.sqrt(variance) * z, rtol=1e-9)


def test_garch_expects_what_lately_was_and_the_walk_what_was_on_average() -> None:
    rng = np.random.default_rng(5)
    sigma = np.r_[np.full(300, 0.005), np.full(60, 0.03), np.full(300, 0.005), np.full(40, 0.03)]
    request = ask(of_closes(50 * np.exp((rng.normal(size=700) * sigma).cumsum())), 690, lookback=600)
    assert log_moves(Garch(), request)[:, 0].std() > 1.5 * log_moves(LastClose(), request)[:, 0].std()


def test_the_theta_method_goes_half_way_along_the_trend() -> None:
    rng = np.random.default_rng(6)
    close = 50 * np.exp(0.01 * np.arange(200) + rng.normal(0, 1e-3, 200))
    median = np.median(log_moves(Theta(), ask(of_closes(close), 190, lookback=150)), axis=0)
    np.testing.assert_allclose(np.diff(median), 0.005, rtol=0.02)


def test_the_theta_method_is_statsmodels(monkeypatch: pytest.MonkeyPatch) -> None:
    request = ask(walk("A", 300, 8), 200)
    level = pd.Series(np.log(request.closes[0] / request.closes[0, -1]) / request.returns.std())
    fit = ThetaModel(level, deseasonalize=False).fit()
    expected = fit.forecast(5).to_numpy() * request.returns.std()
    np.testing.assert_allclose(log_moves(Theta(), request).mean(axis=0), expected, atol=1e-5)
    monkeypatch.setattr(fitted, "_smoothing", lambda _: fit.params["alpha"])  # theirs is searched for less closely
    np.testing.assert_allclose(log_moves(Theta(), request).mean(axis=0), expected, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Provided `endog` series has been differenced")
def test_arima_is_statsmodels() -> None:
    request = ask(walk("A", 300, 9), 200)
    level = pd.Series(np.log(request.closes[0] / request.closes[0, -1]) / request.returns.std())
    expected = ARIMA(level, order=(1, 1, 0)).fit(method="yule_walker").get_forecast(5)
    found, unit = log_moves(Arima(), request), request.returns.std()
    np.testing.assert_allclose(found.mean(axis=0), expected.predicted_mean * unit, rtol=1e-6)
    np.testing.assert_allclose(
        found[-1] - found.mean(axis=0), expected.se_mean * unit * norm.ppf(199.5 / 200), rtol=1e-6
    )


def test_exponential_smoothing_is_statsmodels() -> None:
    request = ask(walk("A", 300, 10), 200)
    level = pd.Series(np.log(request.closes[0] / request.closes[0, -1]) / request.returns.std())
    start = {"initialization_method": "known", "initial_level": level[0]}
    fit = ETSModel(level, error="add", **start).fit(disp=False)
    found, unit = log_moves(Ets(), request), request.returns.std()
    np.testing.assert_allclose(found.mean(axis=0), fit.forecast(5) * unit, atol=1e-6)
    expected = np.sqrt(fit.get_prediction(start=90, end=94).forecast_variance) * unit * norm.ppf(199.5 / 200)
    np.testing.assert_allclose(found[-1] - found.mean(axis=0), expected, rtol=0.01)  # they average over one error more


def test_a_fit_that_fails_gives_way_to_the_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    request = ask(walk("A", 300, 7), 200)
    for answer in (np.full(5, np.nan), np.full(5, 1e9), -np.ones(5)):
        monkeypatch.setattr(Theta, "_filter", lambda *_, answer=answer: (np.zeros(5), answer))
        np.testing.assert_allclose(log_moves(Theta(), request), log_moves(LastClose(), request), rtol=1e-9)


HELD = [one.held() for one in BASELINES if isinstance(one, Fitted)]


@pytest.mark.parametrize("baseline", HELD, ids=lambda one: one.name)
def test_held_parameters_are_those_of_the_first_cutoff_and_the_newest_candle_still_counts(baseline: Fitted) -> None:
    rng = np.random.default_rng(11)  # noise around a walk, so that smoothing does not just take the last close
    series = of_closes(50 * np.exp(rng.normal(0, 0.01, 400).cumsum() + rng.normal(0, 0.01, 400)))
    anew = next(one for one in BASELINES if one.name == baseline.name)
    first, later = ask(series, 200), ask(series, 300)
    held = replace(later, first=[first.pasts[0].cutoff])
    np.testing.assert_array_equal(baseline.forecast(first).close, anew.forecast(first).close)
    fitted_then, fitted_now = baseline.forecast(held).close, anew.forecast(later).close
    assert not np.allclose(fitted_then, fitted_now, rtol=1e-6)
    changed = Series(series.group, series.symbol, series.values.copy(), series.times)
    changed.values[299] *= 1.02  # the last candle that is known
    request = replace(ask(changed, 300), first=held.first)
    assert not np.allclose(baseline.forecast(request).close / fitted_then, 1.02, rtol=1e-6)


def test_a_series_is_fitted_once_where_parameters_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    series, fits = walk("A", 400, 12), []
    fit = Ets._fit
    monkeypatch.setattr(Ets, "_fit", lambda self, returns: fits.append(len(returns)) or fit(self, returns))
    held = Ets().held()
    for row in (200, 250, 300):
        held.forecast(replace(ask(series, row), first=[ask(series, 200).pasts[0].cutoff]))
    assert fits == [len(ask(series, 200).returns[0])]


def test_parameters_are_not_fitted_to_what_came_later() -> None:
    series = walk("A", 400, 13)
    request = replace(ask(series, 200), first=[ask(series, 201).pasts[0].cutoff])
    with pytest.raises(LookAhead, match="nothing after the cutoff"):
        Ets().held().forecast(request)


def test_every_baseline_has_a_name_for_people() -> None:
    names = [baseline.name for baseline in BASELINES]
    assert len(set(names)) == len(names)
    assert set(names) <= set(LABELS)
    assert str(label("kronos-{nano}")) == "kronos-{nano}"
    assert len({baseline.digest for baseline in BASELINES}) == len(BASELINES)


def test_a_baseline_of_ones_own_is_one_small_class() -> None:
    class Flat(Walk):
        name = "flat"

        def step(self, returns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return np.zeros(len(returns)), np.full(len(returns), 0.02)

    assert log_moves(Flat(), ask(walk("A"), 200))[:, 3].std() == pytest.approx(0.04, rel=0.01)


def test_the_past_of_a_request_is_only_an_as_of_view() -> None:
    assert all(type(past) is AsOf for past in ask(walk("A"), 200).pasts)
