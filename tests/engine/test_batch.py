"""What is forecast together comes out as it would alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from engine.batch import Task
from engine.errors import InputError
from engine.predictor import KronosPredictor
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos


def part(candles: pd.DataFrame, lookback: int, horizon: int, start: int = 0) -> tuple[pd.DataFrame, object, object]:
    times = candles["timestamps"]
    end = start + lookback
    return candles.drop(columns="timestamps")[start:end], times[start:end], times[end : end + horizon]


def tasks(predictor: KronosPredictor, candles: pd.DataFrame, *sizes: tuple[int, int], **settings: object) -> list[Task]:
    return [
        predictor.task(*part(candles, *size, start=i), seed=i, **({"samples": 3} | settings))
        for i, size in enumerate(sizes)
    ]


def run(predictor: KronosPredictor, chosen: list[Task]) -> list[np.ndarray]:
    batch = predictor.begin(chosen)
    while batch.active:
        batch.advance()
    return [batch.result(i).paths for i in range(len(chosen))]


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("sizes", [[(64, 8)] * 3, [(64, 8), (52, 8), (60, 8)], [(64, 3), (52, 8), (64, 5), (60, 1)]])
def test_series_of_any_lengths_and_horizons_are_each_as_alone(
    sizes: list[tuple[int, int]], samples: int, predictor: KronosPredictor, candles: pd.DataFrame
) -> None:
    chosen = tasks(predictor, candles, *sizes, samples=samples)
    assert predictor.group(chosen) == [sorted(range(len(sizes)), key=lambda i: sizes[i][0])]
    for together, task in zip(run(predictor, chosen), chosen, strict=True):
        np.testing.assert_allclose(together, run(predictor, [task])[0], rtol=1e-5)


@pytest.mark.parametrize("window", ["exact", "strided"])
def test_windows_slide_together_where_all_are_alike(
    window: str, model: Kronos, tokenizer: KronosTokenizer, candles: pd.DataFrame
) -> None:
    predictor = KronosPredictor(model, tokenizer, "cpu", max_context=40)
    chosen = tasks(predictor, candles, (50, 6), (50, 6), (20, 6), (50, 7), window=window, stride=3)
    assert predictor.group(chosen) == [[0, 1], [2], [3]]
    pair = chosen[:2]
    for together, task in zip(run(predictor, pair), pair, strict=True):
        np.testing.assert_allclose(together, run(predictor, [task])[0], rtol=1e-5)


def test_a_dropped_task_leaves_before_the_next_step(predictor: KronosPredictor, candles: pd.DataFrame) -> None:
    chosen = tasks(predictor, candles, (64, 8), (60, 8), (64, 4))
    batch = predictor.begin(chosen)
    batch.advance()
    batch.drop(1)
    while batch.active:
        batch.advance()
    assert [batch.steps(i) for i in range(3)] == [8, 1, 4]
    assert [batch.finished(i) for i in range(3)] == [True, False, True]
    for i in (0, 2):
        np.testing.assert_allclose(batch.result(i).paths, run(predictor, [chosen[i]])[0], rtol=1e-5)


def test_a_batch_all_of_whose_tasks_are_dropped_has_nothing_to_do(
    predictor: KronosPredictor, candles: pd.DataFrame
) -> None:
    batch = predictor.begin(tasks(predictor, candles, (64, 8)))
    batch.drop(0)
    batch.advance()
    assert batch.active == ()
    assert batch.steps(0) == 0


def test_groups_keep_to_the_budget_to_like_settings_and_to_little_padding(
    predictor: KronosPredictor, candles: pd.DataFrame
) -> None:
    alike = tasks(predictor, candles, *[(64, 8)] * 5)
    predictor.memory_budget = int(2.5 * predictor.memory(alike[0]))
    assert predictor.group(alike) == [[0, 1], [2, 3], [4]]
    predictor.memory_budget = 1
    assert predictor.group(alike[:2]) == [[0], [1]]
    predictor.memory_budget = 2**30
    mixed = [
        *tasks(predictor, candles, (30, 4), (64, 4)),
        *tasks(predictor, candles, (64, 4), samples=2),
        *tasks(predictor, candles, (64, 4), temperature=0.5),
    ]
    assert predictor.group(mixed) == [[0], [1], [2], [3]]
    assert predictor.group([]) == []


def test_memory_grows_with_what_is_asked_and_too_much_is_refused(
    predictor: KronosPredictor, candles: pd.DataFrame, monkeypatch
) -> None:
    small, large = tasks(predictor, candles, (64, 4), (64, 8), samples=2000)
    assert predictor.memory(small) < predictor.memory(large)
    monkeypatch.setattr("engine.base.TASK_MEMORY", predictor.memory(small))
    with pytest.raises(InputError, match=r"2000 paths of 8 candles need .* GiB with custom"):
        tasks(predictor, candles, (64, 8), samples=2000)


def test_weights_changed_by_training_are_packed_anew(predictor: KronosPredictor, candles: pd.DataFrame) -> None:
    (task,) = tasks(predictor, candles, (64, 4), temperature=0)
    before = run(predictor, [task])[0]
    with torch.no_grad():
        predictor.model.head.proj_s1.bias[5] += 100.0
    after = run(predictor, [task])[0]
    assert not np.allclose(before, after)
    fresh = KronosPredictor(predictor.model, predictor.tokenizer, "cpu", max_context=128)
    np.testing.assert_array_equal(after, run(fresh, [task])[0])


@pytest.mark.parametrize("weights", ["float16", "int8"])
def test_smaller_weights_forecast_on_their_own(
    weights: str, model: Kronos, tokenizer: KronosTokenizer, candles: pd.DataFrame
) -> None:
    full = KronosPredictor(model, tokenizer, "cpu", max_context=128)
    digest = full.digest
    (task,) = tasks(full, candles, (64, 4))
    expected = run(full, [task])[0]
    small = KronosPredictor(model, tokenizer, "cpu", max_context=128, weights=weights)  # type: ignore[arg-type]
    assert all(parameter.is_meta for parameter in small.model.parameters())
    forecast = small.forecast(*part(candles, 64, 4), samples=3, seed=0)
    assert forecast.digest == digest
    assert forecast.settings["weights"] == weights
    np.testing.assert_allclose(forecast.paths[..., :4], expected[..., :4], rtol=0.2)


def test_unknown_weights_are_refused(model: Kronos, tokenizer: KronosTokenizer) -> None:
    with pytest.raises(InputError, match="weights='int4' must be one of float32, float16, int8"):
        KronosPredictor(model, tokenizer, "cpu", weights="int4")  # type: ignore[arg-type]


def test_a_stride_that_leaves_nothing_is_refused(predictor: KronosPredictor, candles: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="stride=128 must be a whole number from 1 to 127"):
        tasks(predictor, candles, (64, 4), window="strided", stride=128)
