"""Nothing past the cutoff can be read."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.asof import AsOf, LookAhead

TIMES = np.array([10, 20, 30, 40])
VALUES = np.arange(8.0).reshape(4, 2)


@pytest.fixture
def past() -> AsOf:
    return AsOf(TIMES, VALUES, 30, "ACME")


def test_what_was_known_is_handed_out(past: AsOf) -> None:
    assert len(past) == 3
    np.testing.assert_array_equal(past.last(2), VALUES[1:3])
    np.testing.assert_array_equal(past.last(9), VALUES[:3])
    np.testing.assert_array_equal(past.last_times(2), [20, 30])
    np.testing.assert_array_equal(past.until(25), VALUES[:2])


@pytest.mark.parametrize(
    "leak",
    [
        lambda past: past.rows(0, 4),
        lambda past: past.rows(3, 4),
        lambda past: past.times(2, 5),
        lambda past: past.until(31),
        lambda past: past.until(40),
    ],
)
def test_a_row_past_the_cutoff_is_refused(past: AsOf, leak) -> None:
    with pytest.raises(
        LookAhead, match=r"ACME: .* nothing after the cutoff 1970-01-01 00:00:00\.000000030 may be read"
    ):
        leak(past)


def test_a_row_counts_as_known_from_its_own_time_on() -> None:
    assert len(AsOf(TIMES, VALUES, 29)) == 2
    assert len(AsOf(TIMES, VALUES, 30)) == 3
    assert len(AsOf(TIMES, VALUES, 9)) == 0


def test_what_is_handed_out_does_not_hold_the_rest(past: AsOf) -> None:
    """A view would give all of it away by its `base`, and whoever wrote to it would change what came."""
    handed = past.last(3)
    assert handed.base is None
    handed[:] = 0
    assert VALUES[2, 1] == 5


def test_rows_are_counted_from_the_first(past: AsOf) -> None:
    with pytest.raises(ValueError, match="count from the first row"):
        past.rows(-1, 2)
