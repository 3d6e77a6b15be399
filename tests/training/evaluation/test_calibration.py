"""Bands that are set right by earlier forecasts, and only by those."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.training.evaluation.conftest import HOUR, of_closes
from tests.training.evaluation.test_walk_forward import Gaussian
from training.evaluation.asof import AsOf, LookAhead
from training.evaluation.calibration import (
    ACTUAL,
    FEWEST,
    METHODS,
    Adaptive,
    Method,
    Split,
    Variance,
    before_and_after,
    known_forecasts,
    recalibrated,
)
from training.evaluation.cutoffs import Cutoff
from training.evaluation.forecasters import request_of
from training.evaluation.records import records
from training.evaluation.scores import LEVELS


def forecasts(volatility: float, *, count: int = 400, sigma: np.ndarray | float = 0.01, step: int = 4) -> pd.DataFrame:
    """Return records of walks of `volatility` where the market's is `sigma`, four candles ahead."""
    rng = np.random.default_rng(1)
    rows = 60 + step * count + 4
    series = of_closes(50 * np.exp((rng.normal(size=rows) * np.resize(sigma, rows)).cumsum()))
    places = [Cutoff(series, row, 40, 4) for row in range(60, 60 + step * count, step)]
    request = request_of(places, 0)
    return records("gaussian", Gaussian(volatility).forecast(request), request, places)


def coverage(table: pd.DataFrame) -> list[float]:
    return [float(table[f"covered_{level * 100:.0f}"].mean()) for level in LEVELS]


@pytest.mark.parametrize("volatility", [0.004, 0.03], ids=["too narrow", "too wide"])
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_wrong_bands_come_out_right(volatility: float, method: Method) -> None:
    table = forecasts(volatility)
    told = before_and_after(table, method).loc["gaussian"]
    columns = [f"covered_{level * 100:.0f}" for level in LEVELS]
    assert np.abs(told.loc["none", columns] - np.array(LEVELS)).max() > 0.15
    np.testing.assert_allclose(told.loc[method.name, columns].astype(float), LEVELS, atol=0.04)
    assert told.loc[method.name, "wis"] < told.loc["none", "wis"]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_right_bands_stay_nearly_what_they_were(method: Method) -> None:
    told = before_and_after(forecasts(0.01), method).loc["gaussian"]
    assert told.loc[method.name, "width_90"] == pytest.approx(told.loc["none", "width_90"], rel=0.06)
    assert told.loc[method.name, "wis"] == pytest.approx(told.loc["none", "wis"], rel=0.02)


def test_the_variance_factor_is_by_how_much_the_spread_was_wrong() -> None:
    table = forecasts(0.004)
    end = int(table["known_at"].max())
    assert Variance().factor(known_forecasts(table, end)) == pytest.approx(2.5, rel=0.1)
    assert Variance().factor(known_forecasts(table, int(table["time"].min()))) == 1.0  # nothing is known yet


def test_adaptive_bands_follow_a_market_that_has_changed() -> None:
    calm_then_wild = np.repeat([0.01, 0.03], 60 + 4 * 200)
    table = forecasts(0.01, sigma=calm_then_wild)
    wild = table["time"] > table["time"].iloc[4 * 250]
    split, adaptive = (coverage(recalibrated(table, method)[wild])[1] for method in (Split(), Adaptive(rate=0.1)))
    assert adaptive > split + 0.03
    assert adaptive == pytest.approx(0.8, abs=0.06)


def test_the_first_forecasts_stay_as_they_were() -> None:
    table = forecasts(0.004, count=FEWEST + 10)
    for method in METHODS:
        after = recalibrated(table, method)
        early = table["time"] <= table["time"].unique()[FEWEST - 1]
        pd.testing.assert_frame_equal(after[early], table[early])
        assert (after.loc[~early, "width_90"] != table.loc[~early, "width_90"]).all()


def test_split_conformal_by_hand() -> None:
    """Nineteen and one more misses of a band that is a point: the margin of 90 % is the 19th of 20."""
    past = np.zeros((FEWEST, 8, 1, 4))
    past[:, ACTUAL] = np.arange(1.0, FEWEST + 1)[:, None, None]
    past[:, 5] = 2.0  # the unit
    now = np.zeros((8, 1, 4))
    now[5] = 3.0
    low, high = Split().correct(AsOf(np.arange(FEWEST), past, FEWEST, "A"), now)
    # ceil(21 p)-th smallest: 11th, 17th, 19th, 20th; in units of 2, and of 3 now.
    np.testing.assert_allclose(high[0], np.array([11, 17, 19, 20]) / 2 * 3, rtol=1e-12)
    np.testing.assert_allclose(low, -high, rtol=1e-12)


def test_a_forecast_teaches_only_once_its_last_candle_has_come() -> None:
    """Futures overlap: at a cutoff the last three forecasts before it are still open."""
    table = forecasts(0.01, count=60, step=1)
    times = table["time"].unique()
    assert len(known_forecasts(table, int(times[40]))) == 40 - 3
    changed = table.copy()
    still_open = (table["time"] < times[40]) & (table["known_at"] > times[40])
    assert still_open.sum() == 3 * 4
    changed.loc[still_open, "actual"] = 9.0
    for method in METHODS:
        one, other = (recalibrated(t, method) for t in (table, changed))
        upto = table["time"] <= times[40]
        pd.testing.assert_series_equal(one["high_90"][upto], other["high_90"][upto])
        assert (one["high_90"][~upto] != other["high_90"][~upto]).any()


class Cheat(Split):
    """Looks at the forecasts that are still open."""

    def correct(self, past: AsOf, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        past.rows(0, len(past) + 1)
        return super().correct(past, now)


def test_a_leak_planted_in_calibration_is_caught() -> None:
    with pytest.raises(LookAhead, match=r"A: .* nothing after the cutoff"):
        recalibrated(forecasts(0.01, count=30), Cheat())


def test_the_outcome_of_the_forecast_itself_is_hidden_from_the_method() -> None:
    class Peeks(Split):
        def correct(self, past: AsOf, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            assert np.isnan(now[ACTUAL]).all()
            return super().correct(past, now)

    recalibrated(forecasts(0.01, count=30), Peeks())


def test_symbols_learn_from_themselves_alone() -> None:
    narrow, right = forecasts(0.004), forecasts(0.01).assign(symbol="B")
    both = pd.concat([narrow, right]).sort_values(["time", "symbol"]).reset_index(drop=True)
    together = recalibrated(both, Split())
    alone = recalibrated(right, Split())
    np.testing.assert_array_equal(together.loc[together["symbol"] == "B", "low_80"], alone["low_80"])


def test_with_too_few_forecasts_there_is_nothing_to_compare() -> None:
    assert before_and_after(forecasts(0.01, count=FEWEST - 1), Split()).empty


def test_what_is_known_of_a_series_goes_by_the_time_its_future_ended() -> None:
    table = forecasts(0.01, count=30)
    first = int(table["known_at"].min())
    assert len(known_forecasts(table, first)) == 1
    assert len(known_forecasts(table, first - HOUR)) == 0
