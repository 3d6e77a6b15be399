"""Random numbers without a state: functions of a seed and a purpose, for whole arrays.

NumPy's generators would have to be created anew for every window.
"""

from __future__ import annotations

import hashlib

import numpy as np

ROUNDS = 4  # of a Feistel network: enough to look random (Luby and Rackoff, 1988)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def key_of(*parts: int | str) -> np.uint64:
    """Return a key for `mix`; other parts give another key."""
    return np.uint64(int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "little"))


def mix(key: np.uint64 | np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return a hash, uint64, for each of `numbers` (n,), integers from 0 (splitmix64)."""
    state = key + _STEP * numbers.astype(np.uint64)  # overflow is intended
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
    """Return the number at `position` of a shuffle of 0 ... `count` - 1, chosen by `key`, without building it.

    All int64 (n,), `key` uint64 (n,). The positions of one count and one key give each number once.
    """
    high = np.ceil(np.sqrt(count)).astype(np.int64)
    low = -(-count // high)
    place = _feistel(key, position, high, low)
    while (outside := place >= count).any():  # the grid is slightly larger than count: permute until inside
        place = np.where(outside, _feistel(key, place, high, low), place)
    return place


def _feistel(key: np.ndarray, place: np.ndarray, high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Permute a grid of `high` x `low` places: shift rows by a hash of the column, and columns by one of the row."""
    left, right = np.divmod(place, low)
    for turn in range(0, ROUNDS, 2):
        left = (left + below(key + np.uint64(turn), right, high)) % high
        right = (right + below(key + np.uint64(turn + 1), left, low)) % low
    return np.asarray(left * low + right)
