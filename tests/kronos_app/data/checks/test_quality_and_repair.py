import json
from dataclasses import replace
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from kronos_app.data import sample
from kronos_app.data.about import About
from kronos_app.data.candle_frame import PRICES
from kronos_app.data.checks import quality, repair
from kronos_app.data.draft import Draft, Finding
from kronos_app.data.export import safe_csv
from kronos_app.data.upload import reader
from kronos_app.errors import AppError, InvalidInput, NotFound
from kronos_app.settings import Settings

ROWS = {
    2: ["2024-01-01", 10, 12, 9, 11, 100],
    3: ["2024-01-02", 11, 13, 10, 12, 110],
    4: ["2024-01-03", 12, 14, 11, 13, 120],
    5: ["2024-01-04", 13, 15, 12, 14, 130],
    6: ["2024-01-05", 14, 16, 13, 15, 140],
}


def draft(**changes):
    """The five good rows with some replaced (`row3=[...]`) or added (`row7=...`)."""
    rows = ROWS | {int(name[3:]): row for name, row in changes.items()}
    lines = [",".join(str(cell) for cell in row) for _, row in sorted(rows.items())]
    content = "timestamp,open,high,low,close,volume\n" + "\n".join(lines) + "\n"
    return reader.read(content.encode(), "x.csv", settings=Settings())


def closes(repaired):
    return repaired.candles.frame["close"].tolist()


FAULTS = {
    "text": ["2024-01-02", 11, "abc", 10, 12, 110],
    "empty": ["2024-01-02", 11, 13, 10, "", 110],
    "inf": ["2024-01-02", "inf", "inf", 10, 12, 110],
    "negative": ["2024-01-02", 11, 13, -10, 12, 110],
    "zero": ["2024-01-02", 0, 13, 0, 12, 110],
    "high_below_low": ["2024-01-02", 11, 9, 10, 12, 110],
    "close_above_high": ["2024-01-02", 11, 13, 10, 14, 110],
    "no_volume": ["2024-01-02", 11, 13, 10, 12, ""],
    "negative_volume": ["2024-01-02", 11, 13, 10, 12, -1],
}


@pytest.mark.parametrize("choice", repair.REPAIRS)
def test_a_choice_that_changes_nothing_is_not_recorded_as_a_repair(choice):
    for interval in (None, "1w"):
        record = repair.apply(draft(), choice, interval=interval).record
        assert record["choice"] is None
        assert not repair.has_repaired_rows(record)
    faulty = repair.apply(draft(row3=FAULTS["no_volume"]), choice if choice != "keep" else "drop").record
    assert repair.has_repaired_rows(faulty)


def test_records_of_earlier_versions_name_a_choice_even_if_no_row_was_repaired():
    assert not repair.has_repaired_rows({"choice": "drop", "dropped": 0, "filled": 0, "kept": 0, "steps": []})


def test_good_data_is_clean_and_needs_no_choice():
    report = quality.inspect(draft())
    assert report.clean
    assert (report.rows, report.gaps, report.findings) == (5, 0, ())
    assert (report.first, report.last, report.interval) == (
        pd.Timestamp("2024-01-01"),
        pd.Timestamp("2024-01-05"),
        pd.Timedelta("1D"),
    )
    repaired = repair.apply(draft())
    assert (repaired.choice, repaired.dropped, repaired.filled, repaired.kept, repaired.sorted) == (
        None,
        0,
        0,
        0,
        False,
    )
    assert repaired.changes.empty
    assert list(repaired.changes) == list(repair.CHANGES)


@pytest.mark.parametrize(
    ("fault", "counts"),
    [
        ("text", {"unreadable": 1}),
        ("empty", {"missing": 1}),
        ("inf", {"unreadable": 2}),
        ("negative", {"non_positive": 1}),
        ("zero", {"non_positive": 1}),
        ("high_below_low", {"impossible": 1}),
        ("close_above_high", {"impossible": 1}),
        ("no_volume", {"missing": 1}),
        ("negative_volume", {"impossible": 1}),
    ],
)
def test_each_fault_is_counted_and_its_row_named(fault, counts):
    report = quality.inspect(draft(row3=FAULTS[fault]))
    assert not report.clean
    assert {name: getattr(report, name) for name in counts} == counts
    errors = [finding for finding in report.findings if finding.severity == "error"]
    assert all(finding.rows == (3,) and "row 3" in finding.message.render() for finding in errors)
    assert errors


def test_order_repetition_and_empty_trading_are_counted():
    report = quality.inspect(draft(row7=ROWS[3], row8=["2024-01-05", 1, 2, 0.5, 1, 0]))
    assert (report.duplicates, report.conflicts, report.unsorted, report.zero_volume) == (2, 1, True, 1)
    assert {finding.code for finding in report.findings} == {"conflicts", "duplicates", "unsorted", "zero_volume"}


def test_gaps_are_counted_by_the_series_own_days():
    days = pd.bdate_range("2024-01-01", periods=30).delete([10, 11])
    frame = pd.DataFrame({"timestamp": days, "open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5})
    report = quality.inspect(Draft(frame.rename_axis("row"), "x", "test"))
    assert (report.gaps, report.missing_candles) == (1, 2)
    assert str(days[9]) in report.findings[0].message.render()


def test_a_report_is_ready_for_json_and_its_findings_come_back():
    report = quality.inspect(draft(row3=FAULTS["text"]))
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert data["interval"] == 86400
    assert data["first"] == "2024-01-01T00:00:00"
    assert [Finding.from_dict(finding) for finding in data["findings"]] == list(report.findings)


def test_a_report_of_a_file_without_times_says_so():
    waiting = reader.read(b"open,high,low,close\n1,2,0.5,1\n", "x.csv", settings=Settings())
    report = quality.inspect(waiting)
    assert (report.first, report.last, report.interval) == (None, None, pd.Timedelta(0))
    assert report.findings[0].code == "no_timestamps"
    with pytest.raises(InvalidInput, match="no time column"):
        repair.apply(waiting, "drop")


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_data_is_refused_without_a_choice_naming_the_row(fault):
    with pytest.raises(InvalidInput, match="first rows 3") as caught:
        repair.apply(draft(row3=FAULTS[fault]))
    assert "drop" in caught.value.hint.render()


@pytest.mark.parametrize("fault", FAULTS)
def test_drop_leaves_the_row_out_and_lists_it(fault):
    repaired = repair.apply(draft(row3=FAULTS[fault]), "drop")
    assert closes(repaired) == [11, 13, 14, 15]
    assert repaired.dropped == 1
    assert set(repaired.changes["row"]) == {3}
    assert set(repaired.changes["action"]) == {"drop"}


@pytest.mark.parametrize("fault", [name for name in FAULTS if "volume" not in name])
def test_forward_fill_makes_a_flat_candle_without_volume(fault):
    repaired = repair.apply(draft(row3=FAULTS[fault]), "ffill")
    assert repaired.candles.frame.loc[1, [*PRICES, "volume"]].tolist() == [11, 11, 11, 11, 0]
    assert (repaired.filled, repaired.dropped) == (1, 0)
    changes = repaired.changes.set_index("column")
    assert changes.loc["volume", ["before", "after"]].tolist() == ["110", "0"]


@pytest.mark.parametrize("fault", ["no_volume", "negative_volume"])
def test_forward_fill_of_a_volume_keeps_the_prices(fault):
    repaired = repair.apply(draft(row3=FAULTS[fault]), "ffill")
    assert repaired.candles.frame.loc[1, [*PRICES, "volume"]].tolist() == [11, 13, 10, 12, 100]
    assert repaired.changes["column"].tolist() == ["volume"]


def test_forward_fill_never_looks_ahead():
    bad = FAULTS["empty"]
    repaired = repair.apply(
        draft(row2=["2024-01-01", *bad[1:]], row5=["2024-01-04", *bad[1:]], row6=["2024-01-05", *bad[1:]]), "ffill"
    )
    assert closes(repaired) == [12, 13, 13, 13]
    assert (repaired.dropped, repaired.filled) == (1, 2)


def test_keep_leaves_impossible_candles_and_says_how_many():
    repaired = repair.apply(draft(row3=FAULTS["high_below_low"]), "keep")
    assert repaired.candles.frame.loc[1, PRICES].tolist() == [11, 9, 10, 12]
    assert (repaired.kept, repaired.changes.empty) == (1, True)


@pytest.mark.parametrize("fault", ["text", "empty", "inf", "negative", "zero", "no_volume"])
def test_keep_refuses_what_no_model_can_read(fault):
    with pytest.raises(InvalidInput, match="cannot be kept, first rows 3"):
        repair.apply(draft(row3=FAULTS[fault]), "keep")


def test_rows_are_sorted_and_exact_repetitions_dropped_without_a_choice():
    repaired = repair.apply(draft(row2=ROWS[6], row6=ROWS[2], row7=ROWS[4]))
    assert closes(repaired) == [11, 12, 13, 14, 15]
    assert (repaired.sorted, repaired.dropped) == (True, 1)
    assert set(repaired.changes["row"]) == {7}


@pytest.mark.parametrize("choice", ["drop", "ffill"])
def test_of_two_candles_at_one_time_the_last_good_one_stays(choice):
    other = ["2024-01-02", 11, 13, 10, 12.5, 110]
    assert closes(repair.apply(draft(row7=other), choice)) == [11, 12.5, 13, 14, 15]
    bad = ["2024-01-02", 11, 13, 10, "", 110]
    assert closes(repair.apply(draft(row7=bad), choice)) == [11, 12, 13, 14, 15]
    for refused in (None, "keep"):
        with pytest.raises(InvalidInput, match="first rows 7"):
            repair.apply(draft(row7=other), refused)


@pytest.mark.parametrize("choice", ["drop", "ffill"])
def test_a_row_without_a_time_is_left_out(choice):
    repaired = repair.apply(draft(row3=["someday", 11, 13, 10, 12, 110]), choice)
    assert closes(repaired) == [11, 13, 14, 15]
    assert repaired.dropped == 1


def test_an_unknown_repair_and_nothing_left_are_refused():
    with pytest.raises(InvalidInput, match="magic"):
        repair.apply(draft(), "magic")
    bad = {f"row{row}": [ROWS[row][0], -1, *ROWS[row][2:]] for row in ROWS}
    for choice in ("drop", "ffill"):
        with pytest.raises(InvalidInput, match="No candle"):
            repair.apply(draft(**bad), choice)


values = st.one_of(st.floats(0.5, 100), st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -3.0]))


@profile(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 12), values, values, values, values, values), min_size=1, max_size=25),
    choice=st.sampled_from([None, *repair.REPAIRS]),
)
def test_whatever_the_faults_repaired_candles_are_fit_for_a_model_and_use_only_the_past(rows, choice):
    frame = pd.DataFrame(rows, columns=["timestamp", *PRICES, "volume"])
    frame["timestamp"] = pd.to_datetime("2024-01-01") + pd.to_timedelta(frame["timestamp"], unit="D")
    frame.index = pd.RangeIndex(2, len(frame) + 2, name="row")
    original = frame.copy()
    whole = Draft(frame, "x", "test")
    quality.inspect(whole)
    try:
        repaired = repair.apply(whole, choice)
    except AppError:
        return
    finally:
        pd.testing.assert_frame_equal(frame, original)
    result = repaired.candles.frame
    assert result["timestamp"].is_monotonic_increasing
    assert result["timestamp"].is_unique
    assert np.isfinite(result.iloc[:, 1:]).all(axis=None)
    assert (result[list(PRICES)] > 0).all(axis=None)
    if choice != "keep":
        assert quality.inspect(Draft(result, "x", "test")).clean
    cut = result["timestamp"].iloc[len(result) // 2]
    past = repair.apply(Draft(frame[frame["timestamp"] <= cut], "x", "test"), choice).candles.frame
    pd.testing.assert_frame_equal(past, result[result["timestamp"] <= cut])


@pytest.mark.parametrize("name", list(sample.SAMPLES))
def test_every_sample_is_a_clean_real_series(name):
    loaded = sample.load(name)
    report = quality.inspect(loaded)
    info = sample.SAMPLES[name]
    assert report.clean
    assert report.rows > 2000
    assert (loaded.name, loaded.source, info.interval, report.interval) == (name, "sample", "1d", pd.Timedelta("1D"))
    assert str(report.first.year) in info.title.render()
    assert str(report.last.year) in info.title.render()
    assert info.licence
    assert len(repair.apply(loaded).candles) == report.rows


def test_an_unknown_sample_names_those_there_are():
    with pytest.raises(NotFound) as caught:
        sample.load("../etc")
    assert "sp500" in caught.value.hint.render()


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1", "＝1"]
)
def test_cells_that_a_spreadsheet_would_run_are_made_text(cell):
    csv = safe_csv(pd.DataFrame({cell: [cell, "safe"], "n": [-1.5, np.nan]}))
    back = pd.read_csv(StringIO(csv), keep_default_na=False)
    assert back.columns[0][0] == "'"
    assert back.iloc[0, 0][0] == "'"
    assert back.iloc[1, 0] == "safe"
    assert back["n"].tolist() == ["-1.5", ""]


def test_a_line_break_inside_a_cell_begins_no_new_cell():
    assert safe_csv(pd.DataFrame({"a": ["x\r=1", "y\n=1"]})) == "a\nx =1\ny =1\n"


def test_exported_numbers_and_times_read_back_equal():
    frame = draft().frame.reset_index(drop=True)
    back = reader.read(safe_csv(frame).encode(), "x.csv", settings=Settings()).frame
    pd.testing.assert_frame_equal(back.reset_index(drop=True), frame, check_exact=True)


def test_gaps_are_those_of_the_calendar_where_there_is_one():
    times = pd.bdate_range("2024-01-02", "2024-03-28").drop(["2024-01-15", "2024-02-19", "2024-03-12"])
    frame = pd.DataFrame({"timestamp": times, "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0})
    told = Draft(frame, "AAPL", "upload", about=About(calendar="XNYS"))
    assert (quality.inspect(told).gaps, quality.inspect(told).missing_candles) == (1, 1)
    message = next(finding.message.render() for finding in quality.inspect(told).findings if finding.code == "gaps")
    assert "by the calendar XNYS" in message
    assert "2024-03-11" in message
    assert quality.inspect(replace(told, about=About())).gaps == 3, "without a calendar holidays are gaps, too"
