"""Splits: nothing that is judged on was learned from, nor lies within the embargo of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.errors import ConfigError, DataError
from training.fit.corpus import Segment
from training.fit.splits import Series, cut_times, embargo_of, held_out_symbols, label_runs, segments_of
from training.run.config import RunConfig

HOUR = 3_600_000_000_000
SIZE = 12  # candles of a window


def config(**split: Any) -> RunConfig:
    fields = {"data": {"source": "files", "paths": ["x"]}, "window": {"lookback": 8, "horizon": 4}, "split": split}
    return RunConfig.model_validate(fields)


def hourly(*lengths: int, group: str = "g", start: int = 0) -> tuple[list[Series], np.ndarray]:
    """Return series of hourly candles that all begin at `start` hours, and their times."""
    edges = [0, *np.cumsum(lengths).tolist()]
    series = [Series(group, f"S{k}", edges[k], edges[k + 1]) for k in range(len(lengths))]
    return series, np.concatenate([(start + np.arange(length)) * HOUR for length in lengths])


def spans(segments: tuple[Segment, ...]) -> list[str]:
    """Return segments in words, such as `S0 train 0-45`: symbol, split, first row and the row after the last."""
    return [f"{segment.symbol} {segment.split} {segment.start}-{segment.stop}" for segment in segments]


def test_fractions_cut_every_symbol_of_a_group_at_the_same_time() -> None:
    series, times = hourly(100, 50)
    segments = segments_of(series, times, config(fractions=[0.6, 0.2, 0.2]))
    # Before hour 45 lie 2 x 45 candles, 60 % of 150; before hour 70 lie 120.
    assert spans(segments) == ["S0 train 0-45", "S0 validation 57-70", "S0 test 82-100", "S1 train 100-145"]


def test_ranges_hold_their_first_and_last_time_and_leave_out_what_is_between() -> None:
    series, times = hourly(120)
    ranges = {"train": [None, "1970-01-02 00:00"], "validation": ["1970-01-03 06:00", "1970-01-04 00:00"]}
    assert spans(segments_of(series, times, config(**ranges))) == ["S0 train 0-25", "S0 validation 54-73"]
    near = {"train": [None, "1970-01-02 00:00"], "validation": ["1970-01-02 01:00", "3000-01-01"]}
    assert spans(segments_of(series, times, config(**near)))[1] == "S0 validation 37-120"
    early = {"train": ["0001-01-01", "1970-01-02"], "validation": ["2500-01-01", "3000-01-01"]}
    assert spans(segments_of(series, times, config(**early))) == ["S0 train 0-25"]


def test_each_group_has_its_own_cuts() -> None:
    first, times = hourly(100)
    second = [Series("h", "S0", 100, 200)]
    later = np.concatenate([times, times + 1000 * HOUR])
    segments = segments_of(first + second, later, config(fractions=[0.5, 0.5, 0]))
    assert spans(segments) == ["S0 train 0-50", "S0 validation 62-100", "S0 train 100-150", "S0 validation 162-200"]


def test_a_series_is_cut_within_its_splits() -> None:
    _, times = hourly(100)
    series = [Series("g", "A", 0, 100, cuts=(10, 50, 70))]
    segments = segments_of(series, times, config(fractions=[0.5, 0.5, 0]))
    assert spans(segments) == ["A train 0-10", "A train 10-50", "A validation 62-70", "A validation 70-100"]


def test_labels_of_the_data_are_kept_apart_whatever_their_order() -> None:
    _, times = hourly(120)
    labels = np.array(["val"] * 30 + ["train"] * 30 + ["train"] * 10 + ["test"] * 30 + ["validation"] * 20)
    series = [Series("g", "A", 0, 120, labels=label_runs(labels, 0, "A"))]
    segments = segments_of(series, times, config(by="column"))
    assert spans(segments) == ["A validation 0-30", "A train 42-70", "A test 82-100", "A validation 112-120"]


def test_an_unknown_label_is_named_with_its_symbol() -> None:
    with pytest.raises(DataError, match="A: the column split has the value “dev”: it must be one of train, val"):
        label_runs(np.array(["train", "dev"]), 0, "A")


def test_symbols_held_out_judge_alone_and_teach_nothing() -> None:
    series, times = hourly(*[100] * 10)
    twice = series + [Series("h", one.symbol, one.start + 1000, one.stop + 1000) for one in series]
    segments = segments_of(twice, np.tile(times, 2), config(fractions=[0.6, 0.2, 0.2], holdout_symbols=0.3))
    learned, judged = ({s.symbol for s in segments if (s.split == "train") is train} for train in (True, False))
    assert len(judged) == 3
    assert learned | judged == {one.symbol for one in series}
    assert not learned & judged


def test_symbols_are_held_out_by_the_seed_alone() -> None:
    names = [f"S{number}" for number in range(40)]
    first = held_out_symbols(names, 0.25, seed=1)
    assert len(first) == 10
    assert held_out_symbols(reversed(names), 0.25, seed=1) == first
    assert held_out_symbols(names, 0.25, seed=2) != first
    assert len(held_out_symbols(names[:2], 0.01, seed=1)) == 1
    assert held_out_symbols(names, 0.0, seed=1) == frozenset()


def test_the_only_symbol_cannot_be_held_out() -> None:
    series, times = hourly(100)
    with pytest.raises(DataError, match="S0 is the only symbol and cannot be held out"):
        segments_of(series, times, config(holdout_symbols=0.2))


def test_the_embargo_is_a_window_or_longer() -> None:
    assert embargo_of(config()) == SIZE
    assert embargo_of(config(embargo=40)) == 40
    with pytest.raises(ConfigError, match=r"split\.embargo is 11: it must be at least 12"):
        embargo_of(config(embargo=11))


lengths = st.lists(st.tuples(st.integers(1, 120), st.integers(0, 60)), min_size=1, max_size=4)


@given(lengths=lengths, share=st.floats(0, 1))
def test_a_cut_is_the_earliest_time_before_which_the_share_lies(lengths: list[tuple[int, int]], share: float) -> None:
    series, times, row = [], [], 0
    for number, (length, begin) in enumerate(lengths):
        series.append(Series("g", str(number), row, row + length))
        times.append((begin + np.arange(length)) * HOUR)
        row += length
    together = np.concatenate(times)
    (cut,) = cut_times(series, together, [share])
    wanted = round(share * row)
    assert (together < cut).sum() >= wanted
    assert wanted == 0 or (together < cut - 1).sum() < wanted


@given(
    lengths=lengths,
    cuts=st.sets(st.integers(1, 100), max_size=3),
    fractions=st.tuples(st.integers(1, 10), st.integers(0, 10), st.integers(0, 10)),
    embargo=st.integers(SIZE, 40),
    holdout=st.sampled_from([0.0, 0.3]),
    labels=st.none() | st.lists(st.sampled_from(["train", "val", "test"]), min_size=120, max_size=120),
)
def test_no_window_that_is_judged_on_comes_within_the_embargo_of_one_that_is_learned_from(
    lengths: list[tuple[int, int]],
    cuts: set[int],
    fractions: tuple[int, int, int],
    embargo: int,
    holdout: float,
    labels: list[str] | None,
) -> None:
    series, times, row = [], [], 0
    for number, (length, begin) in enumerate(lengths):
        own = label_runs(np.array(labels[:length]), row, str(number)) if labels else ()
        within = tuple(row + cut for cut in sorted(cuts) if cut < length)
        series.append(Series("g", str(number), row, row + length, within, own))
        times.append((begin + np.arange(length)) * HOUR)
        row += length
    together = np.concatenate(times)
    settings = config(
        by="column" if labels else "time",
        fractions=[part / sum(fractions) for part in fractions],
        embargo=embargo,
        holdout_symbols=holdout if len(series) > 1 else 0.0,
    )
    segments = segments_of(series, together, settings)
    owner = {one.symbol: one for one in series}
    for one in segments:
        assert owner[one.symbol].start <= one.start < one.stop <= owner[one.symbol].stop
        assert not any(one.start < cut < one.stop for cut in owner[one.symbol].cuts)
        for other in segments:
            if one.symbol == other.symbol and one.split != other.split:
                apart = other.start - one.stop if one.start < other.start else one.start - other.stop
                assert apart >= embargo
    if not labels:
        learned, judged = (
            [together[row] for s in segments if (s.split == "train") is train for row in (s.start, s.stop - 1)]
            for train in (True, False)
        )
        assert not learned or not judged or max(learned) < min(judged)


def test_the_moments_of_a_range_are_those_of_the_candles() -> None:
    times = pd.date_range("2024-01-01", periods=100, freq="D").as_unit("ns").asi8
    ranges = {"train": [None, "2024-01-31"], "validation": ["2024-02-20", "2024-03-20"], "test": ["2024-03-30", None]}
    found = segments_of([Series("g", "A", 0, 100)], times, config(**ranges))
    days = [(s.split, *(str(pd.Timestamp(int(times[row])))[:10] for row in (s.start, s.stop - 1))) for s in found]
    assert days == [
        ("train", "2024-01-01", "2024-01-31"),
        ("validation", "2024-02-20", "2024-03-20"),
        ("test", "2024-04-02", "2024-04-09"),
    ]


def test_the_tail_of_labelled_candles_begins_at_one_time_for_the_group_and_is_kept_for_the_end() -> None:
    series, times = hourly(100, 50, 80)
    labelled = [
        Series(one.group, one.symbol, one.start, one.stop, labels=((label, one.start, one.stop),))
        for one, label in zip(series, ("train", "train", "validation"), strict=True)
    ]
    segments = segments_of(labelled, times, config(by="column", tail=0.4))
    # Before hour 45 lie 2 x 45 candles, 60 % of the 150 that are labelled train; the 80 of S2 do not count.
    assert spans(segments) == ["S0 train 0-45", "S0 test 57-100", "S1 train 100-145", "S2 validation 150-230"]
    whole = segments_of(labelled, times, config(by="column"))
    assert spans(whole)[:2] == ["S0 train 0-100", "S1 train 100-150"]
