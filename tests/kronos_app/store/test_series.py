"""Series in the store: what is merged comes back, in any order, and a kill in the middle loses nothing."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kronos_app.data.about import About
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text
from kronos_app.store import Store, tables
from kronos_app.store.series import SeriesKey, SeriesState

KEY = SeriesKey("yahoo", "600519.SS", "5m", "none")
ABOUT = About("600519.SS", "5m", "none", "CNY", "XSHG", "Yahoo Finance")


def candles(rows=50, start="2024-01-01 09:30", zone="Asia/Shanghai", freq="5min", seed=1, volume=True):
    close = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, rows)))
    frame = pd.DataFrame({"timestamp": pd.date_range(start, periods=rows, freq=freq, unit="ns")})
    frame["open"], frame["high"], frame["low"], frame["close"] = close, close * 1.01, close * 0.99, close
    if volume:
        frame["volume"] = np.arange(rows, dtype=float)
    return CandleFrame(frame, "600519.SS", "yahoo", zone, ABOUT)


def part(whole, start, stop):
    return CandleFrame(whole.frame.iloc[start:stop].reset_index(drop=True), whole.name, whole.source, whole.timezone)


def same(one, other):
    pd.testing.assert_frame_equal(one.frame, other.frame)
    assert one.timezone == other.timezone


def test_candles_come_back_to_the_last_bit_in_the_zone_of_their_exchange(store):
    whole = candles()
    whole.frame.loc[3, "volume"] = np.nan
    info = store.series.merge(KEY, whole)
    same(store.series.read(KEY), whole)
    assert store.series.read(KEY).about == ABOUT
    assert (info.rows, info.features, info.timezone) == (50, ("open", "high", "low", "close", "volume"), whole.timezone)
    assert info.first == pd.Timestamp("2024-01-01 01:30", tz="UTC")
    assert store.series.get(KEY) == info
    assert store.series.list() == [info]


def test_what_is_not_there_is_none(store):
    assert store.series.get(KEY) is None
    assert store.series.read(KEY) is None
    assert store.series.edge(KEY, 0, 5) is None
    assert store.series.get(SeriesKey("\ud800", "", "")) is None
    store.series.delete(KEY)
    store.series.update(KEY, note=text("x"))


def test_a_stretch_and_the_last_candles_are_read_alone(store):
    whole = candles(500)
    store.series.merge(KEY, whole)
    same(store.series.read(KEY, last=10), part(whole, 490, 500))
    same(store.series.read(KEY, last=5000), whole)
    start = datetime(2024, 1, 1, 1, 40, tzinfo=UTC)
    same(store.series.read(KEY, start, start + timedelta(minutes=15)), part(whole, 2, 5))
    same(store.series.read(KEY, end=start, last=1), part(whole, 1, 2))
    assert store.series.read(KEY, end=datetime(2020, 1, 1, tzinfo=UTC)) is None


def test_the_last_candles_are_the_last_also_where_time_has_a_hole(store):
    old, new = candles(300, "2001-01-01"), candles(300, "2024-01-01")
    store.series.merge(KEY, old)
    store.series.merge(KEY, new)
    for last in (1, 299, 300, 301, 600):
        read = store.series.read(KEY, last=last)
        assert len(read) == last
        assert read.timestamps[-1] == new.timestamps[-1]


def test_edges_are_counted_to_both_sides(store):
    whole = candles(20)
    store.series.merge(KEY, whole)
    times = [moment.value for moment in whole.utc]
    assert store.series.edge(KEY, times[10], -3) == times[7]
    assert store.series.edge(KEY, times[10], 3) == times[12]
    assert store.series.edge(KEY, times[10], -99) == times[0]
    assert store.series.edge(KEY, times[0], -1) is None


def test_what_is_merged_stands_for_all_between_its_first_and_last(store):
    whole, other = candles(50), candles(50, seed=2)
    store.series.merge(KEY, whole)
    thinned = other.frame.iloc[[10, 15, 20]].reset_index(drop=True)
    info = store.series.merge(KEY, CandleFrame(thinned, "", "yahoo", whole.timezone))
    assert info.rows == 50 - 11 + 3
    kept = store.series.read(KEY).frame
    assert kept["close"].iloc[10:13].to_list() == thinned["close"].to_list()
    assert kept["close"].iloc[13] == whole.frame["close"][21]


def test_to_replace_leaves_nothing_of_what_was(store):
    store.series.merge(KEY, candles(50))
    new = candles(5, "2030-01-01", volume=False)
    store.series.merge(KEY, new, replace=True)
    same(store.series.read(KEY), new)


def test_a_volume_that_only_one_part_has_is_zero_in_the_other(store):
    plain, traded = candles(5, "2024-01-01", volume=False), candles(5, "2024-01-02")
    store.series.merge(KEY, plain)
    store.series.merge(KEY, traded)
    store.series.merge(KEY, candles(5, "2024-01-03", volume=False))
    assert store.series.read(KEY).frame["volume"].to_list() == [0] * 5 + [0, 1, 2, 3, 4] + [0] * 5


def test_series_are_told_apart_by_every_part_of_their_key(store):
    keys = [KEY, SeriesKey("binance", "600519.SS", "5m", "none"), SeriesKey("yahoo", "AAPL", "5m", "none")]
    keys += [SeriesKey("yahoo", "600519.SS", "1d", "none"), SeriesKey("yahoo", "600519.SS", "5m")]
    for rows, key in enumerate(keys, 1):
        store.series.merge(key, candles(rows))
    assert [len(store.series.read(key)) for key in keys] == [1, 2, 3, 4, 5]
    store.series.delete(keys[2])
    assert {info.key for info in store.series.list()} == set(keys) - {keys[2]}
    assert store.series.read(keys[2]) is None


def test_the_state_is_kept_and_changed_by_the_field(store, url, open_store):
    state = SeriesState(
        covered=((-(2**62), 5),),
        complete=True,
        options={"adjustment": "none"},
        asked=("a",),
        note=text("A split of {n}", n=4),
        error={"code": "x"},
        checked=datetime(2024, 1, 1, tzinfo=UTC),
    )
    assert store.series.merge(KEY, candles(), state=state).state == state
    assert store.series.merge(KEY, candles(3)).state == state
    store.series.update(KEY, error=None, used=datetime(2025, 1, 1, tzinfo=UTC))
    store.close()
    read = open_store(url).series.get(KEY).state
    assert (read.error, read.used.year, read.note, read.covered) == (None, 2025, state.note, state.covered)


def test_what_was_used_longest_ago_goes_first(store):
    keys = [SeriesKey("yahoo", name, "1d") for name in "abcd"]
    for day, key in enumerate(keys, 1):
        store.series.merge(key, candles(10), state=SeriesState(used=datetime(2024, 1, day, tzinfo=UTC)))
    each = 10 * 6 * 8
    assert store.series.size_bytes() == 4 * each
    assert store.series.evict(4 * each) == []
    assert store.series.evict(2 * each, keep=[keys[0]]) == [keys[1], keys[2]]
    assert [info.key for info in store.series.list()] == [keys[0], keys[3]]


def test_malformed_candles_are_refused_and_nothing_is_changed(store):
    good = candles(10)
    store.series.merge(KEY, good)
    for spoil in (
        lambda frame: frame.iloc[::-1].reset_index(drop=True),
        lambda frame: frame.assign(close=np.inf),
        lambda frame: frame.drop(columns="high"),
        lambda frame: frame.assign(open_interest=1.0),
        lambda frame: frame.assign(close=1),
        lambda frame: frame.iloc[:0],
        lambda frame: frame.assign(timestamp=pd.NaT),
    ):
        with pytest.raises(InvalidInput) as refused:
            store.series.merge(KEY, CandleFrame(spoil(good.frame), "x", "yahoo", good.timezone))
        assert refused.value.code == "no_candle_frame"
    same(store.series.read(KEY), good)


def test_local_times_that_clocks_repeat_are_told_apart_and_come_back_in_utc(store):
    moments = pd.date_range("2023-11-05", periods=48, freq="h", tz="UTC", unit="ns")
    local = moments.tz_convert("America/New_York").tz_localize(None)
    frame = candles(48).frame
    doubled = CandleFrame(frame.assign(timestamp=local), "EURUSD=X", "yahoo", "America/New_York")
    assert doubled.utc.to_list() == moments.to_list()
    store.series.merge(KEY, CandleFrame(frame.assign(timestamp=moments.tz_localize(None)), "EURUSD=X", "yahoo", "UTC"))
    store.series._database.execute(tables.series.update().values(timezone="America/New_York"))
    read = store.series.read(KEY)
    assert read.timezone == "UTC"
    assert read.utc.to_list() == moments.to_list()


def test_a_time_that_clocks_skip_is_refused_where_it_would_repeat_the_next(store):
    with pytest.raises(InvalidInput):
        store.series.merge(KEY, candles(24, "2024-03-10", zone="America/New_York", freq="h"))


def test_half_of_a_repeated_hour_is_the_earlier():
    frame = candles(3).frame.assign(
        timestamp=pd.to_datetime(["2023-11-05 00:30", "2023-11-05 01:30", "2023-11-05 02:30"])
    )
    utc = CandleFrame(frame, "x", "yahoo", "America/New_York").utc
    assert [moment.hour for moment in utc] == [4, 5, 7]
    assert CandleFrame(frame, "x", "yahoo").utc[0].hour == 0


@st.composite
def feeding(draw):
    """Return cuts of 60 candles that together have all of them, overlapping and in any order."""
    count = draw(st.integers(1, 6))
    bounds = [sorted(draw(st.tuples(st.integers(0, 60), st.integers(0, 60)))) for _ in range(count)]
    starts = sorted(draw(st.sets(st.integers(1, 59), max_size=4)))
    whole = list(zip([0, *starts], [*starts, 60], strict=True))
    parts = [(start, stop) for start, stop in bounds + whole if start < stop]
    return draw(st.permutations(parts))


@pytest.mark.parametrize("dialect", ["duckdb", "sqlite"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=feeding(), quiet=st.integers(0, 60))
def test_fed_in_any_order_with_any_overlaps_is_fed_at_once(dialect, parts, quiet):
    whole = candles(60)
    whole.frame.loc[:quiet, "volume"] = 0.0  # a part of nothing but zeros comes without volume
    store = Store.open(f"{dialect}:///:memory:")
    store.series.merge(KEY, whole)
    once = store.series.read(KEY)
    fed = SeriesKey("fed", "x", "5m")
    for start, stop in parts:
        piece = part(whole, start, stop)
        if (piece.frame["volume"] == 0).all():
            piece = CandleFrame(piece.frame.drop(columns="volume"), piece.name, piece.source, piece.timezone)
        store.series.merge(fed, piece)
    read = store.series.read(fed)
    if (whole.frame["volume"] != 0).any():
        same(read, once)
    else:
        same(read, CandleFrame(once.frame.drop(columns="volume"), "", "", once.timezone))
    store.close()
