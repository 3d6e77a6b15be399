"""Tokens are computed once, whoever asks again, and never taken from another tokenizer, corpus or window."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.config import TokenizerConfig
from engine.tokenizer import KronosTokenizer
from tests.training.conftest import TOKENIZER
from training.fit import tokens
from training.fit.corpus import Corpus
from training.fit.tokens import TokenCache
from training.fit.windows import WindowSampler
from training.run.config import WindowConfig

WINDOW = WindowConfig(lookback=20, horizon=12, lookback_min=8)


@pytest.fixture
def sampler(corpus: Corpus) -> WindowSampler:
    return WindowSampler(corpus.of("train"), WINDOW, seed=5)


@pytest.fixture
def cache(tokenizer: KronosTokenizer, sampler: WindowSampler, tmp_path: Path) -> TokenCache:
    return TokenCache(tokenizer, sampler, tmp_path, "cpu")


@pytest.fixture
def encoded(tokenizer: KronosTokenizer, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the row counts of all passes through the tokenizer, in order."""
    rows: list[int] = []
    encode = tokenizer.encode

    def counted(x: Tensor, half: bool = False) -> Any:
        rows.append(len(x))
        return encode(x, half)

    monkeypatch.setattr(tokenizer, "encode", counted)
    return rows


def assert_same(found: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == torch.int64
        assert torch.equal(one, other)


def test_tokens_are_those_of_the_tokenizer_first_and_again(
    cache: TokenCache, sampler: WindowSampler, tokenizer: KronosTokenizer
) -> None:
    batch = sampler.batch(sampler.draw(0, 20))
    expected = tokenizer.encode(batch.x, half=True)
    assert expected[0].unique().numel() > 3
    assert_same(cache.tokens(batch), expected)
    assert_same(cache.tokens(batch), expected)
    assert_same(cache.tokens(sampler.batch(batch.numbers[3:9][::-1])), tuple(ids[3:9].flip(0) for ids in expected))


def test_no_window_is_encoded_twice_over_steps_and_runs(
    cache: TokenCache, sampler: WindowSampler, tokenizer: KronosTokenizer, tmp_path: Path, encoded: list[int]
) -> None:
    seen: set[int] = set()
    for step in range(80):
        numbers = sampler.draw(step, 50)
        cache.tokens(sampler.batch(numbers))
        seen |= set(numbers.tolist())
        assert sum(encoded) == len(seen)
    assert len(seen) < 80 * 50  # some windows came again
    cache.close()
    later = TokenCache(tokenizer, sampler, tmp_path, "cpu")
    later.tokens(sampler.batch(sampler.draw(3, 50)))
    assert sum(encoded) == len(seen)


def test_a_window_that_comes_twice_in_a_batch_is_encoded_once(
    cache: TokenCache, sampler: WindowSampler, encoded: list[int]
) -> None:
    s1, s2 = cache.tokens(sampler.batch(np.array([7, 3, 7, 7])))
    assert encoded == [2]
    assert torch.equal(s1[0], s1[2])
    assert torch.equal(s2[0], s2[3])
    assert not torch.equal(s1[0], s1[1])


def _fill(folder: Path, sampler: WindowSampler, state: dict[str, Any], numbers: list[int]) -> None:
    tokenizer = KronosTokenizer.from_config(TokenizerConfig(**TOKENIZER))
    tokenizer.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    cache = TokenCache(tokenizer, sampler, folder, "cpu")
    cache.tokens(sampler.batch(np.array(numbers)))


def test_what_another_process_encoded_is_taken(
    cache: TokenCache, sampler: WindowSampler, tokenizer: KronosTokenizer, tmp_path: Path, encoded: list[int]
) -> None:
    state = {name: tensor.tolist() for name, tensor in tokenizer.state_dict().items()}
    process = multiprocessing.get_context("spawn").Process(
        target=_fill, args=(tmp_path, sampler, state, list(range(10, 30)))
    )
    process.start()
    process.join()
    assert process.exitcode == 0
    batch = sampler.batch(np.arange(10, 31))
    found = cache.tokens(batch)
    assert encoded == [1]
    assert_same(found, tokenizer.encode(batch.x, half=True))


@pytest.mark.parametrize(
    "change",
    [
        lambda t, s: (KronosTokenizer.from_config(TokenizerConfig(**TOKENIZER)), s),
        lambda t, s: (t, WindowSampler(replace(s.corpus, digest="other"), WINDOW, 5)),
        lambda t, s: (t, WindowSampler(s.corpus, WINDOW, 6)),
        lambda t, s: (t, WindowSampler(s.corpus, WindowConfig(lookback=20, horizon=12, lookback_min=9), 5)),
        lambda t, s: (t, WindowSampler(s.corpus, WINDOW.model_copy(update={"volume_dropout": 0.5}), 5)),
    ],
)
def test_another_tokenizer_corpus_or_window_reads_nothing_stale(
    change: Callable[[KronosTokenizer, WindowSampler], tuple[KronosTokenizer, WindowSampler]],
    cache: TokenCache,
    sampler: WindowSampler,
    tokenizer: KronosTokenizer,
    tmp_path: Path,
) -> None:
    cache.tokens(sampler.batch(np.arange(20)))
    other_tokenizer, other_sampler = change(tokenizer, sampler)
    other = TokenCache(other_tokenizer, other_sampler, tmp_path, "cpu")
    assert other.path != cache.path
    batch = other_sampler.batch(np.arange(20))
    assert_same(other.tokens(batch), other_tokenizer.encode(batch.x, half=True))


@pytest.mark.parametrize("damage", ["cut", "checksum lost", "tokens lost", "half written"])
def test_a_record_that_was_not_written_whole_is_encoded_anew(
    damage: str, cache: TokenCache, sampler: WindowSampler, encoded: list[int]
) -> None:
    batch = sampler.batch(np.arange(4))
    expected = cache.tokens(batch)
    size = 4 + 2 * 2 * WINDOW.size
    assert cache.path is not None
    assert cache.path.stat().st_size == 4 * size
    with cache.path.open("r+b") as file:
        if damage == "cut":
            file.truncate(3 * size + size // 2)
        else:
            start, stop = {"checksum lost": (0, 4), "tokens lost": (4, size), "half written": (size // 2, size)}[damage]
            file.seek(3 * size + start)
            file.write(bytes(stop - start))
    assert_same(cache.tokens(batch), expected)
    assert encoded == [4, 1]
    assert_same(cache.tokens(batch), expected)
    assert encoded == [4, 1]


def test_the_file_takes_only_the_room_of_what_was_written(cache: TokenCache, sampler: WindowSampler) -> None:
    cache.tokens(sampler.batch(np.array([sampler.windows - 1])))
    assert cache.path is not None
    assert cache.path.stat().st_size > 200_000
    assert cache.path.stat().st_blocks * 512 < 50_000


def test_many_bits_are_kept_whole(sampler: WindowSampler, tmp_path: Path) -> None:
    torch.manual_seed(1)
    wide = KronosTokenizer.from_config(TokenizerConfig(**TOKENIZER | {"s1_bits": 18}))
    cache = TokenCache(wide, sampler, tmp_path, "cpu")
    batch = sampler.batch(np.arange(8))
    expected = wide.encode(batch.x, half=True)
    assert expected[0].max() >= 2**16
    for _ in range(2):
        assert_same(cache.tokens(batch), expected)


def test_a_nearly_full_disk_is_left_alone_and_said_once(
    sampler: WindowSampler, tokenizer: KronosTokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "RESERVE", 2**62)
    cache = TokenCache(tokenizer, sampler, tmp_path, "cpu")
    batch = sampler.batch(np.arange(6))
    for _ in range(2):
        assert_same(cache.tokens(batch), tokenizer.encode(batch.x, half=True))
    (note,) = cache.notes
    assert str(note).startswith(f"{tmp_path} cannot store tokens (less than ")
    assert cache.path is not None
    assert cache.path.stat().st_size == 0


def test_a_file_that_takes_no_more_is_no_end_of_training(
    cache: TokenCache, sampler: WindowSampler, tokenizer: KronosTokenizer
) -> None:
    batch = sampler.batch(np.arange(6))
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, allowed[1]))  # one record and a part of the next
    try:
        found = cache.tokens(batch)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    assert_same(found, tokenizer.encode(batch.x, half=True))
    (note,) = cache.notes
    assert os.strerror(errno.EFBIG) in str(note)
    assert_same(cache.tokens(batch), found)


def test_a_folder_that_cannot_be_written_to_leaves_tokens_uncached(
    sampler: WindowSampler, tokenizer: KronosTokenizer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = TokenCache(tokenizer, sampler, tmp_path / "file", "cpu")
    batch = sampler.batch(np.arange(3))
    assert_same(cache.tokens(batch), tokenizer.encode(batch.x, half=True))
    assert len(cache.notes) == 1


def test_without_a_folder_nothing_is_kept(
    sampler: WindowSampler, tokenizer: KronosTokenizer, encoded: list[int]
) -> None:
    cache = TokenCache(tokenizer, sampler, None, "cpu")
    for _ in range(2):
        cache.tokens(sampler.batch(np.arange(3)))
    assert encoded == [3, 3]
    assert not cache.notes


def test_the_tokenizer_is_frozen_and_out_of_training(
    sampler: WindowSampler, tokenizer: KronosTokenizer, tmp_path: Path
) -> None:
    TokenCache(tokenizer.train(), sampler, tmp_path, "cpu")
    assert not tokenizer.training
    assert not any(parameter.requires_grad for parameter in tokenizer.parameters())
