"""Forecasts: every path possible, reproducible, and free of the faults of the published predictor."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from engine.candles import AMOUNT, CLOSE, FEATURES, HIGH, LOW, OPEN, PRICES, VOLUME
from engine.config import ModelConfig, TokenizerConfig
from engine.device import best_device
from engine.errors import CheckpointError, InputError
from engine.forecast import Forecast
from engine.loading.checkpoint import digest
from engine.predictor import KronosPredictor
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from tests.engine.conftest import GOLDEN


def split(candles: pd.DataFrame, lookback: int = 64, horizon: int = 8, start: int = 0) -> tuple[Any, Any, Any]:
    history = candles[start : start + lookback]
    future = candles[start + lookback : start + lookback + horizon]
    return history[list(FEATURES)], history["timestamps"], future["timestamps"]


def assert_possible(forecast: Forecast) -> None:
    paths = forecast.paths
    assert (paths[..., HIGH, None] >= paths[..., [OPEN, CLOSE, LOW]]).all()
    assert (paths[..., LOW, None] <= paths[..., [OPEN, CLOSE]]).all()
    assert (paths[..., LOW] > 0).all()
    assert (paths[..., VOLUME:] >= 0).all()


def dropout_networks() -> tuple[Kronos, KronosTokenizer]:
    torch.manual_seed(5)
    shape: dict[str, Any] = {"d_model": 16, "n_heads": 2, "ff_dim": 32, "s1_bits": 5, "s2_bits": 7}
    dropout = {"ffn_dropout_p": 0.3, "attn_dropout_p": 0.3, "resid_dropout_p": 0.3}
    model = Kronos.from_config(ModelConfig(n_layers=2, token_dropout_p=0.3, **shape, **dropout))
    return model, KronosTokenizer.from_config(TokenizerConfig(n_enc_layers=3, n_dec_layers=3, **shape, **dropout))


def test_a_forecast_keeps_every_path_and_what_made_it(predictor: KronosPredictor, candles: pd.DataFrame) -> None:
    df, x, y = split(candles)
    forecast = predictor.forecast(df, x, y, samples=5, temperature=0.9, top_k=7, top_p=0.8, seed=3)
    assert forecast.paths.shape == forecast.raw_paths.shape == (5, 8, 6)
    assert forecast.paths.dtype == np.float64
    assert list(forecast.timestamps) == list(y)
    assert len(np.unique(forecast.paths[:, -1, CLOSE])) > 1
    assert forecast.model == "custom"
    assert forecast.digest == predictor.digest == digest(predictor.model, predictor.tokenizer)
    assert (forecast.history_rows, forecast.seed) == (64, 3)
    assert forecast.last_close == df["close"].iloc[-1]
    assert forecast.settings == {
        "samples": 5,
        "temperature": 0.9,
        "top_k": 7,
        "top_p": 0.8,
        "window": "fit",
        "max_context": 128,
        "clip": 5.0,
        "weights": "float32",
    }


def test_every_path_is_possible_and_repairs_are_counted(predictor: KronosPredictor, candles: pd.DataFrame) -> None:
    forecast = predictor.forecast(*split(candles), samples=20, temperature=2.0, seed=1)
    assert_possible(forecast)
    differing = (forecast.paths != forecast.raw_paths).any(axis=-1)
    assert forecast.repairs == differing.sum() > 0  # random weights decode impossible candles


def test_predict_is_the_mean_of_the_unrepaired_paths(predictor: KronosPredictor, candles: pd.DataFrame) -> None:
    df, x, y = split(candles)
    torch.manual_seed(21)
    mean = predictor.predict(df, x, y, 8, T=1.0, top_p=1.0, sample_count=6, verbose=False)
    raw = predictor.forecast(df, x, y, samples=6, seed=21).raw_paths
    np.testing.assert_allclose(mean, raw.mean(axis=0), rtol=1e-6)


def test_a_model_in_train_mode_forecasts_without_dropout(candles: pd.DataFrame) -> None:
    model, tokenizer = dropout_networks()
    df, x, y = split(candles)
    quiet = KronosPredictor(model.eval(), tokenizer.eval(), "cpu").forecast(df, x, y, samples=3, seed=1)
    for _ in range(2):
        predictor = KronosPredictor(model.train(), tokenizer.train(), "cpu")
        np.testing.assert_array_equal(predictor.forecast(df, x, y, samples=3, seed=1).paths, quiet.paths)
    predictor.model.train()  # as a training loop does between two forecasts
    predictor.tokenizer.train()
    np.testing.assert_array_equal(predictor.forecast(df, x, y, samples=3, seed=1).paths, quiet.paths)


def test_coarse_and_fine_tokens_may_have_different_numbers_of_bits(candles: pd.DataFrame) -> None:
    model, tokenizer = dropout_networks()
    forecast = KronosPredictor(model, tokenizer, "cpu", max_context=68).forecast(
        *split(candles), samples=3, seed=1, window="exact"
    )
    assert np.isfinite(forecast.paths).all()


def test_a_tokenizer_may_ask_for_one_deviation_of_all_prices(
    model: Kronos, tokenizer: KronosTokenizer, candles: pd.DataFrame
) -> None:
    df, x, y = split(candles)
    shared = KronosTokenizer.from_config(replace(tokenizer.config, shared_deviation=True))
    shared.load_state_dict(tokenizer.state_dict())
    mean, deviation = df[list(PRICES)].mean(), df[list(PRICES)].std(ddof=0)
    alike = df.copy()  # where all prices deviate alike, one deviation is the deviation of each
    alike[list(PRICES)] = mean + (df[list(PRICES)] - mean) * deviation["close"] / deviation
    one, own, other = (
        KronosPredictor(model, tokens, "cpu").forecast(frame, x, y, samples=4, seed=1).raw_paths
        for tokens, frame in ((shared, alike), (tokenizer, alike), (shared, df))
    )
    np.testing.assert_allclose(one, own, rtol=1e-6)
    assert not np.allclose(
        other, KronosPredictor(model, tokenizer, "cpu").forecast(df, x, y, samples=4, seed=1).raw_paths
    )


def test_networks_with_other_bits_do_not_fit_together(model: Kronos, tokenizer: KronosTokenizer) -> None:
    other, _ = dropout_networks()
    with pytest.raises(CheckpointError, match=r"model has s1_bits=5 and the tokenizer s1_bits=6"):
        KronosPredictor(other, tokenizer)
    swapped = KronosTokenizer.from_config(TokenizerConfig(d_model=16, n_heads=2, s1_bits=6, s2_bits=7))
    with pytest.raises(CheckpointError, match=r"model has s2_bits=6 and the tokenizer s2_bits=7"):
        KronosPredictor(model, swapped)


@pytest.mark.parametrize("power", [20, 40])
def test_a_tiny_instrument_is_forecast_as_the_same_one_scaled_up(
    power: int, predictor: KronosPredictor, candles: pd.DataFrame
) -> None:
    df, x, y = split(candles.drop(columns="amount").assign(amount=0.0))
    ordinary = df.assign(**{name: df[name] / 32 for name in PRICES})  # level 1.5
    tiny = ordinary.assign(**{name: ordinary[name] / 2**power for name in PRICES})
    large, small = (predictor.forecast(one, x, y, samples=3, seed=2) for one in (ordinary, tiny))
    assert small.last_close < 2e-6
    np.testing.assert_array_equal(small.raw_paths[..., :4] * 2.0**power, large.raw_paths[..., :4])
    assert small.paths[..., CLOSE].std() > 0


def test_fit_cuts_the_history_so_that_it_fits_with_the_horizon_and_says_so(
    model: Kronos, tokenizer: KronosTokenizer, candles: pd.DataFrame
) -> None:
    predictor = KronosPredictor(model, tokenizer, "cpu", max_context=48)
    df, x, y = split(candles, lookback=100, horizon=8)
    forecast = predictor.forecast(df, x, y, samples=2, seed=1)
    assert forecast.history_rows == 40
    alone = predictor.forecast(df[-40:], x[-40:], y, samples=2, seed=1)
    np.testing.assert_array_equal(forecast.paths, alone.paths)
    assert alone.history_rows == 40


def test_exact_slides_over_the_whole_history_as_published(
    model: Kronos, tokenizer: KronosTokenizer, candles: pd.DataFrame
) -> None:
    predictor = KronosPredictor(model, tokenizer, "cpu", max_context=80)
    df, x, y = split(candles, lookback=120, horizon=12)
    forecast = predictor.forecast(df, x, y, samples=1, top_k=1, seed=1, window="exact")
    assert forecast.history_rows == 120
    published = pd.read_csv(GOLDEN / "predict_greedy_over.csv", index_col="timestamps")
    np.testing.assert_allclose(forecast.raw_paths[0], published, rtol=1e-3)


def test_a_temperature_of_zero_is_greedy(predictor: KronosPredictor, candles: pd.DataFrame) -> None:
    df, x, y = split(candles)
    cold = predictor.forecast(df, x, y, samples=3, temperature=0, seed=1)
    greedy = predictor.forecast(df, x, y, samples=1, top_k=1, seed=9)
    for path in cold.paths:
        np.testing.assert_allclose(path, greedy.paths[0], rtol=1e-5)
    assert np.isfinite(predictor.predict(df, x, y, 8, T=0, verbose=False)).all(axis=None)


def test_top_k_none_keeps_every_token(predictor: KronosPredictor, candles: pd.DataFrame) -> None:
    df, x, y = split(candles)
    ours, theirs = (predictor.forecast(df, x, y, samples=2, top_k=k, seed=1) for k in (None, 0))
    np.testing.assert_array_equal(ours.paths, theirs.paths)
    assert ours.settings["top_k"] == 0
    assert len(predictor.predict(df, x, y, 8, top_k=None, verbose=False)) == 8


def test_a_history_without_volume_is_forecast_without_it(predictor: KronosPredictor, candles: pd.DataFrame) -> None:
    df, x, y = split(candles)
    forecast = predictor.forecast(df[list(PRICES)], x, y, samples=3, seed=1)
    assert (forecast.paths[..., VOLUME:] == 0).all()
    assert_possible(forecast)


def test_an_amount_without_volume_is_kept_and_forecast(predictor: KronosPredictor, candles: pd.DataFrame) -> None:
    df, x, y = split(candles)
    forecast = predictor.forecast(df.drop(columns="volume"), x, y, samples=5, seed=1)
    assert (forecast.paths[..., VOLUME] == 0).all()
    assert forecast.paths[..., AMOUNT].max() > df["amount"].min() / 2


def test_times_may_be_an_index_a_list_or_aware_of_a_zone(predictor: KronosPredictor, candles: pd.DataFrame) -> None:
    df, x, y = split(candles)
    expected = predictor.forecast(df, x, y, samples=2, seed=1)
    for convert in (pd.DatetimeIndex, list):
        forecast = predictor.forecast(df, convert(x), convert(y), samples=2, seed=1)
        np.testing.assert_array_equal(forecast.paths, expected.paths)
    aware = [pd.DatetimeIndex(t).tz_localize("Asia/Shanghai") for t in (x, y)]
    forecast = predictor.forecast(df, *aware, samples=2, seed=1)
    np.testing.assert_array_equal(forecast.paths, expected.paths)
    assert list(forecast.timestamps) == list(aware[1])
    assert list(predictor.predict(df, *aware, 8, verbose=False).index) == list(aware[1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 0}, "samples=0"),
        ({"samples": 10**9}, "samples=1000000000"),
        ({"temperature": float("nan")}, "temperature=nan"),
        ({"top_p": 0}, "top_p=0"),
        ({"top_k": -2}, "top_k=-2"),
        ({"window": "slide"}, "window='slide'"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 2**64}, "seed=18446744073709551616"),
        ({"seed": 0.5}, r"seed=0\.5"),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_anything_is_computed(
    settings: dict[str, Any], message: str, predictor: KronosPredictor, candles: pd.DataFrame
) -> None:
    with pytest.raises(InputError, match=message):
        predictor.forecast(*split(candles), **settings, on_step=lambda *_: pytest.fail("computed"))


@pytest.mark.parametrize("horizon", [0, 129])
def test_a_horizon_beyond_the_context_is_refused(
    horizon: int, predictor: KronosPredictor, candles: pd.DataFrame
) -> None:
    df, x, y = split(candles, horizon=horizon)
    for call in (predictor.forecast, lambda *a: predictor.predict(*a, horizon)):
        with pytest.raises(InputError, match=f"horizon is {horizon} candles; custom can forecast 1 to 128"):
            call(df, x, y)


def test_a_horizon_that_leaves_no_room_for_history_names_the_way_out(
    predictor: KronosPredictor, candles: pd.DataFrame
) -> None:
    df, x, y = split(candles, horizon=128)
    with pytest.raises(InputError, match="window='exact'"):
        predictor.forecast(df, x, y)
    assert predictor.forecast(df, x, y, samples=1, seed=1, window="exact").paths.shape == (1, 128, 6)


def test_pred_len_must_be_the_number_of_future_times(predictor: KronosPredictor, candles: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="pred_len=9, but y_timestamp has 8 entries"):
        predictor.predict(*split(candles), 9)


def test_impossible_input_is_refused(predictor: KronosPredictor, candles: pd.DataFrame) -> None:
    df, x, y = split(candles)
    with pytest.raises(InputError, match=r"high of the series is inf at position 4"):
        predictor.predict(df.assign(high=df["high"].where(df.index != 4, np.inf)), x, y, 8)
    with pytest.raises(InputError, match=r"close of the series is -1\.0 at position 5: a price must be above zero"):
        predictor.forecast(df.assign(close=df["close"].where(df.index != 5, -1.0)), x, y)


def test_a_step_may_cancel_the_forecast(predictor: KronosPredictor, candles: pd.DataFrame) -> None:
    seen = []

    def cancel(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predictor.forecast(*split(candles), samples=2, on_step=cancel)
    assert seen == [(1, 8), (2, 8)]


def test_an_unseeded_forecast_records_the_seed_it_drew(predictor: KronosPredictor, candles: pd.DataFrame) -> None:
    first = predictor.forecast(*split(candles), samples=2)
    again = predictor.forecast(*split(candles), samples=2, seed=first.seed)
    np.testing.assert_array_equal(first.paths, again.paths)
    other = predictor.forecast(*split(candles), samples=2, seed=np.int64(first.seed + 1))
    assert (other.paths != first.paths).any()


def public_attributes(networks: dict[str, torch.nn.Module]) -> dict[tuple[str, str, str], object]:
    """Return the attributes of all modules by network, module and name; tensors as text."""
    return {
        (kind, name, key): repr(value) if isinstance(value, torch.Tensor) else value
        for kind, network in networks.items()
        for name, module in network.named_modules()
        for key, value in vars(module).items()
        if not key.startswith("_")
    }


def test_forecasting_leaves_the_global_generator_and_the_model_as_they_were(
    predictor: KronosPredictor, candles: pd.DataFrame
) -> None:
    predictor.forecast(*split(candles), samples=2)  # computes the digest, which is kept
    random = torch.get_rng_state()
    networks = {"model": predictor.model, "tokenizer": predictor.tokenizer}
    before = public_attributes(networks)
    attributes = dict(vars(predictor))
    predictor.forecast(*split(candles), samples=3, seed=4)
    assert torch.equal(torch.get_rng_state(), random)
    assert public_attributes(networks) == before
    assert vars(predictor) == attributes
    assert digest(*networks.values()) == predictor.digest


def test_threads_share_a_predictor_without_disturbing_each_other(
    predictor: KronosPredictor, candles: pd.DataFrame
) -> None:
    df, x, y = split(candles, horizon=6)
    expected = [predictor.forecast(df, x, y, samples=2, seed=seed).paths for seed in range(4)]
    done = threading.Event()

    def disturb() -> None:
        while not done.is_set():
            torch.manual_seed(0)
            torch.rand(100)

    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            futures = [
                pool.submit(predictor.forecast, df, x, y, samples=2, seed=seed) for _ in range(3) for seed in range(4)
            ]
            paths = [future.result().paths for future in futures]
    finally:
        done.set()
        disturber.join()
    for ours, theirs in zip(paths, expected * 3, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_batch_of_different_lengths_is_each_series_alone(predictor: KronosPredictor, candles: pd.DataFrame) -> None:
    parts = [split(candles, 64, 8), split(candles, 30, 5, start=20), split(candles, 125, 8)]
    steps = []
    together = predictor.forecast_batch(
        *zip(*parts, strict=True), samples=3, seed=6, on_step=lambda *step: steps.append(step)
    )
    assert steps == [(done, 21) for done in range(1, 22)]
    for part, forecast in zip(parts, together, strict=True):
        alone = predictor.forecast(*part, samples=3, seed=6)
        np.testing.assert_array_equal(forecast.paths, alone.paths)
        assert forecast.history_rows == alone.history_rows


def test_a_batch_with_one_bad_series_is_refused_before_the_first_is_computed(
    predictor: KronosPredictor, candles: pd.DataFrame
) -> None:
    good, bad = split(candles), split(candles.assign(close=0.0))
    with pytest.raises(InputError, match=r"close of series 1 is 0\.0"):
        predictor.forecast_batch(*zip(good, bad, strict=True), on_step=lambda *_: pytest.fail("computed"))
    with pytest.raises(InputError, match="2 data frames, 1 x_timestamp and 2 y_timestamp"):
        predictor.forecast_batch([good[0], bad[0]], [good[1]], [good[2], bad[2]])


def test_predict_batch_needs_one_length(predictor: KronosPredictor, candles: pd.DataFrame) -> None:
    parts = [split(candles, 64), split(candles, 50)]
    with pytest.raises(InputError, match="forecast_batch takes any"):
        predictor.predict_batch(*zip(*parts, strict=True), 8)


def test_an_empty_batch_is_refused_or_empty(predictor: KronosPredictor) -> None:
    assert predictor.forecast_batch([], [], []) == []
    with pytest.raises(InputError, match="at least one series"):
        predictor.predict_batch([], [], [], 8)


def test_a_context_without_room_is_refused(model: Kronos, tokenizer: KronosTokenizer) -> None:
    with pytest.raises(InputError, match="max_context=1"):
        KronosPredictor(model, tokenizer, max_context=1)


def test_without_an_accelerator_the_cpu_is_used(model: Kronos, tokenizer: KronosTokenizer, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert KronosPredictor(model, tokenizer).device == torch.device("cpu")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert best_device() == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert best_device() == torch.device("cuda")


def test_a_predictor_is_loaded_from_two_folders() -> None:
    predictor = KronosPredictor.from_pretrained(
        GOLDEN / "model", tokenizer=GOLDEN / "tokenizer", device="cpu", max_context=64
    )
    assert (predictor.name, predictor.max_context, predictor.device.type) == ("model", 64, "cpu")


def test_an_unknown_model_needs_its_tokenizer_named() -> None:
    with pytest.raises(CheckpointError, match=r"No tokenizer is known for .*model: pass tokenizer=.*kronos-nano"):
        KronosPredictor.from_pretrained(GOLDEN / "model")
