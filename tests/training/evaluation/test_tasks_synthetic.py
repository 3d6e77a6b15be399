"""Synthetic candles: made alike, told apart or not, learned from or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import candles
from tests.training.evaluation.conftest import tiny_model
from training.errors import Message
from training.evaluation.cutoffs import Cutoff, Series, rolling
from training.evaluation.kronos import KronosForecaster
from training.evaluation.tasks.outcome import MarketRun
from training.evaluation.tasks.posthoc import CLASSIFIER, Learning, error_of_classifier, forecasts, paths
from training.evaluation.tasks.presets import TASKS
from training.evaluation.tasks.synthetic import BLOCK, blocks, features, generate, halves, judged, sequences

QUICK = Learning(layers=1, hidden=8, rate=0.02, epochs=6, batch=32)


@pytest.fixture
def series() -> list[Series]:
    frames = {name: candles(name, 700, seed, freq="D") for seed, name in enumerate("ABC")}
    return [Series.of(frame, name, "stocks/1d") for name, frame in frames.items()]


def noise(count: int, length: int, seed: int, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, (count, length, 4)).astype(np.float32)


def test_sequences_are_alike_whatever_the_price_and_the_volatility() -> None:
    frame = candles("A", 30, 1)[["open", "high", "low", "close", "volume", "amount"]].to_numpy()[None]
    found = features(frame[:, 1:], frame[:, 0, 3], np.array([0.02]))
    assert found.shape == (1, 29, 4)
    np.testing.assert_allclose(found[0, :, 3].cumsum()[-1] * 0.02, np.log(frame[0, -1, 3] / frame[0, 0, 3]), rtol=1e-5)
    np.testing.assert_allclose(features(7 * frame[:, 1:], 7 * frame[:, 0, 3], np.array([0.02])), found, rtol=1e-5)
    assert (found[..., 1] >= found[..., [0, 2, 3]].max(axis=-1)).all()  # the high is the highest


def test_resampled_candles_are_stretches_of_their_own_past() -> None:
    past = np.arange(2 * 20 * 4, dtype=np.float32).reshape(2, 20, 4)
    found = blocks(past, 2 * BLOCK + 3, seeds=[1, 2])
    assert found.shape == (2, 2 * BLOCK + 3, 4)
    steps = np.diff(found[..., 0], axis=1)
    inside = np.delete(steps, [BLOCK - 1, 2 * BLOCK - 1], axis=1)
    assert (inside == 4).all()
    assert set(found[0, :, 0]) <= set(past[0, :, 0])
    np.testing.assert_array_equal(found, blocks(past, 2 * BLOCK + 3, seeds=[1, 2]))


def test_what_is_learned_from_is_over_before_what_is_judged_begins(series: list[Series]) -> None:
    places = rolling(series, lookback=40, horizon=35, step_size=11)
    earlier, later = halves(places)
    ends = max(place.known_at for place, chosen in zip(places, earlier, strict=True) if chosen)
    begins = min(place.time for place, chosen in zip(places, later, strict=True) if chosen)
    assert ends <= begins
    assert not (earlier & later).any()
    assert (~(earlier | later)).any()  # those in between


def test_nothing_of_the_future_is_in_a_drawn_or_a_resampled_sequence(series: list[Series]) -> None:
    model = KronosForecaster("tiny", tiny_model(), 1)
    places = rolling(series[:1], lookback=24, horizon=10, n_windows=3)
    found = sequences(model, places, seed=0)
    spoiled = [
        Cutoff(Series(p.group, p.symbol, p.series.values.copy(), p.series.times), p.row, p.lookback, p.horizon)
        for p in places
    ]
    for place in spoiled:
        place.series.values[place.row :, :4] *= 1.5
    again = sequences(model, spoiled, seed=0)
    np.testing.assert_array_equal(found.drawn, again.drawn)
    np.testing.assert_array_equal(found.resampled, again.resampled)
    assert (found.real != again.real).any()


def test_a_classifier_cannot_tell_equal_laws_apart_and_tells_different_ones() -> None:
    train, test = (noise(150, 12, 1), noise(150, 12, 2)), (noise(150, 12, 3), noise(150, 12, 4))
    alike = error_of_classifier(train, test, learning=QUICK)
    assert alike.low is not None
    assert alike.high is not None
    assert alike.low < 0.5 < alike.high
    other = error_of_classifier((train[0], 3 * train[1]), (test[0], 3 * test[1]), learning=QUICK)
    assert other.value < 0.1
    assert error_of_classifier(train, test, learning=QUICK) == alike
    assert (CLASSIFIER.layers, CLASSIFIER.hidden, CLASSIFIER.epochs, CLASSIFIER.batch) == (1, 32, 20, 64)


def test_a_forecaster_learns_what_its_sequences_have_and_nothing_from_noise() -> None:
    def trending(seed: int) -> np.ndarray:
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], (200, 1, 1))
        return np.asarray(noise(200, 15, seed, 0.5) + signs, dtype=np.float32)

    test = trending(1)
    actual = paths(test, 10)
    errors = {
        name: np.abs(forecasts(train, test, 10, learning=QUICK) - actual).mean()
        for name, train in (("trend", trending(2)), ("noise", noise(200, 15, 3)))
    }
    assert errors["trend"] < 0.5 * errors["noise"]


def test_a_market_is_judged_beside_resampled_and_real_candles(series: list[Series], tmp_path: Path) -> None:
    task = TASKS["synthetic"]
    result = generate(MarketRun(task, tiny_model(), series, task.window(86_400, 64), tmp_path, count=45))
    assert isinstance(result, tuple)
    found, places = result
    assert list(found.rows) == ["custom", "block_bootstrap", "real"]
    assert all(set(task.figures) <= set(found.rows[name]) for name in ("custom", "block_bootstrap"))
    assert 0 <= found.rows["custom"]["discriminative"].value <= 1
    assert found.rows["real"]["tstr_mae"].value > 0
    assert len(places) == 45


def test_the_model_is_measured_by_its_own_candles(series: list[Series]) -> None:
    found = sequences(KronosForecaster("tiny", tiny_model(), 1), rolling(series, lookback=24, horizon=12), seed=0)
    half = np.arange(len(found.real)) < len(found.real) // 2
    times = np.arange((~half).sum())
    exact = type(found)(found.real, found.real, found.real * 5)
    rows = judged(exact.part(half), exact.part(~half), times, "exact", seen=8)
    assert rows["exact"]["tstr_mae"] == rows["real"]["tstr_mae"]
    assert rows["exact"]["discriminative"].value == 0.5  # the same candles are on both sides
    assert rows["block_bootstrap"]["discriminative"].value < rows["exact"]["discriminative"].value


def test_too_few_sequences_are_told(series: list[Series], tmp_path: Path) -> None:
    found = generate(MarketRun(TASKS["synthetic"], tiny_model(), series[:1], (24, 35), tmp_path, count=10))
    assert isinstance(found, Message)
    assert str(found).startswith("stocks/1d: ")
