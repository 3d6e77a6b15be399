"""Random numbers without a state: a function of a seed and of what they are for, for many at once.

NumPy's generators would have to be built anew for every window; these mix whole arrays.
"""

from __future__ import annotations

import hashlib

import numpy as np

ROUNDS = 4  # of a Feistel network: enough to look random (Luby and Rackoff, 1988)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def key_of(*parts: int | str) -> np.uint64:
    """Return a key for `mix` that any other parts would make another."""
    return np.uint64(int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "little"))


def mix(key: np.uint64 | np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return a well-mixed uint64 for each of `numbers` (n,), whole and not negative (splitmix64)."""
    state = key + _STEP * numbers.astype(np.uint64)  # wraps round, as it should
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return np.asarray(state ^ (state >> np.uint64(31)))


def share(key: np.uint64 | np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return a float64 in [0, 1) for each of `numbers` (n,)."""
    return np.asarray((mix(key, numbers) >> np.uint64(11)) * 2.0**-53)


def below(key: np.uint64 | np.ndarray, numbers: np.ndarray, count: int | np.ndarray) -> np.ndarray:
    """Return an int64 in 0 ... `count` - 1 for each of `numbers` (n,)."""
    return (mix(key, numbers) >> np.uint64(1)).astype(np.int64) % count


def shuffled(key: np.ndarray, position: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return where `position` of `0 ... count - 1` stands in the shuffle that `key` chooses, without making it.

    All int64 (n,), `key` uint64 (n,). The positions of one count and one key give each number once.
    """
    high = np.ceil(np.sqrt(count)).astype(np.int64)
    low = -(-count // high)
    place = _feistel(key, position, high, low)
    while (outside := place >= count).any():  # the grid is little larger than count: walk on until back inside
        place = np.where(outside, _feistel(key, place, high, low), place)
    return place


def _feistel(key: np.ndarray, place: np.ndarray, high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Permute a grid of `high` x `low` places by moving rows by what stands in columns, and the other way round."""
    left, right = np.divmod(place, low)
    for turn in range(0, ROUNDS, 2):
        left = (left + below(key + np.uint64(turn), right, high)) % high
        right = (right + below(key + np.uint64(turn + 1), left, low)) % low
    return np.asarray(left * low + right)
