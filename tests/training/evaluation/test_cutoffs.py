"""Where forecasts are judged."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from tests.training.evaluation.conftest import HOUR, of_closes, walk
from training.errors import DataError
from training.evaluation.cutoffs import Cutoff, Series, rolling, spread


def chosen(series: list[Series], count: int, seed: int = 0) -> list[Cutoff]:
    return spread(series, lookback=40, horizon=10, count=count, seed=seed)


def test_a_cutoff_has_its_history_and_its_future() -> None:
    series = walk("A", 60)
    cutoff = Cutoff(series, 45, 40, 10)
    assert len(cutoff.past) == 45
    assert cutoff.time == series.times[44]
    assert cutoff.future_times[0] == cutoff.time + HOUR
    assert cutoff.known_at == series.times[54]
    np.testing.assert_array_equal(cutoff.actual, series.values[45:55])
    assert list(cutoff.series.frame(5, 45)["close"]) == list(series.values[5:45, 3])
    assert list(cutoff.series.frame(45, 55)["timestamp"]) == list(
        pd.date_range("2024-01-02 21:00", periods=10, freq="h")
    )
    assert "amount" not in cutoff.series.frame(5, 45)  # it is missing


def test_futures_of_a_symbol_never_overlap() -> None:
    cutoffs = chosen([walk("A", 300), walk("B", 300, 1)], 1000)
    assert len(cutoffs) == 52
    for symbol in "AB":
        rows = sorted(cutoff.row for cutoff in cutoffs if cutoff.symbol == symbol)
        assert min(np.diff(rows)) >= 10
        assert rows[0] >= 40
        assert rows[-1] <= 290


def test_cutoffs_are_spread_over_groups_symbols_and_time() -> None:
    series = [walk(f"S{i}", 600, i, group) for i in range(8) for group in ("crypto/1h", "stocks/1h")]
    cutoffs = chosen(series, 72)
    assert Counter(c.group for c in cutoffs) == {"crypto/1h": 36, "stocks/1h": 36}
    crypto = [c for c in cutoffs if c.group == "crypto/1h"]
    assert set(Counter(c.symbol for c in crypto).values()) <= {4, 5}
    assert set(Counter(c.time for c in crypto).values()) == {6}  # as many symbols a time as times
    thirds = Counter((c.row - 40) * 3 // 551 for c in crypto)
    assert set(thirds) == {0, 1, 2}


def test_symbols_that_start_at_different_times_still_share_cutoff_times() -> None:
    late = walk("B", 400, 1)
    late = Series(late.group, late.symbol, late.values[137:], late.times[137:])
    times = Counter(c.time for c in chosen([walk("A", 400), late], 1000))
    assert set(times.values()) == {1, 2}
    assert Counter(times.values())[2] >= 20


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    series = [walk("A", 500)]
    one, again, other = (sorted(c.row for c in chosen(series, 9, seed)) for seed in (4, 4, 5))
    assert one == again != other


def test_series_that_are_too_short_or_never_move_have_no_cutoffs() -> None:
    assert chosen([walk("A", 49), of_closes(np.full(200, 7.0))], 10) == []
    assert len(chosen([walk("A", 50)], 10)) == 1


def test_rolling_cutoffs_end_with_the_data() -> None:
    rows = [c.row for c in rolling([walk("A", 100)], lookback=40, horizon=10, n_windows=3, step_size=7)]
    assert rows == [76, 83, 90]
    assert len(rolling([walk("A", 100)], lookback=40, horizon=10)) == 6
    assert rolling([walk("A", 100)], lookback=40, horizon=61) == []


def test_a_bad_price_or_time_is_named() -> None:
    frame = walk("A", 60).frame(0, 60)
    with pytest.raises(DataError, match="ACME: the candle of 2024-01-01 03:00:00 has a price"):
        Series.of(frame.assign(low=frame["low"].where(frame.index != 3, 0.0)), "ACME")
    with pytest.raises(DataError, match="ACME: candles must ascend"):
        Series.of(frame[::-1], "ACME")
