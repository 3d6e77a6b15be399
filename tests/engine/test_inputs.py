"""What is handed in is checked before anything is computed."""

from __future__ import annotations

from decimal import Decimal

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


def side_by_side(frame: pd.DataFrame, *tickers: str) -> pd.DataFrame:
    """Columns of two levels, as yfinance downloads them."""
    return pd.concat(dict.fromkeys(tickers, frame), axis=1).swaplevel(axis=1)


def test_tickers_side_by_side_are_named_with_the_way_to_take_them_apart(frame: pd.DataFrame) -> None:
    both = side_by_side(frame, "AAPL", "MSFT")
    with pytest.raises(InputError, match=r"holds 2 tickers \(AAPL, MSFT\): .* df.xs\('AAPL', axis=1, level=1\)"):
        check_series(both, HISTORY, FUTURE)
    with pytest.raises(InputError, match=r"df.xs\('AAPL', axis=1, level=0\)"):
        check_series(both.swaplevel(axis=1), HISTORY, FUTURE)
    check_series(both.xs("AAPL", axis=1, level=1), HISTORY, FUTURE)


def test_a_second_header_row_is_taken_off(frame: pd.DataFrame) -> None:
    alone = side_by_side(frame, "AAPL")
    with pytest.raises(InputError, match=r"ticker AAPL: remove it with df.droplevel\(1, axis=1\)"):
        check_series(alone, HISTORY, FUTURE)
    check_series(alone.droplevel(1, axis=1), HISTORY, FUTURE)


@pytest.mark.parametrize("column", ["close", "volume"])
def test_a_column_that_is_there_twice_is_named(column: str, frame: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=f"Column {column} is there 2 times in the series: keep one"):
        check_series(pd.concat([frame, frame[[column]]], axis=1), HISTORY, FUTURE)


def test_names_in_other_letters_are_renamed(frame: pd.DataFrame) -> None:
    with pytest.raises(
        InputError, match=r"Columns open, high, low, close are missing .* df.rename\(columns=str.lower\)"
    ):
        check_series(frame.rename(columns=str.capitalize), HISTORY, FUTURE)


@pytest.mark.parametrize("candles", [None, {"open": [1.0]}, np.ones((4, 4)), pd.Series([1.0]), "candles.csv"], ids=type)
def test_candles_are_a_data_frame(candles) -> None:
    with pytest.raises(InputError, match=f"The series is of type {type(candles).__name__}: pass a pandas.DataFrame"):
        check_series(candles, HISTORY, FUTURE)


@pytest.mark.parametrize(
    "values",
    [[True] * 4, HISTORY, HISTORY - HISTORY[0], np.ones(4) + 0j, pd.Categorical(["a"] * 4)],
    ids=["bool", "time", "duration", "complex", "category"],
)
def test_a_column_that_holds_no_numbers_is_named_with_its_type(values, frame: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"volume of the series is of type .*, not numbers: convert it first"):
        check_series(frame.assign(volume=values), HISTORY, FUTURE)


@pytest.mark.parametrize("cell", [True, [1.0], HISTORY[0], 1j], ids=repr)
def test_a_cell_that_is_no_number_is_named_among_numbers(cell, frame: pd.DataFrame) -> None:
    frame["volume"] = pd.Series([1.0, 2.0, cell, 4.0], dtype=object)
    with pytest.raises(InputError, match=r"volume of the series is .* at position 2: a finite number is needed"):
        check_series(frame, HISTORY, FUTURE)


def test_a_missing_number_of_a_nullable_column_is_named(frame: pd.DataFrame) -> None:
    frame["volume"] = pd.array([1, 2, None, 4], dtype="Int64")
    with pytest.raises(InputError, match="volume of the series is <NA> at position 2"):
        check_series(frame, HISTORY, FUTURE)


def test_a_number_too_large_to_compute_with_is_named(frame: pd.DataFrame) -> None:
    with pytest.raises(
        InputError, match=r"volume of the series is 1e\+200 at position 0: numbers may be at most 1e\+50"
    ):
        check_series(frame.assign(volume=1e200), HISTORY, FUTURE)


@pytest.mark.parametrize("kind", ["Int64", "float32", "object", "int64[pyarrow]", "str"])
def test_numbers_may_be_of_any_type(kind: str, frame: pd.DataFrame) -> None:
    plain = check_series(frame, HISTORY, FUTURE)
    np.testing.assert_array_equal(check_series(frame.astype(int).astype(kind), HISTORY, FUTURE).values, plain.values)
    decimals = frame.assign(volume=[Decimal(1), Decimal(2), Decimal(3), Decimal(4)])
    np.testing.assert_array_equal(check_series(decimals, HISTORY, FUTURE).values, plain.values)


@pytest.mark.parametrize(
    "times",
    [None, "2024-03-01", HISTORY[0], 5, HISTORY.to_frame(), {0: HISTORY[0]}, set(HISTORY)],
    ids=type,
)
def test_times_are_a_list(times, frame: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=f"x_timestamp of the series is of type {type(times).__name__}: pass a list"):
        check_series(frame, times, FUTURE)


@pytest.mark.parametrize(
    "times",
    [[*HISTORY[:3], 5], pd.Series([1, 2, 3, 4], dtype=object), [True] * 4, [1j] * 4],
    ids=["one", "object", "bool", "complex"],
)
def test_numbers_are_no_times_wherever_they_stand(times, frame: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="x_timestamp of the series holds numbers such as"):
        check_series(frame, times, FUTURE)


@pytest.mark.parametrize(
    "times",
    [pd.period_range("2024", periods=4), HISTORY - HISTORY[0], [*HISTORY[:3], HISTORY[3].tz_localize("UTC")]],
    ids=["periods", "durations", "a zone for one"],
)
def test_what_is_no_time_is_refused_with_a_remedy(times, frame: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"not a time .*convert it with pandas.to_datetime, in one zone"):
        check_series(frame, times, FUTURE)
