"""Figures of the judge: against numbers worked out otherwise, and on candles whose law is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from tests.training.evaluation.conftest import of_closes
from training.evaluation.baselines import Ewma, Window
from training.evaluation.cutoffs import Cutoff, Series, rolling
from training.evaluation.forecasters import Members, Request, request_of
from training.evaluation.inference import Estimate
from training.evaluation.judge.figures import TARGETS, Line, line, pull, volatility_ratio
from training.evaluation.records import records
from training.evaluation.summary import by_cutoff, foreseen
from training.evaluation.walk_forward import walk_forward

LOOKBACK, HORIZON, SAMPLES = 100, 6, 100
CALM, WILD = 0.004, 0.016  # volatility of a candle: one horizon calm, the next one wild, by the clock
BASELINES = (Ewma(), Window(20), Window(100))


@dataclass(frozen=True)
class Knows:
    """Draws paths of the law that the candles follow, or of one that is wrong in one way.

    Attributes
    ----------
    width
        By which every move is multiplied.
    slope
        By which the end moves, in units of the history, with where the last close stands.
    gap
        By which the first open lies off the last close, as a share of it.
    """

    name: str = "knows"
    width: float = 1.0
    slope: float = 0.0
    gap: float = 0.0

    @property
    def digest(self) -> str:
        return self.name

    def forecast(self, request: Request) -> Members:
        closes, horizon = request.closes, request.horizon
        shocks = np.stack([np.random.default_rng(seed).normal(size=(SAMPLES, horizon)) for seed in request.seeds])
        sigma = self.width * volatility(np.array([len(past) for past in request.pasts]))
        z = (closes[:, -1] - closes.mean(axis=1)) / closes.std(axis=1)
        drift = self.slope * z * request.returns.std(axis=1) / np.sqrt(horizon)
        moves = (sigma[:, None, None] * shocks + drift[:, None, None]).cumsum(axis=2)
        last = closes[:, -1, None]
        first_open = np.repeat(last * (1 + self.gap), SAMPLES, axis=1)
        return Members(last[..., None] * np.exp(moves), drawn=True, first_open=first_open)


def volatility(row: np.ndarray) -> np.ndarray:
    """Return the volatility of candles by their number."""
    return np.where((row - LOOKBACK) // HORIZON % 2 == 0, CALM, WILD)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Line]:
    """The line of one who knows the law, and of others."""
    rows = LOOKBACK + 300 * HORIZON
    returns = np.random.default_rng(2).normal(size=(2, rows)) * volatility(np.arange(rows))
    series = [ranged(close, f"S{i}") for i, close in enumerate(50 * np.exp(returns.cumsum(axis=1)))]
    places = rolling(series, lookback=LOOKBACK, horizon=HORIZON)
    models = [Knows(), Knows("narrow", width=0.5), Knows("pulled", slope=-0.3), Knows("jumps", gap=0.5)]
    found = walk_forward([*models, *BASELINES], places, tmp_path_factory.mktemp("scores"))
    table = pd.concat([by_cutoff(part) for part in found.parts()]).join(foreseen(pd.concat(found.parts("ewma"))))
    return {model.name: line(table, model.name, [one.name for one in BASELINES]) for model in models}


def ranged(close: np.ndarray, symbol: str) -> Series:
    """Return candles that open at the close before and reach a little beyond both."""
    series = of_closes(close, symbol)
    values = series.values.copy()
    values[1:, 0] = close[:-1]
    values[:, 1], values[:, 2] = values[:, [0, 3]].max(axis=1) * 1.001, values[:, [0, 3]].min(axis=1) * 0.999
    return Series(series.group, series.symbol, values, series.times)


def marks(found: Line) -> dict[str, str]:
    return {name: target.mark(found.figures[name]) for name, target in TARGETS.items()}


def test_one_who_knows_the_law_reaches_every_figure(lines: dict[str, Line]) -> None:
    found = lines["knows"]
    assert set(marks(found).values()) == {"reached"}, found.figures
    assert (found.cutoffs, found.times) == (600, 300)
    assert found.crps[found.best_baseline] == min(found.crps[one.name] for one in BASELINES)
    assert found.figures["crps_ratio"].value == pytest.approx(found.crps["knows"] / found.crps[found.best_baseline])


def test_who_knew_the_volatility_to_come_is_ahead_of_who_knows_the_law(lines: dict[str, Line]) -> None:
    known = lines["knows"].volatility_foreseen
    assert known == lines["narrow"].volatility_foreseen
    assert known.value < lines["knows"].figures["crps_ratio"].value - 0.01


def test_bands_half_as_wide_miss_coverage_and_pit(lines: dict[str, Line]) -> None:
    found = marks(lines["narrow"])
    assert {name for name, mark in found.items() if mark == "missed"} >= {"coverage_90", "coverage_80", "ks"}
    assert lines["narrow"].figures["coverage_90"].value < 0.65
    assert (found["pull"], found["first_gap"]) == ("reached", "reached")


def test_a_planted_pull_to_the_mean_is_found_as_it_was_planted(lines: dict[str, Line]) -> None:
    honest, pulled = lines["knows"], lines["pulled"]
    assert marks(pulled)["pull"] == "missed"
    assert pulled.pull_actual.value == pytest.approx(honest.pull_actual.value)
    assert pulled.pull_forecast.value - honest.pull_forecast.value == pytest.approx(-0.3, abs=0.01)
    assert pulled.crps_ratio_centred.value < pulled.figures["crps_ratio"].value
    assert pulled.crps_ratio_centred.value == pytest.approx(
        honest.crps_ratio_centred.value, abs=0.002
    )  # the pull is all that is wrong
    assert pulled.figures["pull"].value == pytest.approx(pulled.pull_forecast.value - pulled.pull_actual.value)


def test_a_jump_at_the_first_candle_is_found(lines: dict[str, Line]) -> None:
    found = marks(lines["jumps"])
    assert {name for name, mark in found.items() if mark != "reached"} == {"first_gap"}


def test_the_pull_is_the_difference_of_two_least_squares_slopes() -> None:
    rng = np.random.default_rng(0)
    z, forecast, actual = rng.normal(size=(3, 60))
    actual[5] = np.nan  # a candle that did not come
    known = np.isfinite(actual)
    wanted = [np.polyfit(z[known], y[known], 1)[0] for y in (forecast, actual)]
    one, other, apart = pull(z, forecast, actual, np.arange(60))
    assert (one.value, other.value) == pytest.approx(tuple(wanted))
    assert apart.value == pytest.approx(wanted[0] - wanted[1])
    assert apart.low is not None
    assert apart.high is not None
    assert apart.low < apart.value < apart.high


def test_volatility_is_compared_where_something_moved() -> None:
    index = pd.MultiIndex.from_arrays([range(3)], names=["time"])
    mine = pd.DataFrame({"volatility": [2.0, 1.0, 1.0], "realised": [1.0, 4.0, 0.0]}, index=index)
    ewma = pd.DataFrame({"volatility": [4.0, 1.0, 1.0], "realised": [1.0, 4.0, 0.0]}, index=index)
    assert volatility_ratio(mine, ewma).value == pytest.approx((1 + 2) / (2 + 2))  # in powers of two


def test_standing_and_first_gap_are_those_worked_out_by_hand() -> None:
    close = np.array([10.0, 12.0, 11.0, 13.0, 13.5])
    place = Cutoff(ranged(close, "A"), 4, 4, 1)
    values = place.past.last(4)
    opens = np.array([[13.0, 13.2, 14.0]])
    members = Members(np.full((1, 3, 1), 13.1), drawn=True, first_open=opens)
    row = by_cutoff(records("m", members, request_of([place], 0), [place])).iloc[0]
    assert row["standing"] == pytest.approx((13 - 11.5) / np.std(close[:4]))
    unit = np.median(values[:, 1] - values[:, 2])  # opens lie on the closes before
    assert row["first_gap"] == pytest.approx(0.2 / unit)
    walk = by_cutoff(records("ewma", Ewma().forecast(request_of([place], 0)), request_of([place], 0), [place]))
    assert walk["first_gap"].isna().all()  # it draws no candles


@pytest.mark.parametrize(
    ("name", "found", "part", "mark"),
    [
        ("crps_ratio", Estimate(0.98, 0.9, 1.1), False, "reached"),
        ("crps_ratio", Estimate(1.01, 0.97, 1.1), False, "close"),
        ("crps_ratio", Estimate(1.01, 0.99, 1.1), False, "missed"),
        ("crps_ratio", Estimate(1.01, 0.99, 1.1), True, "reached"),
        ("coverage_90", Estimate(0.93, 0.91, 0.95), False, "close"),
        ("coverage_90", Estimate(0.86, 0.85, 0.87), False, "missed"),
        ("pull", Estimate(-0.05), False, "reached"),
        ("pull", Estimate(-0.06), False, "missed"),
        ("impossible", Estimate(0.001, 0.0, 0.002), False, "close"),
        ("impossible", Estimate(0.0), False, "reached"),
        ("first_gap", Estimate(float("nan")), False, "unknown"),
    ],
)
def test_a_figure_is_reached_or_missed_or_so_close_that_chance_may_be_why(
    name: str, found: Estimate, part: bool, mark: str
) -> None:
    assert TARGETS[name].mark(found, part=part) == mark


def test_few_pit_values_stray_from_evenness_by_chance() -> None:
    assert TARGETS["ks"].mark(Estimate(0.08), chance=0.13) == "close"
    assert TARGETS["ks"].mark(Estimate(0.14), chance=0.13) == "missed"
