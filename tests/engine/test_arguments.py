"""Every setting of the predictor is checked by its kind, and a refusal names the setting and its value."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.errors import InputError, KronosError
from engine.forecast import Forecast
from engine.predictor import KronosPredictor
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from tests.engine.conftest import GOLDEN

NO_COUNTS = (2.0, np.float64(2), "2", None, True, np.True_, 0, -1, math.nan, [2], 10**9)
NO_NUMBERS = ("1", True, None, math.nan, math.inf, -1.0, [1.0], 1j)
HISTORY, HORIZON = 40, 3


@pytest.fixture
def series(candles: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    times = candles["timestamps"]
    return candles.iloc[:HISTORY], times[:HISTORY], times[HISTORY : HISTORY + HORIZON]


@pytest.fixture
def forecast(predictor: KronosPredictor, series: tuple[Any, ...]) -> Callable[..., Forecast]:
    return lambda **settings: predictor.forecast(*series, **{"samples": 2, "seed": 1} | settings)


@pytest.fixture
def predict(predictor: KronosPredictor, series: tuple[Any, ...]) -> Callable[..., pd.DataFrame]:
    return lambda pred_len=HORIZON, **settings: predictor.predict(*series, pred_len, verbose=False, **settings)


def refused(call: Callable[..., object], name: str, value: object) -> None:
    with pytest.raises(InputError) as refusal:
        call(**{name: value})
    assert str(refusal.value).startswith(f"{name}=")


@pytest.mark.parametrize("value", NO_COUNTS, ids=repr)
def test_a_number_of_paths_is_a_whole_number(value: object, forecast: Callable, predict: Callable) -> None:
    refused(forecast, "samples", value)
    refused(predict, "sample_count", value)


@pytest.mark.parametrize("value", [2.0, "3", None, True, -1, math.nan], ids=repr)
def test_the_length_of_a_prediction_is_a_whole_number(value: object, predict: Callable) -> None:
    refused(predict, "pred_len", value)


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_a_temperature_is_a_finite_number(value: object, forecast: Callable, predict: Callable) -> None:
    refused(forecast, "temperature", value)
    refused(predict, "T", value)


@pytest.mark.parametrize("name", ["top_k", "top_p"])
@pytest.mark.parametrize("value", ["1", True, math.nan, -1, 1.5, [1]], ids=repr)
def test_the_tokens_that_are_drawn_from_are_limited_by_numbers(
    name: str, value: object, forecast: Callable, predict: Callable
) -> None:
    refused(forecast, name, value)
    refused(predict, name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("seed", value) for value in ("1", 1.0, True, -1, 2**64)),
        *(("window", value) for value in (None, 1, ["fit"], np.array(["fit"]))),
        *(("stride", value) for value in ("64", 64.0, None, True, 0)),
        ("on_step", 5),
    ],
    ids=repr,
)
def test_other_settings_of_a_forecast_are_checked_too(name: str, value: object, forecast: Callable) -> None:
    refused(forecast, name, value)


def test_an_unknown_setting_is_refused(forecast: Callable) -> None:
    with pytest.raises(TypeError, match="sample_count"):
        forecast(sample_count=3)


def test_numbers_of_numpy_are_numbers(forecast: Callable, predict: Callable) -> None:
    whole = forecast(samples=np.int64(2), top_k=np.int32(3), seed=np.uint8(1), temperature=np.float32(1))
    assert np.array_equal(whole.paths, forecast(samples=2, top_k=3, seed=1, temperature=1).paths)
    assert len(predict(np.int16(HORIZON), sample_count=np.int64(1), top_p=np.float64(0.9))) == HORIZON


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize(
    "value", ["frames", {"a": 1}, None, 5, np.zeros(1), pd.Series([1]), pd.DataFrame([1])], ids=type
)
def test_several_series_come_in_lists(
    place: int, value: object, predictor: KronosPredictor, series: tuple[Any, ...]
) -> None:
    lists: list[Any] = [[part] for part in series]
    lists[place] = value
    name = ("df_list", "x_timestamp_list", "y_timestamp_list")[place]
    for call in (predictor.forecast_batch, lambda *parts: predictor.predict_batch(*parts, HORIZON)):
        with pytest.raises(InputError, match=f"^{name} is of type {type(value).__name__}: pass a list"):
            call(*lists)


@pytest.mark.parametrize("levels", ["0.5", 0.5, None, ["0.5"], [None], [True], {0.5: 1}], ids=repr)
def test_levels_are_a_list_of_shares(levels: Any, forecast: Callable) -> None:
    with pytest.raises(InputError, match="must be a list of at least one number"):
        forecast().quantiles(levels)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("max_context", value) for value in ("64", 64.0, None, True, 1, math.nan)),
        *(("clip", value) for value in ("5", None, 0, -1, math.nan, True)),
        *(("weights", value) for value in (None, 16, ["float32"])),
        *(("compiled", value) for value in ("no", 1, None)),
        *(("name", value) for value in ("", 5, None)),
    ],
    ids=repr,
)
def test_settings_of_a_predictor_are_checked(
    name: str, value: object, model: Kronos, tokenizer: KronosTokenizer
) -> None:
    refused(lambda **settings: KronosPredictor(model, tokenizer, **settings), name, value)


DEVICES = ("cuda", "cuda:7", "mps", "gpu", "", 0, 1, -1, True, 1.5, "meta", "cpu:x", b"cpu", [])


@pytest.mark.parametrize("device", DEVICES, ids=repr)
def test_a_device_that_is_not_there_is_named_with_those_that_are(
    device: Any, model: Kronos, tokenizer: KronosTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    for call in (
        lambda: KronosPredictor(model, tokenizer, device=device),
        lambda: KronosPredictor.from_pretrained("acme/never-downloaded", tokenizer="acme/neither", device=device),
    ):
        with pytest.raises(KronosError) as refusal:
            call()
        assert f"device={device!r} cannot be used on this machine. Pass one of cpu," in str(refusal.value)


def test_networks_in_each_others_place_are_named(model: Kronos, tokenizer: KronosTokenizer) -> None:
    with pytest.raises(InputError, match=r"model is a KronosTokenizer, not a Kronos: load it with"):
        KronosPredictor(tokenizer, model)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"model is a str, not a Kronos: .* both with KronosPredictor.from_pretrained"):
        KronosPredictor("kronos-small", "kronos-small")  # type: ignore[arg-type]


@pytest.mark.parametrize("source", ["", 5, b"folder", ["kronos-nano"]], ids=repr)
def test_a_source_that_is_none_is_named(source: Any) -> None:
    tokenizer = GOLDEN / "tokenizer"
    for call in (
        lambda: KronosPredictor.from_pretrained(source),
        lambda: KronosPredictor.from_pretrained(source, tokenizer=tokenizer),
        lambda: KronosPredictor.from_pretrained("kronos-nano", tokenizer=source),
    ):
        with pytest.raises(KronosError):
            call()


@pytest.mark.parametrize("revision", ["", 5, True], ids=repr)
def test_a_revision_is_a_text(revision: Any) -> None:
    with pytest.raises(InputError, match="revision="):
        KronosPredictor.from_pretrained("kronos-nano", revision=revision)
