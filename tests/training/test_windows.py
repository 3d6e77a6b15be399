"""Windows: normalised by what was known, drawn the same again, spread over the markets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training.config import TrainingConfig
from training.corpus import Corpus, load_corpus
from training.windows import WindowSampler, normalise_by_prefix


@pytest.fixture
def corpus(data: Path) -> Corpus:
    return load_corpus(data.glob("*/*.parquet"), "train")


def test_nothing_after_the_prefix_reaches_the_normalisation(corpus: Corpus) -> None:
    values = corpus.values[:96].reshape(3, 32, 6).astype(np.float64)
    prefix = np.array([8, 15, 31])
    changed = values.copy()
    for row, length in enumerate(prefix):
        changed[row, length:] *= [[3.0], [0.2], [9.0]][row]
    ours, other = normalise_by_prefix(values, prefix), normalise_by_prefix(changed, prefix)
    for row, length in enumerate(prefix):
        np.testing.assert_array_equal(ours[row, :length], other[row, :length])
        assert (ours[row, length:] != other[row, length:]).any()
        np.testing.assert_allclose(ours[row, :length].mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(ours[row, :length].std(axis=0), 1, rtol=1e-3)


def test_the_loss_mask_begins_where_the_prefix_ends(corpus: Corpus, config: TrainingConfig) -> None:
    batch = WindowSampler(corpus, config)(0, 50)
    assert batch.after.shape == (50, 32)
    assert torch.equal((~batch.after).sum(dim=1), batch.prefix)
    assert (batch.after.int().diff(dim=1) >= 0).all()
    assert (batch.prefix.min(), batch.prefix.max()) == (config.prefix_min, config.prefix_max)


def test_the_same_seed_and_step_draw_the_same_windows_and_others_do_not(corpus: Corpus, config: TrainingConfig) -> None:
    first, again = WindowSampler(corpus, config), WindowSampler(corpus, config)
    first(3)  # whatever was drawn before
    for name in ("x", "stamp", "prefix"):
        assert torch.equal(getattr(first(7), name), getattr(again(7), name))
    assert not torch.equal(first(7).x, first(8).x)
    assert not torch.equal(WindowSampler(corpus, config.model_copy(update={"seed": 1}))(7).x, first(7).x)


def test_a_window_never_leaves_its_segment(corpus: Corpus, config: TrainingConfig) -> None:
    sampler = WindowSampler(corpus, config)
    starts = {sampler._draw(np.random.default_rng(seed), group) for seed in range(1500) for group in (0, 1)}
    for start in starts:
        (segment,) = [s for s in corpus.segments if s.start <= start < s.stop]
        assert start + config.window <= segment.stop
    stocks = [s for s in corpus.segments if s.group == "stocks/1h"]
    assert {s for s in starts if s >= stocks[0].start} == {
        start for s in stocks for start in range(s.start, s.stop - config.window + 1)
    }


@pytest.mark.parametrize(("balance", "share"), [(1.0, 0.926), (0.5, 0.78), (0.0, 0.5)])
def test_balance_keeps_the_largest_market_from_drowning_the_rest(
    balance: float, share: float, corpus: Corpus, config: TrainingConfig
) -> None:
    sampler = WindowSampler(corpus, config.model_copy(update={"balance": balance}))
    assert sampler.groups == ["crypto/1h", "stocks/1h"]
    assert sampler.shares[0] == pytest.approx(share, abs=0.01)
    market = np.where(np.arange(2000) < 1800, 1, 0).astype(np.uint8)  # marks that tell the markets apart
    told_apart = WindowSampler(replace(corpus, marks=np.repeat(market[:, None], 5, axis=1)), sampler.config)
    assert told_apart(0, 1000).stamp[:, 0, 0].float().mean() == pytest.approx(share, abs=0.04)


def test_some_windows_lose_volume_and_amount(corpus: Corpus, config: TrainingConfig) -> None:
    batch = WindowSampler(corpus, config.model_copy(update={"volume_dropout": 0.5}))(0, 100)
    lost = (batch.x[..., 4:] == 0).all(dim=(1, 2))
    assert 30 < lost.sum() < 70
    assert (batch.x[..., :4] != 0).any(dim=(1, 2)).all()


def test_the_time_marks_belong_to_the_candles(corpus: Corpus, config: TrainingConfig) -> None:
    batch = WindowSampler(corpus, config)(1, 5)
    hours = batch.stamp[..., 1].int()
    assert ((hours.diff(dim=1) % 24) == 1).all()


def test_a_corpus_of_short_series_is_an_error(corpus: Corpus, config: TrainingConfig) -> None:
    with pytest.raises(ValueError, match="No series has 1000 candles without a break"):
        WindowSampler(corpus, config.model_copy(update={"window": 1000}))
