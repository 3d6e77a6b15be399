from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from kronos_app.data.about import About
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.errors import InvalidInput
from kronos_app.services.forecast.plan import plan_forecast
from kronos_app.services.forecast.request import ForecastRequest
from kronos_app.store import CandleSet


@pytest.fixture
def candles(make_frame):
    return CandleSet("walk", CandleFrame(make_frame(60), "walk.csv", "upload"), {}, {})


def request(**fields):
    return ForecastRequest.build({"candles_id": "walk", "lookback": 40, "horizon": 8, "seed": 1, **fields})


def in_zone(candles, zone):
    return CandleSet("walk", CandleFrame(candles.candles.frame, "walk.csv", "upload", zone), {}, {})


def test_without_a_cutoff_the_history_ends_with_the_last_candle(candles):
    planned = plan_forecast(request(), candles, 64)
    assert len(planned.history) == 40
    assert planned.cutoff == candles.candles.timestamps[-1]
    assert list(planned.timestamps.hour) == list((np.arange(8) + 12) % 24)


def test_a_cutoff_is_the_last_history_candle(candles):
    planned = plan_forecast(request(cutoff="2024-03-02T23:00:00"), candles, 64)
    assert planned.cutoff == candles.candles.timestamps[47]
    assert planned.timestamps[0] == candles.candles.timestamps[48]
    assert planned.history.frame["close"].tolist() == candles.candles.frame["close"].iloc[8:48].tolist()


def test_an_aware_cutoff_is_converted_to_the_time_of_the_candles(candles):
    cutoff = datetime(2024, 3, 2, 15, tzinfo=UTC)
    for zone in ("Asia/Shanghai", "UTC+08:00"):
        assert (
            plan_forecast(request(cutoff=cutoff), in_zone(candles, zone), 64).cutoff == candles.candles.timestamps[47]
        )


def test_an_aware_cutoff_for_candles_without_zone_is_refused(candles):
    with pytest.raises(InvalidInput, match="names a time zone"):
        plan_forecast(request(cutoff=datetime(2024, 3, 2, 15, tzinfo=UTC)), candles, 64)


@pytest.mark.parametrize("cutoff", ["2024-02-01T00:00:00", "2025-01-01T00:00:00", "0001-01-01T00:00:00"])
def test_a_cutoff_outside_the_series_is_told_its_range(candles, cutoff):
    with pytest.raises(InvalidInput, match="is outside") as caught:
        plan_forecast(request(cutoff=cutoff), candles, 64)
    assert "2024-03-01 00:00:00 to 2024-03-03 11:00:00" in caught.value.hint.render()


def test_a_cutoff_between_candles_is_told_the_one_before(candles):
    with pytest.raises(InvalidInput, match="no candle at") as caught:
        plan_forecast(request(cutoff="2024-03-02T23:30:00"), candles, 64)
    assert "2024-03-02 23:00:00" in caught.value.hint.render()


def test_fewer_rows_than_lookback_names_the_largest_possible(candles):
    with pytest.raises(InvalidInput, match=r"lookback: walk\.csv has 21 candles") as caught:
        plan_forecast(request(cutoff="2024-03-01T20:00:00"), candles, 64)
    assert "21 or less" in caught.value.hint.render()


def test_a_single_candle_is_too_few(candles):
    with pytest.raises(InvalidInput) as caught:
        plan_forecast(request(cutoff="2024-03-01T00:00:00", lookback=2), candles, 64)
    assert "at least 2 candles" in caught.value.hint.render()


def test_a_lookback_beyond_the_context_is_cut_to_what_fits_beside_the_horizon(candles):
    planned = plan_forecast(request(horizon=30), candles, 64)
    assert len(planned.history) == 34
    assert planned.cutoff == candles.candles.timestamps[-1]


def test_a_horizon_beyond_the_context_names_the_largest_horizon(candles):
    with pytest.raises(InvalidInput) as caught:
        plan_forecast(request(horizon=1_000_000), candles, 64)
    assert "Set horizon to 62 or less" in caught.value.hint.render()


@pytest.mark.parametrize("window", ["exact", "strided"])
def test_a_window_that_slides_begins_with_all_the_history_there_is_room_for(candles, window):
    assert len(plan_forecast(request(lookback=50, horizon=30, window=window), candles, 64).history) == 50
    assert len(plan_forecast(request(lookback=50, horizon=30, window=window), candles, 45).history) == 45
    with pytest.raises(InvalidInput, match="65 candles are more than the 64") as caught:
        plan_forecast(request(horizon=65, window=window), candles, 64)
    assert "Set horizon to 64 or less" in caught.value.hint.render()


def test_lookback_and_horizon_may_fill_the_context(candles):
    assert len(plan_forecast(request(lookback=50, horizon=14), candles, 64).timestamps) == 14


def test_what_comes_after_the_cutoff_changes_neither_times_nor_content(candles, make_frame):
    changed = candles.candles.frame.copy()
    changed.loc[48:, ["open", "high", "low", "close", "volume"]] *= 7
    changed.loc[48:, "timestamp"] = changed.loc[48:, "timestamp"] + np.timedelta64(11, "m") * np.arange(1, 13)
    cheating = CandleSet("other", CandleFrame(changed, "other.csv", "upload"), {}, {})
    one, other = (plan_forecast(request(cutoff="2024-03-02T23:00:00"), each, 64) for each in (candles, cheating))
    assert one.content("weights") == other.content("weights")
    assert one.timestamps.equals(other.timestamps)
    assert one.forecast_id("weights") != other.forecast_id("weights"), "each set has an outcome of its own"


@pytest.fixture
def september(make_frame):
    """Return a function that makes a set of daily candles that go on after 10 September 2001 as they are told to."""

    def make(after, calendar="XNYS"):
        frame = make_frame(60).assign(timestamp=[*pd.bdate_range(end="2001-09-10", periods=50), *after])
        return CandleSet("walk", CandleFrame(frame, "d", "upload", about=About(calendar=calendar)), {}, {})

    return make


def test_neither_what_came_nor_a_day_that_nobody_knew_to_be_shut_is_in_the_times(september):
    came = pd.bdate_range("2001-09-17", periods=10)
    cheat = pd.date_range("2001-09-12 03:07", periods=10, freq="29h")
    planned = [plan_forecast(request(cutoff="2001-09-10T00:00:00"), september(after), 64) for after in (came, cheat)]
    assert planned[0].timestamps.equals(planned[1].timestamps)
    assert planned[0].content("w") == planned[1].content("w")
    assert planned[0].timestamps.tolist() == list(pd.bdate_range("2001-09-11", periods=8))


def test_the_times_keep_clear_of_the_holidays_of_the_calendar(september):
    candles = september(pd.bdate_range("2001-12-10", periods=10))
    assert pd.Timestamp("2001-12-25") not in plan_forecast(request(), candles, 64).timestamps
    learned = september(pd.bdate_range("2001-12-10", periods=10), calendar=None)
    assert pd.Timestamp("2001-12-25") in plan_forecast(request(), learned, 64).timestamps
    assert (plan_forecast(request(), candles, 64).calendar, plan_forecast(request(), learned, 64).calendar) == (
        "XNYS",
        None,
    )


def test_a_calendar_that_the_candles_up_to_the_cutoff_do_not_follow_is_not_used(candles):
    told = CandleFrame(candles.candles.frame, "walk.csv", "upload", about=About(calendar="XNYS"))
    planned = plan_forecast(request(), CandleSet("walk", told, {}, {}), 64)
    assert planned.calendar is None
    assert planned.timestamps.equals(plan_forecast(request(), candles, 64).timestamps)


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.9},
        {"top_k": 3},
        {"top_p": 0.9},
        {"samples": 7},
        {"seed": 2},
        {"lookback": 41},
        {"horizon": 9},
        {"window": "strided"},
    ],
)
def test_everything_that_paths_depend_on_changes_the_content(candles, change):
    assert plan_forecast(request(), candles, 64).content("w") != plan_forecast(request(**change), candles, 64).content(
        "w"
    )


def test_weights_and_values_change_the_content_but_levels_do_not(candles, make_frame):
    planned = plan_forecast(request(), candles, 64)
    others = CandleSet("walk", CandleFrame(make_frame(60, seed=1), "walk.csv", "upload"), {}, {})
    assert planned.content("w") != planned.content("v")
    assert planned.content("w") != plan_forecast(request(), others, 64).content("w")
    assert planned.content("w") == plan_forecast(request(levels=(0.5,)), candles, 64).content("w")


def split_after(frame, rows, ratio, volume=True):
    """Candles of one price level up to `rows`, and of another, `ratio` times lower, from there on."""
    changed = frame.copy()
    changed.loc[rows:, ["open", "high", "low", "close"]] /= ratio
    if volume:
        changed.loc[rows:, "volume"] *= ratio
    return CandleSet("walk", CandleFrame(changed, "walk.csv", "upload"), {}, {})


@pytest.mark.parametrize("ratio", [4.0, 10.0, 50.0, 100.0, 1000.0, 0.1, 0.02])
@pytest.mark.parametrize("volume", [True, False])
def test_a_split_inside_the_history_is_refused_with_the_lookback_that_leaves_it_out(make_frame, ratio, volume):
    candles = split_after(make_frame(60), 45, ratio, volume)
    with pytest.raises(InvalidInput, match="is not adjusted for a split of") as caught:
        plan_forecast(request(), candles, 64)
    assert "set lookback to 15 or less" in caught.value.hint.render()
    assert len(plan_forecast(request(lookback=15), candles, 64).history) == 15
    with pytest.raises(InvalidInput, match="split"):
        plan_forecast(request(lookback=16), candles, 64)


@pytest.mark.parametrize("ratio", [35.0, 66.0, 1 / 180])
def test_a_change_of_level_by_an_unusual_ratio_is_refused_too(make_frame, ratio):
    with pytest.raises(InvalidInput, match="as after a split of an unusual ratio") as caught:
        plan_forecast(request(), split_after(make_frame(60), 45, ratio), 64)
    assert "set lookback to 15 or less" in caught.value.hint.render()


@pytest.mark.parametrize("fall", [0.5, 0.6, 0.8])
@pytest.mark.parametrize("overnight", [True, False])
def test_a_crash_is_no_split(make_frame, fall, overnight):
    frame = make_frame(60)
    before = frame["close"].iloc[44]
    candles = split_after(frame, 45, 1 / (1 - fall), volume=False)
    crashed = candles.candles.frame
    crashed.loc[45, "volume"] *= 8
    if not overnight:
        crashed.loc[45, ["open", "high"]] = before
    assert len(plan_forecast(request(), candles, 64).history) == 40


def test_a_crash_of_sixty_percent_without_volume_is_no_split(make_frame):
    frame = make_frame(60).drop(columns=["volume", "amount"], errors="ignore")
    assert len(plan_forecast(request(), split_after(frame, 45, 2.5, volume=False), 64).history) == 40


def test_a_split_after_the_cutoff_is_not_looked_at(make_frame):
    candles = split_after(make_frame(60), 50, 100.0)
    assert len(plan_forecast(request(cutoff="2024-03-02T23:00:00"), candles, 64).history) == 40


def test_a_bad_tick_is_no_change_of_level(make_frame):
    frame = make_frame(60)
    frame.loc[45, ["open", "high", "low", "close"]] *= 100
    assert (
        len(plan_forecast(request(), CandleSet("walk", CandleFrame(frame, "walk.csv", "upload"), {}, {}), 64).history)
        == 40
    )


def test_a_split_right_before_the_last_candle_is_adjusted_or_left_behind(make_frame):
    with pytest.raises(InvalidInput, match="split") as caught:
        plan_forecast(request(), split_after(make_frame(60), 59, 100.0), 64)
    assert (
        "Adjust the candles for the split on the Data page, or choose an earlier cutoff." in caught.value.hint.render()
    )
