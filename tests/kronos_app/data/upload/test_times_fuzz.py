"""Whatever a column holds, it is read or refused; written forms, zones and resolutions round-trip."""

import datetime
from contextlib import suppress
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kronos_app.data.upload import timestamps
from kronos_app.data.upload.times import formats
from kronos_app.errors import InvalidInput

FUZZ = settings(max_examples=150, deadline=None, derandomize=True)

FRAGMENTS = (
    "2024", "24", "113", "1", "01", "31", "99999", "1704153600", "1704153600000", "45322.5", "20240131", "930",
    "093000", "240000", "e1", "1e5", "nan", "-", "/", ".", ":", "T", "Z", "+08:00", "-14:00", "+99", "UTC", "GMT+2",
    "EST", "US/Eastern", "年", "月", "日", "年1月", "上午", "民國", "Jan", "Tue", "PM", "AM", ",", ";", "(", ")",
    "星期二", "오후", "24:00", "00",
)  # fmt: skip
PIECES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(FRAGMENTS),
    st.just(" "),
)
CELLS = st.lists(st.one_of(st.none(), st.lists(PIECES, max_size=7).map("".join)), min_size=1, max_size=8)
EXTREME = st.integers(-(2**63), 2**63 - 1)
ARRAYS = st.one_of(
    CELLS.map(lambda cells: pa.array(cells, pa.string())),
    CELLS.map(lambda cells: pa.array(cells, pa.large_string())),
    CELLS.map(lambda cells: pa.array(cells, pa.string()).dictionary_encode()),
    st.lists(st.one_of(st.none(), EXTREME), min_size=1, max_size=8).map(lambda v: pa.array(v, pa.int64())),
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=8).map(lambda v: pa.array(v, pa.uint64())),
    st.lists(st.floats(), min_size=1, max_size=8).map(lambda v: pa.array(v, pa.float64())),
    st.lists(st.floats(width=16), min_size=1, max_size=8).map(lambda v: pa.array(np.array(v, np.float16))),
    st.lists(st.decimals(-(10**20), 10**20, places=4), min_size=1, max_size=8).map(
        lambda v: pa.array(v, pa.decimal128(38, 4))
    ),
    st.tuples(
        st.lists(EXTREME, min_size=1, max_size=8),
        st.sampled_from(["s", "ms", "us", "ns"]),
        st.sampled_from([None, "UTC", "+08:00", "America/New_York", "Mars/Olympus"]),
    ).map(lambda v: pa.array(v[0], pa.int64()).cast(pa.timestamp(v[1], v[2]), safe=False)),
    st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=8).map(
        lambda v: pa.array(v, pa.int32()).cast(pa.date32())
    ),
    st.lists(EXTREME, min_size=1, max_size=8).map(lambda v: pa.array(v, pa.int64()).cast(pa.date64(), safe=False)),
    st.lists(st.integers(0, 86_399_999_999), min_size=1, max_size=8).map(
        lambda v: pa.array(v, pa.int64()).cast(pa.time64("us"))
    ),
    st.lists(st.integers(0, 86_399), min_size=1, max_size=8).map(
        lambda v: pa.array(v, pa.int32()).cast(pa.time32("s"))
    ),
    st.lists(st.booleans(), min_size=1, max_size=8).map(pa.array),
    st.lists(st.binary(max_size=4), min_size=1, max_size=8).map(pa.array),
    st.lists(EXTREME, min_size=1, max_size=8).map(lambda v: pa.array(v, pa.int64()).cast(pa.duration("ns"))),
    st.lists(st.none(), min_size=1, max_size=8).map(pa.array),
)


def column(array):
    return pa.chunked_array([array])


def check(parsed, count):
    assert parsed.values.dtype == np.dtype("datetime64[ns]")
    assert len(parsed.values) == len(parsed.bad) == len(parsed.cells) == count
    assert not (parsed.bad & ~np.isnat(parsed.values)).any()
    assert all(finding.message.render() for finding in parsed.findings)
    if parsed.timezone is not None:
        pd.DatetimeIndex([]).tz_localize(parsed.timezone)


@FUZZ
@given(array=ARRAYS)
def test_a_column_of_any_type_is_read_or_refused(array):
    with suppress(InvalidInput):
        check(timestamps.parse(column(array)), len(array))


@FUZZ
@given(date=ARRAYS, clock=ARRAYS)
def test_a_date_and_a_clock_of_any_types_are_joined_or_refused(date, clock):
    count = min(len(date), len(clock))
    with suppress(InvalidInput):
        check(timestamps.parse(column(date.slice(0, count)), column(clock.slice(0, count))), count)


@FUZZ
@given(
    array=ARRAYS,
    time_format=st.one_of(
        st.sampled_from(formats.NAMES), st.text(max_size=8), st.sampled_from(["%d/%m/%Y", "%Y %H", "%z"])
    ),
    timezone=st.sampled_from([None, "Asia/Shanghai", "UTC", "America/New_York", "+05:30", "Mars/Olympus", ""]),
)
def test_any_stated_format_and_zone_are_used_or_refused(array, time_format, timezone):
    with suppress(InvalidInput):
        check(timestamps.parse(column(array), time_format=time_format, timezone=timezone), len(array))


# Times after the 12th of a month, so that no order of day and month is in doubt.
STARTS = st.datetimes(datetime.datetime(1975, 1, 1), datetime.datetime(2025, 1, 1)).map(
    lambda start: pd.Timestamp(start).replace(day=13 + start.day % 15, microsecond=0).floor("min")
)
STEPS = st.sampled_from(["1min", "5min", "1h", "1D"])
WRITTEN = [
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M", "%Y.%m.%d %H:%M", "%Y%m%d %H:%M:%S", "%Y%m%d %H%M%S",
    "%Y%m%d%H%M", "%Y%m%d%H%M%S", "%Y%m%d%H%M%S000", "%Y%m%d-%H:%M:%S", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M",
    "%m/%d/%Y %I:%M %p", "%d.%m.%Y %H:%M:%S", "%d-%b-%Y %H:%M", "%b %d, %Y %H:%M", "%a, %d %b %Y %H:%M:%S",
    "%Y年%m月%d日 %H:%M", "%Y年%m月%d日 %H时%M分", "%Y년 %m월 %d일 %H:%M", "%Y-%b-%d %H:%M", "%d%b%Y:%H:%M:%S",
    "%a %b %d %H:%M:%S %Y", "%Y-%m-%d %H:%M:%S.000000",
]  # fmt: skip


@pytest.mark.parametrize("form", WRITTEN)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(start=STARTS, step=STEPS)
def test_every_written_form_round_trips(form, start, step):
    times = pd.date_range(start, periods=5, freq=step)
    parsed = timestamps.parse(column(pa.array([time.strftime(form) for time in times])))
    assert parsed.values.tolist() == times.to_numpy("datetime64[ns]").tolist()
    assert parsed.timezone is None
    assert not parsed.bad.any()


ZONES = ["America/New_York", "Europe/London", "Asia/Shanghai", "Asia/Kolkata", "Australia/Sydney", "UTC"]


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    start=STARTS,
    step=STEPS,
    form=st.sampled_from(["offset", "name", "epoch", "arrow"]),
    unit=st.sampled_from(["s", "ms", "us", "ns"]),
)
def test_every_zone_and_resolution_keeps_its_instants(zone, start, step, form, unit):
    local = pd.date_range(start, periods=40, freq=step).tz_localize(zone, ambiguous="NaT", nonexistent="NaT").dropna()
    instants = local.tz_convert("UTC")
    array = {
        "offset": lambda: pa.array([time.isoformat() for time in local]),
        "name": lambda: pa.array([f"{time:%Y-%m-%d %H:%M:%S} {zone}" for time in local]),
        "epoch": lambda: pa.array(instants.as_unit(unit).asi8),
        "arrow": lambda: pa.array(local.as_unit(unit)),
    }[form]()
    if form == "epoch" and np.abs(array.to_numpy()).min() < 1e8:
        return  # so small a number is no epoch
    parsed = timestamps.parse(column(array))
    read = pd.DatetimeIndex(parsed.values)
    zoned = read.tz_localize(parsed.timezone, ambiguous=np.ones(len(read), bool), nonexistent="shift_forward")
    assert (zoned.tz_convert("UTC") == instants).all()


@settings(max_examples=30, deadline=None, derandomize=True)
@given(start=STARTS, zone=st.sampled_from([zone for zone in ZONES if zone != "UTC"]))
def test_a_stated_zone_takes_instants_and_times_on_its_clock_alike(start, zone):
    instants = pd.date_range(start, periods=30, freq="3h", tz="UTC")
    local = instants.tz_convert(ZoneInfo(zone)).tz_localize(None)
    if not local.is_unique:
        return
    from_epochs = timestamps.parse(column(pa.array(instants.as_unit("ms").asi8)), timezone=zone)
    on_the_clock = timestamps.parse(column(pa.array([str(time) for time in local])), timezone=zone)
    assert from_epochs.timezone == on_the_clock.timezone == zone
    assert (from_epochs.values == on_the_clock.values).all()
    assert (pd.DatetimeIndex(from_epochs.values) == local).all()
