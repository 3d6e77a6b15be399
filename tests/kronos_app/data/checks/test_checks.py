from datetime import date

import numpy as np
import pandas as pd
import pytest

from kronos_app.data import sample
from kronos_app.data.about import About
from kronos_app.data.checks import quality, repair, suspect
from kronos_app.data.checks.findings import MOST_MARKS, Mark
from kronos_app.data.draft import Draft
from kronos_app.errors import InvalidInput

NOW = pd.Timestamp("2026-01-01", tz="UTC")


def walk(count=400, freq="1D", start="2024-01-01", seed=0, scale=0.01):
    """Return a quiet random walk with volume."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, scale, count)))
    opened = np.r_[100.0, close[:-1]]
    wick = np.abs(rng.normal(0, scale / 2, (2, count)))
    return pd.DataFrame({
        "timestamp": pd.date_range(start, periods=count, freq=freq),
        "open": opened,
        "high": np.maximum(opened, close) * (1 + wick[0]),
        "low": np.minimum(opened, close) * (1 - wick[1]),
        "close": close,
        "volume": rng.integers(500, 1500, count).astype(float),
    }, index=pd.RangeIndex(2, count + 2, name="row"))  # fmt: skip


def draft(frame, **fields):
    return Draft(frame, "x", "test", **fields)


def codes(frame, **fields):
    return {finding.code for finding in quality.inspect(draft(frame, **fields), NOW).findings}


def test_a_quiet_walk_is_above_suspicion_and_scores_full():
    report = quality.inspect(draft(walk()), NOW)
    assert (report.findings, report.score, report.deductions, report.marks) == ((), 100, (), ())


def test_a_close_that_leaves_and_comes_back_is_an_outlier_and_a_crash_is_not():
    frame = walk()
    frame.loc[102, ["close", "low"]] *= 0.5
    report = quality.inspect(draft(frame), NOW)
    assert (report.outliers, report.jumps) == (1, 0)
    assert report.marks == (Mark("outliers", frame.timestamp[102], frame.timestamp[102]),)
    crash = walk()
    crash.loc[102:, ["open", "high", "low", "close"]] *= 0.71
    assert "outliers" not in codes(crash)


@pytest.mark.parametrize(("column", "factor"), [("high", 2.0), ("low", 0.5)])
def test_a_high_or_low_beyond_everything_around_it_is_an_outlier(column, factor):
    frame = walk()
    frame.loc[102, column] *= factor
    assert quality.inspect(draft(frame), NOW).outliers == 1


def test_a_leap_that_stays_is_told_apart():
    frame = walk()
    frame.loc[102:, ["open", "high", "low", "close"]] *= 4.6
    report = quality.inspect(draft(frame), NOW)
    assert (report.jumps, report.splits, report.outliers) == (1, 0, 0)


@pytest.mark.parametrize(("ratio", "said"), [(2, "2 for 1"), (1.5, "3 for 2"), (0.1, "1 for 10"), (7, "7 for 1")])
def test_splits_are_found_by_their_ratio(ratio, said):
    frame = walk()
    frame.loc[202:, ["open", "high", "low", "close"]] /= ratio
    frame.loc[202:, "volume"] *= ratio
    report = quality.inspect(draft(frame), NOW)
    assert (report.splits, report.jumps) == (1, 0)
    assert said in report.findings[0].message.render()
    assert report.findings[0].rows == (202,)


def test_a_price_that_halves_on_news_is_no_split():
    frame = walk()
    frame.loc[202:, ["open", "high", "low", "close"]] /= 2
    frame.loc[202, "volume"] *= 12
    assert quality.inspect(draft(frame), NOW).splits == 0


def test_real_splits_of_the_samples_are_found_and_the_crash_of_apple_in_2000_is_none():
    found = [mark.first.date() for mark in quality.inspect(sample.load("AAPL")).marks if mark.code == "splits"]
    assert found == [date(2000, 6, 21), date(2005, 2, 28)]
    assert quality.inspect(sample.load("MSFT")).splits == 1


@pytest.mark.parametrize("name", ["sp500", "nasdaq", "GOOG", "IBM"])
def test_real_series_without_faults_score_full(name):
    report = quality.inspect(sample.load(name))
    assert report.score == 100, report.deductions


def test_prices_that_repeat_without_volume_are_stale_and_a_locked_limit_is_not():
    frame = walk()
    for row in range(103, 113):
        frame.loc[row, ["open", "high", "low", "close"]] = frame.loc[102, "close"]
    locked = quality.inspect(draft(frame), NOW)
    assert locked.stale == 0
    frame.loc[103:112, "volume"] = 0.0
    report = quality.inspect(draft(frame), NOW)
    assert (report.stale, report.silent) == (9, 0)
    without = frame.drop(columns="volume")
    assert quality.inspect(draft(without), NOW).stale == 9


def test_an_illiquid_series_that_often_repeats_is_not_called_stale():
    frame = walk(2000)
    rng = np.random.default_rng(1)
    for row in np.flatnonzero(rng.random(2000) < 0.5)[1:] + 2:
        if row > 2:
            frame.loc[row, ["open", "high", "low", "close"]] = frame.loc[row - 1, ["open", "high", "low", "close"]]
            frame.loc[row, "volume"] = 0.0
    assert quality.inspect(draft(frame), NOW).stale == 0


def test_a_stretch_without_volume_is_found_where_there_is_volume_elsewhere():
    frame = walk()
    frame.loc[102:131, "volume"] = 0.0
    report = quality.inspect(draft(frame), NOW)
    assert (report.silent, report.stale) == (30, 0)
    frame["volume"] = 0.0
    assert quality.inspect(draft(frame), NOW).silent == 0


def test_two_intervals_in_one_series_are_found():
    daily, hourly = walk(300), walk(200, "1h", start="2024-10-27")
    hourly.index = range(302, 502)
    report = quality.inspect(draft(pd.concat([daily, hourly]).rename_axis("row")), NOW)
    assert report.mixed >= 180
    assert report.score < 70


@pytest.mark.parametrize(
    ("timezone", "calendar", "now", "unfinished"),
    [
        (None, None, "2025-02-03 12:00", False),  # it may be tomorrow somewhere
        (None, None, "2025-02-03 09:00", True),
        ("America/New_York", None, "2025-02-03 22:00", True),
        ("America/New_York", "XNYS", "2025-02-03 20:59", True),
        ("America/New_York", "XNYS", "2025-02-03 21:01", False),
    ],
)
def test_a_candle_is_unfinished_until_it_ends_where_it_is_traded(timezone, calendar, now, unfinished):
    frame = walk(400)
    frame["timestamp"] = pd.bdate_range(end="2025-02-03", periods=400)
    about = About(calendar=calendar)
    report = quality.inspect(draft(frame, timezone=timezone, about=about), pd.Timestamp(now, tz="UTC"))
    assert report.unfinished == unfinished
    assert ("unfinished" in {finding.code for finding in report.findings}) == unfinished


def test_a_last_candle_off_the_grid_was_cut_off():
    frame = walk(200, "1h")
    frame.loc[201, "timestamp"] -= pd.Timedelta("23min")
    assert suspect(frame, now=NOW).unfinished


def test_marks_are_few_and_come_back_from_json():
    frame = walk(3000)
    frame.loc[frame.index[5::20], "high"] *= 3
    report = quality.inspect(draft(frame), NOW)
    assert report.outliers > MOST_MARKS
    assert sum(mark.code == "outliers" for mark in report.marks) == MOST_MARKS
    told = report.to_dict()
    assert [Mark.from_dict(mark) for mark in told["marks"]] == list(report.marks)
    assert told["score"] == report.score == 100 - sum(one["points"] for one in told["deductions"])


def test_adjusting_for_splits_divides_what_came_before_and_says_so():
    loaded = sample.load("AAPL")
    repaired = repair.apply(loaded, fixes=["adjust_splits"])
    before, after = loaded.frame.reset_index(drop=True), repaired.candles.frame
    assert np.allclose(after["close"][:78], before["close"][:78] / 4)
    assert np.allclose(after["volume"][:78], before["volume"][:78] * 4)
    assert after["close"].tail(1000).tolist() == before["close"].tail(1000).tolist()
    assert quality.inspect(draft(after)).splits == 0
    assert [step.kind for step in repaired.steps] == ["adjust_splits"]
    assert "2:1 2000-06-21, 2:1 2005-02-28" in repaired.steps[0].message.render()
    assert set(repaired.changes["action"]) == {"split"}


def test_fixes_compose_in_their_own_order_and_only_what_was_done_is_recorded():
    frame = walk()
    frame.loc[202:, ["open", "high", "low", "close"]] /= 2
    frame.loc[52, "high"] *= 3
    frame.loc[102, "open"] = np.nan
    whole = draft(frame)
    fixes = ["drop_outliers", "drop_stale", "adjust_splits", "drop_unfinished"]
    repaired = repair.apply(whole, "drop", fixes, now=NOW)
    assert [(step.kind, step.count) for step in repaired.steps] == [("adjust_splits", 1), ("drop_outliers", 1)]
    assert repaired.record["choice"] == "drop"
    assert repaired.record["steps"][0]["message"]["params"]["splits"] == "2:1 2024-07-19"
    assert (repaired.dropped, len(repaired.candles)) == (1, 398)
    assert set(repaired.changes["action"]) == {"drop", "split", "outlier"}
    assert quality.inspect(draft(repaired.candles.frame), NOW).score == 100
    assert repair.apply(whole, "drop", list(reversed(fixes)), now=NOW).candles.digest == repaired.candles.digest


def test_capping_brings_an_outlier_into_the_range_of_its_neighbours():
    frame = walk()
    frame.loc[52, ["close", "high"]] *= 2
    repaired = repair.apply(draft(frame), fixes=["cap_outliers"], now=NOW)
    fixed = repaired.candles.frame.loc[50]
    around = repaired.candles.frame.loc[[49, 51]]
    assert fixed["high"] <= around["high"].max()
    assert fixed["low"] >= around["low"].min()
    assert len(repaired.candles) == len(frame)
    assert set(repaired.changes["column"]) <= {"open", "high", "low", "close"}


def test_unfinished_and_stale_candles_are_left_out_on_request():
    frame = walk()
    frame.loc[103:112, ["open", "high", "low", "close"]] = float(frame.loc[102, "close"])
    frame.loc[103:112, "volume"] = 0.0
    whole = draft(frame, timezone="UTC")
    now = frame.timestamp[401].tz_localize("UTC") + pd.Timedelta("3h")
    repaired = repair.apply(whole, fixes=["drop_unfinished", "drop_stale"], now=now)
    assert [(step.kind, step.count) for step in repaired.steps] == [("drop_unfinished", 1), ("drop_stale", 9)]
    assert len(repaired.candles) == 390


def test_unknown_fixes_and_two_for_one_fault_are_refused():
    with pytest.raises(InvalidInput, match="magic"):
        repair.apply(draft(walk()), fixes=["magic"])
    with pytest.raises(InvalidInput, match="at once"):
        repair.apply(draft(walk()), fixes=["cap_outliers", "drop_outliers"])
