"""What is handed in is checked before anything is computed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from engine.errors import InputError
from engine.inputs import check_series

TIMES = pd.date_range("2024-03-01 09:30", periods=6, freq="5min")
HISTORY, FUTURE = TIMES[:4], TIMES[4:]


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {"open": [10.0, 11, 12, 13], "high": 14.0, "low": 9.0, "close": [11.0, 12, 13, 12], "volume": [1.0, 2, 3, 4]}
    )


def test_columns_come_in_any_order_beside_others(frame: pd.DataFrame) -> None:
    frame["note"] = "x"
    series = check_series(frame[["note", "volume", "close", "low", "high", "open"]], HISTORY, FUTURE)
    np.testing.assert_array_equal(series.values[:, :5], frame[["open", "high", "low", "close", "volume"]])


def test_a_missing_amount_is_volume_times_the_mean_price(frame: pd.DataFrame) -> None:
    series = check_series(frame, HISTORY, FUTURE)
    prices = frame[["open", "high", "low", "close"]].mean(axis=1)
    np.testing.assert_allclose(series.values[:, 5], frame["volume"] * prices)
    assert series.absent == frozenset()


def test_missing_volume_and_amount_are_zero_and_noted(frame: pd.DataFrame) -> None:
    series = check_series(frame.drop(columns="volume"), HISTORY, FUTURE)
    assert (series.values[:, 4:] == 0).all()
    assert series.absent == {"volume", "amount"}


def test_an_amount_without_volume_is_kept(frame: pd.DataFrame) -> None:
    amount = [100.0, 200, 300, 400]
    series = check_series(frame.drop(columns="volume").assign(amount=amount), HISTORY, FUTURE)
    assert series.values[:, 4].tolist() == [0] * 4
    assert series.values[:, 5].tolist() == amount
    assert series.absent == {"volume"}


def test_the_callers_frame_is_not_changed(frame: pd.DataFrame) -> None:
    before = frame.copy()
    check_series(frame, HISTORY, FUTURE)
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize(
    "convert",
    [pd.DatetimeIndex, pd.Series, list, np.asarray, lambda t: [str(x) for x in t], lambda t: list(t.to_pydatetime())],
    ids=["index", "series", "list", "array", "text", "datetime"],
)
def test_times_may_come_in_any_container(convert, frame: pd.DataFrame) -> None:
    series = check_series(frame, convert(HISTORY), convert(FUTURE))
    assert list(series.times) == list(HISTORY)
    assert list(series.future) == list(FUTURE)


def test_the_labels_of_a_slice_do_not_matter(frame: pd.DataFrame) -> None:
    frame.index = pd.Index([70, 71, 72, 73])
    times = pd.Series(TIMES, index=range(70, 76))
    series = check_series(frame, times[:4], times[4:])
    assert list(series.future) == list(FUTURE)


def test_times_keep_their_zone_even_over_the_end_of_summer_time(frame: pd.DataFrame) -> None:
    times = pd.date_range("2024-11-03 00:30", periods=6, freq="30min", tz="America/New_York")
    assert not times.tz_localize(None).is_unique  # the clock shows 1:00 and 1:30 twice
    series = check_series(frame, times[:4], times[4:])
    assert list(series.times.append(series.future)) == list(times)


@pytest.mark.parametrize(
    ("history", "future", "message"),
    [
        (HISTORY[:3], FUTURE, r"x_timestamp has 3 entries and the series 4 candles"),
        (HISTORY[::-1], FUTURE, r"x_timestamp of the series does not ascend: 2024-03-01 09:40:00 at position 1"),
        (HISTORY[[0, 1, 1, 3]], FUTURE, r"x_timestamp of the series does not ascend: .* at position 2"),
        (HISTORY, FUTURE[::-1], r"y_timestamp of the series does not ascend"),
        (HISTORY, HISTORY[3:], r"y_timestamp of the series starts at 2024-03-01 09:45:00, not after"),
        ([*HISTORY[:3], None], FUTURE, r"x_timestamp of the series has no time at position 3"),
        (["a", "b", "c", "d"], FUTURE, r"x_timestamp of the series holds something that is not a time"),
        ([1, 2, 3, 4], FUTURE, r"x_timestamp of the series holds numbers such as 1"),
        (HISTORY, FUTURE.tz_localize("UTC"), r"x_timestamp .* time zone None and y_timestamp UTC"),
        ([*HISTORY[:3].tz_localize("UTC"), HISTORY[3].tz_localize("Asia/Tokyo")], FUTURE, r"not a time"),
    ],
)
def test_times_that_cannot_be_right_are_named(history, future, message: str, frame: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=message):
        check_series(frame, history, future)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, "n/a", None])
@pytest.mark.parametrize("column", ["close", "volume"])
def test_a_value_that_is_no_finite_number_is_named_with_its_row(column: str, value, frame: pd.DataFrame) -> None:
    frame[column] = frame[column].astype(object)
    frame.loc[2, column] = value
    with pytest.raises(InputError, match=f"{column} of the series is .* at position 2: a finite number is needed"):
        check_series(frame, HISTORY, FUTURE)


@pytest.mark.parametrize("price", [0.0, -1.0])
def test_a_price_at_or_below_zero_is_refused_where_paths_are_kept(price: float, frame: pd.DataFrame) -> None:
    frame.loc[1, "low"] = price
    check_series(frame, HISTORY, FUTURE)
    with pytest.raises(InputError, match=f"low of the series is {price} at position 1: a price must be above zero"):
        check_series(frame, HISTORY, FUTURE, positive=True)


def test_missing_columns_are_named_beside_those_there_are(frame: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"Columns high, low are missing in gold; it has open, close, volume"):
        check_series(frame.drop(columns=["high", "low"]), HISTORY, FUTURE, name="gold")


@pytest.mark.parametrize("rows", [0, 1])
def test_a_forecast_needs_a_history(rows: int, frame: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=f"The series has {rows} candles; a forecast needs at least 2"):
        check_series(frame[:rows], HISTORY[:rows], FUTURE)
