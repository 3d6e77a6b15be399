"""Windows: normalised by what was known, the same as when each is made by itself, drawn the same again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.plain_training import frames_of, places_of, plain_batch
from engine.candles import FEATURES, time_marks
from tests.training.conftest import candles, corpus_of
from training.errors import DataError
from training.fit.corpus import Corpus
from training.fit.shuffle import below, key_of, share, shuffled
from training.fit.windows import WindowSampler, comparable, normalise_by_prefix, turned
from training.run.config import WindowConfig

WINDOW = WindowConfig(lookback=20, horizon=12, lookback_min=8, volume_dropout=0.3)


@pytest.fixture
def sampler(corpus: Corpus) -> WindowSampler:
    return WindowSampler(corpus.of("train"), WINDOW, seed=5)


def changed(window: WindowConfig = WINDOW, **values: float) -> WindowConfig:
    return WindowConfig.model_validate(window.model_dump() | values)


@pytest.mark.parametrize("stride", [1, 7])
def test_windows_are_bit_equal_to_those_made_one_by_one(stride: int, corpus: Corpus) -> None:
    sampler = WindowSampler(corpus.of("train"), changed(stride=stride), seed=5)
    numbers = np.concatenate([sampler.draw(step, 50) for step in range(4)])
    batch = sampler.batch(numbers)
    x, stamp = plain_batch(frames_of(sampler.corpus), places_of(sampler, numbers), WINDOW.size)
    assert torch.equal(batch.x, x)
    assert torch.equal(batch.stamp, stamp)
    assert (batch.x.dtype, batch.stamp.dtype) == (torch.float32, torch.int64)
    assert batch.x.is_contiguous()
    lost = sampler.loses_volume(numbers)
    assert 0.15 < lost.mean() < 0.45
    assert (batch.x[lost][..., 4:] == 0).all()


def test_prices_far_from_one_and_still_series_are_bit_equal_too() -> None:
    frames = [candles("A", 200, 1), candles("B", 200, 2), candles("C", 200, 3)]
    for frame, factor in zip(frames, (1e-6, 1e6, 1.0), strict=True):
        frame[["open", "high", "low", "close"]] *= factor
    frames[2][["open", "high", "low", "close"]] = 7.0
    frames[2][["volume", "amount"]] = 0.0
    sampler = WindowSampler(corpus_of(*(("g", frame, "train") for frame in frames)), WINDOW, seed=5)
    numbers = sampler.first_n(60)
    batch = sampler.batch(numbers)
    x, _ = plain_batch(frames_of(sampler.corpus), places_of(sampler, numbers), WINDOW.size)
    assert torch.equal(batch.x, x)
    assert batch.x.isfinite().all()


def test_windows_of_files_mapped_into_memory_are_the_same(
    sampler: WindowSampler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.fit.windows.MAPPED", 0)
    monkeypatch.setattr("training.fit.windows.RELEASE", 10)
    mapped = {}
    for name in ("values", "marks", "times"):
        np.save(tmp_path / f"{name}.npy", getattr(sampler.corpus, name))
        mapped[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    other = WindowSampler(replace(sampler.corpus, **mapped), WINDOW, seed=5)
    for step in range(5):
        numbers = sampler.draw(step, 8)
        assert torch.equal(other.batch(numbers).x, sampler.batch(numbers).x)
        assert torch.equal(other.batch(numbers).stamp, sampler.batch(numbers).stamp)


def test_nothing_after_the_prefix_reaches_the_normalisation(corpus: Corpus) -> None:
    values = corpus.values[:96].reshape(3, 32, 6).astype(np.float64)
    prefix = np.array([8, 15, 31])
    other = values.copy()
    for row, length in enumerate(prefix):
        other[row, length:] *= [[3.0], [0.2], [9.0]][row]
    (ours, normaliser), (theirs, _) = normalise_by_prefix(values, prefix), normalise_by_prefix(other, prefix)
    for row, length in enumerate(prefix):
        np.testing.assert_array_equal(ours[row, :length], theirs[row, :length])
        assert (ours[row, length:] != theirs[row, length:]).any()
        np.testing.assert_allclose(ours[row, :length].mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(ours[row, :length].std(axis=0), 1, rtol=1e-3)
        np.testing.assert_allclose(normaliser.mean[row], values[row, :length].mean(axis=0))


def test_prices_can_be_compared_again_and_volumes_with_none(corpus: Corpus) -> None:
    values = corpus.values[:96].reshape(3, 32, 6).astype(np.float64)
    values[:, 5, 1] *= 3  # one spike: the high deviates by far more than the close
    x, normaliser = normalise_by_prefix(values, np.array([8, 15, 31]))
    scale, shift = comparable(normaliser)
    assert (scale <= 1).all()
    inner = (np.abs(x) < 5).all(axis=-1)  # nothing was clipped
    seen = (x * scale[:, None] + shift[:, None])[inner]
    raw, unit = values[inner], normaliser.std.max(axis=1, where=np.arange(6) < 4, initial=0)
    np.testing.assert_allclose(
        seen[:, :4] - seen[:, 3:4],
        (raw[:, :4] - raw[:, 3:4]) / unit.repeat(32).reshape(3, 32)[inner][:, None],
        atol=1e-3,
    )
    deviation = normaliser.std[:, None, 4:].repeat(32, axis=1)[inner]
    np.testing.assert_allclose(seen[:, 4:], raw[:, 4:] / deviation, rtol=1e-3)
    assert (x[..., 1] < x[..., 3]).any()  # which normalised prices cannot


def test_one_deviation_serves_all_prices_where_the_tokenizer_asks_for_it(corpus: Corpus) -> None:
    train = corpus.of("train")
    own, shared = (WindowSampler(train, WINDOW, seed=5, shared_deviation=asked) for asked in (False, True))
    numbers = own.draw(0, 20)
    before, after = own.batch(numbers), shared.batch(numbers)
    assert torch.equal(after.x[..., 3:], before.x[..., 3:])
    assert not torch.equal(after.x[..., :3], before.x[..., :3])
    assert (after.scale[:, :4] == 1).all()
    assert own.digest != shared.digest


def test_mirrored_windows_fall_where_prices_rose_and_are_candles_still(corpus: Corpus) -> None:
    plain, fallen = (WindowSampler(corpus.of("train"), changed(mirrored=share), seed=5) for share in (0.0, 0.5))
    numbers = plain.draw(0, 200)
    mirrored = fallen.is_mirrored(numbers)
    assert 60 < mirrored.sum() < 140
    before, after = plain.batch(numbers).x, fallen.batch(numbers).x
    assert torch.equal(after[~mirrored], before[~mirrored])
    assert torch.equal(after[mirrored][..., 4:], before[mirrored][..., 4:])
    rose = before[mirrored][..., 3].diff(dim=1) > 0.01
    assert (after[mirrored][..., 3].diff(dim=1)[rose] <= 0).all()  # 0 where values are bounded


def test_turning_windows_move_as_far_and_either_way_as_often(corpus: Corpus) -> None:
    plain, turning = (WindowSampler(corpus.of("train"), changed(turning=share), seed=5) for share in (0.0, 1.0))
    numbers = np.unique(plain.draw(0, 400))
    signs = turning.signs(numbers)
    assert set(signs.ravel().tolist()) == {-1, 1}
    late = signs[:, 12:]  # by then a coin has been thrown in nearly every window
    assert abs(late.mean()) < 0.1
    assert 0.05 < (np.diff(late, axis=1) != 0).mean() < 0.15  # every second of the coins that a fifth throws
    assert (plain.signs(numbers) == 1).all()


@given(st.integers(0, 1000))
def test_what_is_turned_is_a_candle_that_moves_as_far(seed: int) -> None:
    rng = np.random.default_rng(seed)
    raw = candles("A", 32, seed)[list(FEATURES)].to_numpy()[None]
    signs = rng.choice([-1, 1], (1, 32))
    found = turned(raw, signs)
    moves = [np.diff(np.log(one[0, :, 3])) for one in (raw, found)]
    np.testing.assert_allclose(moves[1], signs[0, 1:] * moves[0], atol=1e-9)
    np.testing.assert_allclose(np.log(found[0, :, 1] / found[0, :, 2]), np.log(raw[0, :, 1] / raw[0, :, 2]), atol=1e-9)
    assert (found[..., 1] >= found[..., [0, 3]].max(axis=-1) - 1e-9).all()
    assert (found[..., 2] <= found[..., [0, 3]].min(axis=-1) + 1e-9).all()
    np.testing.assert_array_equal(found[..., 4:], raw[..., 4:])
    np.testing.assert_allclose(turned(found, signs), raw, rtol=1e-9)


def test_moved_windows_keep_their_candles_hours_and_weekdays(corpus: Corpus) -> None:
    plain, moved = (WindowSampler(corpus.of("train"), changed(moved=share), seed=5) for share in (0.0, 0.5))
    numbers = plain.draw(0, 200)
    weeks = moved.weeks_moved(numbers)
    assert 60 < (weeks > 0).sum() < 140
    assert set(weeks.tolist()) <= set(range(53))
    before, after = plain.batch(numbers), moved.batch(numbers)
    assert torch.equal(after.x, before.x)
    assert torch.equal(after.stamp[weeks == 0], before.stamp[weeks == 0])
    assert torch.equal(after.stamp[..., :3], before.stamp[..., :3])
    for row in (weeks > 0).nonzero()[0][:5]:
        start = int(plain.rows(numbers[row : row + 1])[0])
        times = pd.DatetimeIndex(corpus.of("train").times[start : start + WINDOW.size])
        expected = time_marks(times + pd.Timedelta(weeks=weeks[row]))
        np.testing.assert_array_equal(after.stamp[row], expected)


def test_what_is_mirrored_twice_is_as_it_was(corpus: Corpus) -> None:
    candles = corpus.values[:64].astype(np.float64).reshape(2, 32, 6)
    fallen = turned(candles, -np.ones((2, 32)))
    np.testing.assert_allclose(turned(fallen, -np.ones((2, 32))), candles, rtol=1e-9)
    np.testing.assert_allclose(
        np.log(fallen[:, 1:, 3] / fallen[:, :-1, 3]), -np.log(candles[:, 1:, 3] / candles[:, :-1, 3]), atol=1e-9
    )
    assert (fallen[..., 1] >= fallen[..., [0, 3]].max(axis=-1)).all()
    assert (fallen[..., 2] <= fallen[..., [0, 3]].min(axis=-1)).all()


def test_the_loss_mask_begins_where_the_prefix_ends(sampler: WindowSampler) -> None:
    batch = sampler.batch(sampler.draw(0, 200))
    assert batch.after.shape == (200, 32)
    assert torch.equal((~batch.after).sum(dim=1), batch.prefix)
    assert (batch.after.int().diff(dim=1) >= 0).all()
    assert (batch.prefix.min(), batch.prefix.max()) == (WINDOW.shortest, WINDOW.lookback)


def test_the_same_seed_and_step_draw_the_same_windows_and_others_do_not(corpus: Corpus) -> None:
    first, again, other = (WindowSampler(corpus.of("train"), WINDOW, seed) for seed in (5, 5, 6))
    first.batch(first.draw(3, 9))  # whatever was drawn before
    assert (first.draw(7, 20) == again.draw(7, 20)).all()
    assert (first.draw(7, 20) != first.draw(8, 20)).any()
    assert (first.draw(7, 20) != other.draw(7, 20)).any()
    numbers = first.draw(7, 50)
    assert (first.prefix(numbers) == again.prefix(numbers)).all()
    assert (first.prefix(numbers) != other.prefix(numbers)).any()
    assert (first.loses_volume(numbers) != other.loses_volume(numbers)).any()


def test_a_window_is_the_same_whoever_draws_it_with_others(sampler: WindowSampler) -> None:
    numbers = sampler.draw(1, 24)
    whole = sampler.batch(numbers)
    for rank in range(3):
        share_of_it = sampler.batch(numbers[rank::3])
        assert torch.equal(share_of_it.x, whole.x[rank::3])
        assert torch.equal(share_of_it.prefix, whole.prefix[rank::3])


def test_no_window_comes_twice_before_nearly_all_have_come(corpus: Corpus) -> None:
    train = corpus.of("train")
    one_group = WindowSampler(replace(train, segments=train.segments[:2]), WINDOW, seed=5)
    assert one_group.windows == 2 * (900 - 31)
    batches = one_group.windows // 50
    for lap in range(2):
        drawn = np.concatenate([one_group.draw(lap * batches + step, 50) for step in range(batches)])
        assert len(set(drawn.tolist())) == len(drawn) == batches * 50
    both = WindowSampler(train, WINDOW, seed=5)
    assert all(len(set(both.draw(step, 50).tolist())) == 50 for step in range(100))


def test_every_window_is_drawn_and_none_leaves_its_segment(sampler: WindowSampler) -> None:
    drawn = np.concatenate([sampler.draw(step, 50) for step in range(400)])
    assert set(drawn.tolist()) == set(range(sampler.windows))
    starts = sampler.rows(np.arange(sampler.windows))
    assert set(starts.tolist()) == {
        start for s in sampler.corpus.segments for start in range(s.start, s.stop - WINDOW.size + 1)
    }
    assert sampler.windows == sum(s.windows(WINDOW.size) for s in sampler.corpus.segments)


def test_a_batch_larger_than_the_data_repeats_windows_instead_of_failing(corpus: Corpus) -> None:
    few = WindowSampler(corpus.of("train"), changed(stride=300), seed=5)
    assert few.windows == 8
    assert Counter(few.draw(0, 40).tolist()).keys() <= set(range(8))


@pytest.mark.parametrize(("balance", "crypto"), [(1.0, 0.764), (0.5, 0.643), (0.0, 0.5)])
def test_balance_keeps_the_largest_market_from_drowning_the_rest(balance: float, crypto: float, corpus: Corpus) -> None:
    sampler = WindowSampler(corpus.of("train"), changed(balance=balance), seed=5)
    assert sampler.groups == ["crypto/1h", "stocks/1h"]
    assert sampler.shares[0] == pytest.approx(crypto, abs=0.001)
    drawn = np.concatenate([sampler.draw(step, 100) for step in range(40)])
    assert (drawn < 2 * (900 - 31)).mean() == pytest.approx(crypto, abs=0.03)


def test_validation_windows_are_spread_evenly_and_always_the_same(sampler: WindowSampler) -> None:
    numbers = sampler.first_n(20)
    assert (numbers == sampler.first_n(20)).all()
    assert np.ptp(np.diff(numbers)) <= 1
    assert numbers[0] < sampler.windows / 20
    assert numbers[-1] >= sampler.windows * 19 / 20
    assert sampler.first_n(10**6).tolist() == list(range(sampler.windows))


def test_a_window_is_described_by_its_symbol_and_its_first_time(sampler: WindowSampler) -> None:
    assert sampler.describe(0) == "A from 2024-01-01 00:00:00"
    assert sampler.describe(900 - 31 + 5) == "B from 2024-01-01 05:00:00"
    assert sampler.describe(sampler.windows - 1) == f"B from {pd.Timestamp('2024-01-01') + pd.Timedelta(hours=268)}"


def test_the_time_marks_belong_to_the_candles(sampler: WindowSampler) -> None:
    hours = sampler.batch(sampler.draw(1, 5)).stamp[..., 1]
    assert ((hours.diff(dim=1) % 24) == 1).all()


def test_the_digest_changes_with_all_that_a_number_stands_for(corpus: Corpus) -> None:
    train = corpus.of("train")
    digests = {
        WindowSampler(part, window, seed).digest
        for part, window, seed in (
            (train, WINDOW, 5),
            (train, WINDOW, 6),
            (corpus.of("validation"), WINDOW, 5),
            (replace(train, digest="0" * 64), WINDOW, 5),
            *((train, changed(**{name: value}), 5) for name, value in DIFFERENT.items()),
        )
    }
    assert len(digests) == 4 + len(DIFFERENT)
    assert WindowSampler(train, changed(balance=0.1), 5).digest == WindowSampler(train, WINDOW, 5).digest


def test_candles_without_a_digest_are_told_apart_by_their_values(corpus: Corpus) -> None:
    unnamed = replace(corpus.of("train"), digest="")
    other = replace(unnamed, values=unnamed.values * np.float32(1.5))
    one, again, changed_one = (WindowSampler(part, WINDOW, 5).digest for part in (unnamed, unnamed, other))
    assert one == again != changed_one


DIFFERENT = {
    "lookback": 21,
    "horizon": 13,
    "lookback_min": 9,
    "stride": 2,
    "volume_dropout": 0.4,
    "mirrored": 0.1,
    "turning": 0.2,
    "moved": 0.3,
}


def test_a_corpus_of_short_series_is_an_error(corpus: Corpus) -> None:
    with pytest.raises(DataError, match="No series has 1012 candles without a break"):
        WindowSampler(corpus, changed(lookback=1000), seed=5)


@given(st.integers(1, 700), st.integers(0, 2**31 - 1))
def test_a_shuffle_gives_each_number_once(count: int, seed: int) -> None:
    order = shuffled(np.full(count, key_of(seed)), np.arange(count), np.full(count, count))
    assert sorted(order.tolist()) == list(range(count))


def test_a_shuffle_leaves_no_order_behind() -> None:
    count = 20_000
    order = shuffled(np.full(count, key_of(1)), np.arange(count), np.full(count, count))
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.03
    assert abs(np.corrcoef(order, np.arange(count))[0, 1]) < 0.03
    steps = Counter(np.diff(order).tolist())
    assert max(steps.values()) < 20


def test_mixed_numbers_are_evenly_spread_and_keys_are_independent() -> None:
    numbers = np.arange(20_000)
    one, other = share(key_of(0, "prefix"), numbers), share(key_of(0, "dropout"), numbers)
    for drawn in (one, other):
        assert np.histogram(drawn, bins=20, range=(0, 1))[0].min() > 850
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.03
    assert set(below(key_of(3), numbers, 7).tolist()) == set(range(7))
