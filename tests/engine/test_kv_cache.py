"""Attention to a shared history and to own candles is attention to both."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from engine.kv_cache import KVCache, attention_by_hand

HEADS, WIDTH = 2, 16


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("samples", [1, 3, 9])
@pytest.mark.parametrize("lengths", [(9, 9), (5, 9)])
@pytest.mark.parametrize(("steps", "new"), [(0, 0), (0, 1), (4, 1), (0, 4)])
def test_the_two_parts_add_up(
    steps: int, new: int, lengths: tuple[int, int], samples: int, by_hand: bool, monkeypatch
) -> None:
    if by_hand:  # what devices without the processor's kernel compute
        monkeypatch.setattr("engine.kv_cache._attention", attention_by_hand)
    draw = torch.Generator().manual_seed(3)
    random = lambda *shape: torch.randn(*shape, generator=draw)  # noqa: E731
    cache = KVCache.allocate((HEADS,), lengths, samples, 6, random(WIDTH))
    prefix, own = random(2, 9, 2, HEADS, 8), random(2 * samples, steps + new, 2, HEADS, 8)
    for i, length in enumerate(lengths):
        cache.part(slice(i, i + 1), slice(i * samples, (i + 1) * samples)).put_history(0, prefix[i : i + 1, :length])
    for start, stop in ((0, steps), (steps, steps + new)):
        if stop > start:
            cache.steps = start
            cache.extend(0, own[:, start:stop])
    queries = max(new, 1)
    q = random(2 * samples, queries, HEADS, 8)
    found = cache.attend(0, q / 8**0.5, steps + new)
    for row in range(2 * samples):
        length = lengths[row // samples]
        k, v = torch.cat((prefix[row // samples, :length], own[row])).transpose(0, 2).unbind(1)  # (H, T, E)
        mask = torch.ones(queries, k.shape[1], dtype=torch.bool).tril(k.shape[1] - queries)
        expected = F.scaled_dot_product_attention(q[row].transpose(0, 1), k, v, attn_mask=mask)
        torch.testing.assert_close(found[row], expected.transpose(0, 1))


def test_positions_follow_each_history() -> None:
    like = torch.zeros(WIDTH)
    even, ragged = KVCache.allocate((HEADS,), (7, 7), 2, 3, like), KVCache.allocate((HEADS,), (4, 7), 2, 3, like)
    even.steps = ragged.steps = 2
    assert even.positions(2) == slice(9, 11)
    assert ragged.positions(1).tolist() == [[6], [6], [9], [9]]


def test_samples_share_the_memory_of_their_history() -> None:
    one, many = (KVCache.allocate((HEADS,) * 3, (50,), samples, 10, torch.zeros(WIDTH)) for samples in (1, 30))
    per_row = 3 * 2 * 10 * WIDTH * 4
    assert many.nbytes - one.nbytes == 29 * per_row


def test_a_shorter_history_stays_padded_when_it_is_the_last_one_left() -> None:
    draw = torch.Generator().manual_seed(5)
    cache = KVCache.allocate((HEADS,), (5, 9), 3, 4, torch.zeros(WIDTH))
    history, own = (torch.randn(*shape, 2, HEADS, 8, generator=draw) for shape in ((2, 9), (6, 2)))
    for i, length in enumerate((5, 9)):
        cache.part(slice(i, i + 1), slice(3 * i, 3 * i + 3)).put_history(0, history[i : i + 1, :length])
    cache.extend(0, own)
    q = torch.randn(6, 1, HEADS, 8, generator=draw)
    both = cache.attend(0, q, 2)
    torch.testing.assert_close(cache.select(torch.tensor([0])).attend(0, q[:3], 2), both[:3])


@pytest.mark.parametrize("samples", [4, 12])
def test_some_rows_of_a_series_find_what_they_find_among_all(samples: int) -> None:
    draw = torch.Generator().manual_seed(6)
    cache = KVCache.allocate((HEADS,), (5,), samples, 3, torch.zeros(WIDTH))
    cache.put_history(0, torch.randn(1, 5, 2, HEADS, 8, generator=draw))
    own, q = (torch.randn(samples, 3, *shape, generator=draw) for shape in ((2, HEADS, 8), (HEADS, 8)))
    cache.extend(0, own)
    every = cache.attend(0, q, 3)
    for rows in (slice(0, 3), slice(3, samples)):
        part = cache.part(slice(0, 1), rows)
        part.extend(0, own[rows])
        torch.testing.assert_close(part.attend(0, q[rows], 3), every[rows])
        torch.testing.assert_close(part.attend(0, q[rows, -1:], 3), every[rows, -1:])
