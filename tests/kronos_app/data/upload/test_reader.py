import gzip
import io
import zipfile
from contextlib import suppress
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from kronos_app.data.upload import instruments, reader
from kronos_app.data.upload.files import text_table
from kronos_app.errors import AppError, InvalidInput, TooLarge
from kronos_app.settings import Settings

SETTINGS = Settings(max_upload_mb=2, max_rows=20_000)
HEAD = "timestamp,open,high,low,close,volume\n"


def read(content, name="candles.csv", **arguments):
    return reader.read(
        content if isinstance(content, bytes) else content.encode(), name, settings=SETTINGS, **arguments
    )


def refusal(content, name="candles.csv", **arguments):
    with pytest.raises(AppError) as caught:
        read(content, name, **arguments)
    assert caught.value.hint.render()
    return caught.value


def candles(rows=50, freq="h"):
    rng = np.random.default_rng(rows)
    close = 100 + rng.normal(size=rows).cumsum()
    return pd.DataFrame({
        "timestamp": pd.date_range("2024-01-30 22:00", periods=rows, freq=freq).as_unit("ns"),
        "open": close - 0.25, "high": close + 1.5, "low": close - 1.5, "close": close,
        "volume": rng.integers(1, 10**6, rows).astype(float), "amount": rng.uniform(1, 10**9, rows),
    })  # fmt: skip


def times_of(column, header="timestamp"):
    """Read a file whose only interesting column is its time."""
    return read(f"{header},open,high,low,close\n" + "".join(f"{cell},1,2,0.5,1.5\n" for cell in column))


def codes(draft):
    return {finding.code for finding in draft.findings}


# What is read


def test_a_plain_file_is_read_as_it_is():
    draft = read(candles().to_csv(index=False))
    pd.testing.assert_frame_equal(draft.frame.reset_index(drop=True), candles(), check_exact=True)
    assert draft.frame.index[0] == 2
    assert (draft.timezone, draft.source, draft.needs_timestamps, draft.findings) == (None, "upload", False, ())


@pytest.mark.parametrize(
    "header",
    [
        "timestamps,Open,HIGH,Low,Close,Vol,Turnover",
        "日期,开盘,最高,最低,收盘,成交量,成交额",
        "时间,开盘价(元),最高价(元),最低价(元),收盘价(元),成交量（手）,成交金额",
        "<DateTime>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,amount",
        "Open time,1. open,2. high,3. low,4. close,5. volume,Quote asset volume",
        "trade_date,open_price,high_price,low_price,close_price,volume,amount",
    ],
)
def test_common_column_names_are_known(header):
    draft = read(header + "\n2024-01-31,1,2,0.5,1.5,100,150\n")
    assert list(draft.frame.iloc[0, 1:]) == [1, 2, 0.5, 1.5, 100, 150]
    assert list(draft.columns.values()) != list(draft.columns)
    assert draft.columns["open"] == header.split(",")[1]


def test_columns_that_are_absent_stay_absent_and_others_are_reported():
    draft = read("date,adj close,close,open,high,low\n2024-01-31,9,1.5,1,2,0.5\n")
    assert list(draft.frame) == ["timestamp", "open", "high", "low", "close"]
    assert "adj close" in draft.findings[0].message.render()


def test_an_empty_volume_column_counts_as_absent():
    draft = read(HEAD + "2024-01-31,1,2,0.5,1.5,\n2024-02-01,1,2,0.5,1.5,\n")
    assert "volume" not in draft.frame
    assert codes(draft) == {"empty_column"}


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gbk", "gb18030", "big5"]
)
def test_encodings_are_recognised(encoding):
    header = "時間" if encoding == "big5" else "时间"
    content = f"{'date' if encoding == 'big5' else header},open,high,low,close,备\n".replace(
        "备", "註" if encoding == "big5" else "备"
    )
    draft = read((content + "2024-01-31 09:30,1,2,0.5,1.5,x\n").encode(encoding))
    assert draft.frame["timestamp"].iloc[0] == pd.Timestamp("2024-01-31 09:30")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_are_recognised(delimiter, newline):
    content = candles().to_csv(index=False, sep=delimiter, lineterminator=newline)
    pd.testing.assert_frame_equal(read(content).frame.reset_index(drop=True), candles(), check_exact=True)


def test_decimal_commas_and_thousands_dots():
    draft = read("date;open;high;low;close;volume\n31.01.2024;1.000,5;1.200;1.000;1.100,25;1.234.567\n")
    assert list(draft.frame.iloc[0, 1:]) == [1000.5, 1200, 1000, 1100.25, 1234567]


def test_thousands_separators_and_currency_signs():
    draft = read('date,open,high,low,close,volume\n2024-01-31,"$1,000.50","$1,200",$999,"1 100.25","1,234,567"\n')
    assert list(draft.frame.iloc[0, 1:]) == [1000.5, 1200, 999, 1100.25, 1234567]
    assert draft.findings == ()


def test_a_comma_that_may_be_either_is_decided_aloud():
    draft = read("date;open;high;low;close\n2024-01-31;1,100;1,200;1,000;1,150\n")
    assert list(draft.frame.iloc[0, 1:]) == [1.1, 1.2, 1.0, 1.15]
    assert codes(draft) == {"ambiguous_decimal"}


def test_a_title_blank_lines_and_lines_of_separators_keep_the_row_numbers():
    content = "Daily prices of ABC\n\ndate,open,high,low,close\n\n2024-01-31,1,2,0.5,1.5\n"
    content += ",,,,\n   \n2024-02-01,1,2,0.5,oops\n,,,,\n"
    draft = read(content)
    assert list(draft.frame.index) == [5, 8]
    assert (draft.bad_cells[0].row, draft.bad_cells[0].column, draft.bad_cells[0].text) == (8, "close", "oops")


@pytest.mark.parametrize("suffix", ["csv", "parquet", "feather"])
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", ["right", "wrong.csv"])
def test_the_content_decides_what_a_file_is(suffix, zipped, name):
    buffer = io.BytesIO()
    frame = candles()
    {"csv": lambda: buffer.write(frame.to_csv(index=False).encode()), "parquet": lambda: frame.to_parquet(buffer),
     "feather": lambda: frame.to_feather(buffer)}[suffix]()  # fmt: skip
    content = gzip.compress(buffer.getvalue()) if zipped else buffer.getvalue()
    draft = read(content, name if name != "right" else f"a.{suffix}{'.gz' if zipped else ''}")
    pd.testing.assert_frame_equal(draft.frame.reset_index(drop=True), frame, check_exact=True)


@pytest.mark.parametrize("compression", ["zstd", "lz4", "uncompressed"])
def test_feather_compressions_are_read(compression):
    buffer = io.BytesIO()
    pa.feather.write_feather(candles(), buffer, compression=compression)
    assert len(read(buffer.getvalue(), "a.feather")) == 50


def test_a_time_index_of_pandas_is_found():
    indexed = candles().set_index("timestamp").rename_axis(None)
    buffer = io.BytesIO()
    indexed.to_parquet(buffer)
    for draft in (read(indexed.to_csv()), read(buffer.getvalue(), "a.parquet")):
        assert draft.frame["timestamp"].tolist() == candles()["timestamp"].tolist()


def test_a_counting_index_is_not_taken_for_the_time():
    assert read(candles().drop(columns="timestamp").to_csv()).needs_timestamps


def test_text_and_decimals_in_a_parquet_are_read():
    frame = candles(3).astype({"timestamp": "str", "close": "str", "open": "category"})
    buffer = io.BytesIO()
    table = pa.Table.from_pandas(frame)
    pa.parquet.write_table(table.set_column(3, "low", table["low"].cast(pa.decimal128(38, 12), safe=False)), buffer)
    draft = read(buffer.getvalue(), "a.parquet")
    assert np.allclose(draft.frame[["low", "close"]], candles(3)[["low", "close"]])


# Times


@pytest.mark.parametrize(
    "cell",
    [
        "2024-01-31 09:30:00", "2024-01-31T09:30", "2024/1/31 9:30", "2024.01.31 09:30", "2024年1月31日 9:30",
        "2024年1月31日 9时30分", "20240131 093000", "20240131T0930", "202401310930", "20240131093000",
        "31.01.2024 09:30", "31/01/2024 9:30 AM",
        "01/31/2024 09:30", "31-Jan-2024 09:30", "Jan 31 2024 09:30", "Wed 31 January 2024 09:30:00.000",
        "31-01-24 09:30",
    ],
)  # fmt: skip
def test_written_times_are_read(cell):
    draft = times_of([cell])
    assert draft.frame["timestamp"].tolist() == [pd.Timestamp("2024-01-31 09:30")]
    assert draft.findings == ()


def test_integers_like_20240131_are_dates_not_seconds():
    assert times_of(["20240131", "20240201"]).frame["timestamp"].tolist() == [
        pd.Timestamp("2024-01-31"),
        pd.Timestamp("2024-02-01"),
    ]


@pytest.mark.parametrize(
    ("unit", "factor"), [("seconds", 1), ("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9)]
)
def test_epochs_are_read_by_their_size_and_said(unit, factor):
    draft = times_of([1706693400 * factor, 1706693460 * factor])
    assert draft.frame["timestamp"].tolist() == [pd.Timestamp("2024-01-31 09:30"), pd.Timestamp("2024-01-31 09:31")]
    assert draft.timezone == "UTC"
    assert unit in draft.findings[0].message.render()


@pytest.mark.parametrize("later", [1, 10, 19])
def test_an_epoch_whose_unit_changes_midway_is_read_by_size_and_said(later):
    epochs = [1706693400 + 60 * i for i in range(20)]
    draft = times_of([e * 1000 if i >= later else e for i, e in enumerate(epochs)])
    assert draft.frame["timestamp"].tolist() == [pd.Timestamp(e, unit="s") for e in epochs]
    assert "mixed_units" in codes(draft)


def test_milliseconds_around_1970_keep_their_unit():
    days = pd.date_range("1950-01-01", "2020-01-01", freq="W")
    draft = times_of(days.as_unit("ms").asi8)
    assert (draft.frame["timestamp"] == days).all()
    assert codes(draft) == {"numeric_times"}


def test_spreadsheet_dates_are_read_and_said():
    draft = times_of(["45322.3958333333", "45323"])
    assert draft.frame["timestamp"].tolist() == [pd.Timestamp("2024-01-31 09:30"), pd.Timestamp("2024-02-01")]
    assert codes(draft) == {"numeric_times"}


@pytest.mark.parametrize(
    ("cells", "first", "said"),
    [
        (["03/04/2024", "13/04/2024"], "2024-04-03", set()),
        (["03/04/2024", "03/13/2024"], "2024-03-04", set()),
        (["03/04/2024", "03/05/2024", "03/06/2024"], "2024-03-04", {"ambiguous_dates"}),
        (["03/04/2024", "04/04/2024", "05/04/2024"], "2024-04-03", {"ambiguous_dates"}),
        (["03/04/2024"], "2024-03-04", {"ambiguous_dates"}),
    ],
)
def test_the_order_of_day_and_month_is_decided_by_the_whole_column_and_said(cells, first, said):
    draft = times_of(cells)
    assert draft.frame["timestamp"].iloc[0] == pd.Timestamp(first)
    assert codes(draft) == said


def test_a_single_offset_stays_local_and_is_recorded():
    draft = times_of(["2024-01-31 09:30:00+08:00", "2024-01-31 09:31:00+08:00"])
    assert draft.frame["timestamp"].iloc[0] == pd.Timestamp("2024-01-31 09:30")
    assert draft.timezone == "UTC+08:00"


@pytest.mark.parametrize("second", ["2024-01-31 09:31:00-05:00", "2024-01-31 01:31:00Z"])
def test_mixed_offsets_become_utc_and_are_said(second):
    draft = times_of(["2024-01-31 09:30:00+08:00", second])
    expected = ["2024-01-31 01:30", "2024-01-31 14:31" if "-05" in second else "2024-01-31 01:31"]
    assert draft.frame["timestamp"].tolist() == [pd.Timestamp(t) for t in expected]
    assert (draft.timezone, codes(draft)) == ("UTC", {"mixed_time_zones"})


def test_a_time_without_offset_among_others_is_said():
    draft = times_of(["2024-01-31 09:30:00+08:00", "2024-01-31 09:31:00"])
    assert "without one" in draft.findings[0].message.render()


def test_a_named_zone_of_a_parquet_stays_local_unless_times_would_repeat():
    frame = candles(5).assign(timestamp=lambda f: f["timestamp"].dt.tz_localize("Asia/Shanghai"))
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    draft = read(buffer.getvalue(), "a.parquet")
    assert (draft.timezone, draft.frame["timestamp"].iloc[0]) == ("Asia/Shanghai", pd.Timestamp("2024-01-30 22:00"))
    autumn = pd.date_range("2024-11-03 04:00", periods=5, freq="h", tz="UTC").tz_convert("America/New_York")
    buffer = io.BytesIO()
    frame.assign(timestamp=autumn).to_parquet(buffer)
    draft = read(buffer.getvalue(), "a.parquet")
    assert (draft.timezone, codes(draft)) == ("UTC", {"mixed_time_zones"})
    assert draft.frame["timestamp"].is_unique


@pytest.mark.parametrize(
    ("date", "time"), [("2024.01.31", "09:30"), ("20240131", "93000"), ("20240131", "930"), ("31.01.2024", "09:30:00")]
)
def test_separate_date_and_time_columns_are_joined(date, time):
    draft = read(f"<DATE>,<TIME>,open,high,low,close\n{date},{time},1,2,0.5,1.5\n")
    assert draft.frame["timestamp"].tolist() == [pd.Timestamp("2024-01-31 09:30")]
    assert draft.columns["timestamp"] == "<DATE> + <TIME>"


def test_an_unreadable_time_is_a_bad_cell_with_its_row():
    draft = times_of(["2024-01-31", "2024-02-30", "soon", "2024-02-02"])
    assert [(cell.row, cell.text) for cell in draft.bad_cells] == [(3, "2024-02-30"), (4, "soon")]
    assert draft.frame["timestamp"].isna().sum() == draft.unreadable == 2


def test_a_file_without_times_waits_for_start_and_interval():
    content = "open,high,low,close\n" + "1,2,0.5,1.5\n" * 3
    draft = read(content)
    assert draft.needs_timestamps
    assert "timestamp" not in draft.frame
    stated = read(content, start=datetime(2024, 1, 31), interval="15min")
    assert stated.frame["timestamp"].tolist() == list(pd.date_range("2024-01-31", periods=3, freq="15min"))
    assert not stated.needs_timestamps
    assert refusal(content, start=datetime(2024, 1, 31)).code == "incomplete_times"
    assert refusal(content, start=datetime(2024, 1, 31), interval="soon").code == "unknown_interval"
    assert refusal(content, start=datetime(2261, 12, 31), interval="1000mo").code == "times_out_of_range"


@pytest.mark.parametrize(
    ("interval", "second"),
    [("1m", "2024-01-31 00:01"), ("1M", "2024-02-29"), ("2h", "2024-01-31 02:00"), ("1w", "2024-02-07")],
)
def test_intervals_have_their_usual_names(interval, second):
    stated = read("open,high,low,close\n" + "1,2,0.5,1.5\n" * 2, start=datetime(2024, 1, 31), interval=interval)
    assert stated.frame["timestamp"].iloc[1] == pd.Timestamp(second)


# What is refused


@pytest.mark.parametrize("content", [b"", b"  \n \n", gzip.compress(b"", mtime=0)])
def test_an_empty_file_is_refused(content):
    assert refusal(content).code == "empty_file"


@pytest.mark.parametrize("content", [HEAD, HEAD + "\n\n", HEAD + ",,,,,\n", HEAD.strip()])
def test_a_header_alone_is_refused(content):
    assert refusal(content).code == "no_rows"


def test_a_parquet_without_rows_is_refused():
    buffer = io.BytesIO()
    candles(1).iloc[:0].to_parquet(buffer)
    assert refusal(buffer.getvalue()).code == "no_rows"


def test_binary_rubbish_named_csv_is_refused():
    assert refusal(np.random.default_rng(0).bytes(5000)).code in {"not_a_table", "damaged_text"}


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.parquet.gz"])
def test_a_file_that_is_not_what_its_name_says_is_refused(name):
    assert refusal(b"no columns at all\n", name).code == "wrong_kind"


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_a_cut_off_or_damaged_file_is_refused(kind):
    buffer = io.BytesIO()
    getattr(candles(500), f"to_{kind}")(buffer)
    whole = buffer.getvalue()
    for content in (whole[: len(whole) // 2], whole[:12], whole[:-1]):
        assert refusal(content, f"a.{kind}").code == "damaged_file"


def test_a_gzip_bomb_is_never_expanded():
    import tracemalloc

    bomb = gzip.compress(bytes(100_000_000), 5)
    assert len(bomb) < 2_000_000
    tracemalloc.start()
    error = refusal(bomb, "a.csv.gz")
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
    assert isinstance(error, TooLarge)


def test_a_zip_is_refused_without_opening_it():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", "0" * 10_000_000)
    assert refusal(buffer.getvalue(), "a.csv").code == "unsupported_archive"


def test_a_damaged_or_double_gzip_is_refused():
    whole = gzip.compress(candles().to_csv().encode())
    assert refusal(whole[:-20]).code == "damaged_gzip"
    assert refusal(gzip.compress(whole)).code == "nested_archive"


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_a_column_store_bomb_is_refused_before_it_is_expanded(kind):
    frame = pd.DataFrame(dict.fromkeys(["open", "high", "low", "close", "volume", "amount"], np.zeros(15_000)))
    wide = frame.assign(timestamp="x" * 5000)
    buffer = io.BytesIO()
    if kind == "parquet":
        wide.to_parquet(buffer, compression="zstd")
    else:
        pa.feather.write_feather(wide, buffer, compression="zstd")
    assert len(buffer.getvalue()) < 2_000_000
    assert refusal(buffer.getvalue()).code in {"file_too_large", "wrong_type"}
    buffer = io.BytesIO()
    long = pd.concat([frame] * 10)
    getattr(long.reset_index(drop=True), f"to_{kind}")(buffer)
    assert refusal(buffer.getvalue()).code in {"file_too_large", "too_many_rows"}


def test_limits_of_size_and_rows_hold():
    assert refusal(b"0" * 2_000_001).code == "file_too_large"
    assert refusal("open,high,low,close\n" + "1,2,1,2\n" * 20_001).code == "too_many_rows"
    assert refusal(",".join(map(str, range(5000))) + ",open,close\n1\n").code == "too_many_columns"


def test_a_cell_may_have_any_number_of_digits():
    draft = read(HEAD + f"2024-01-31,{'9' * 5_000},2,0.5,1,10\n2024-02-01,1,2,0.5,1,10\n")
    assert len(draft.frame) == 2
    assert draft.bad_cells or np.isinf(draft.frame["open"].iloc[0])


@pytest.mark.parametrize("content", [b"," * 2_000_000, b"open,high,low,close\n" + b"\n" * 1_900_000])
def test_text_of_nothing_but_separators_is_refused_without_much_memory_or_time(content, monkeypatch):
    import time
    import tracemalloc

    monkeypatch.setattr(text_table, "PIECE", 100_000)
    refusal(content)  # whatever is imported
    began = time.process_time()
    refusal(content)
    assert time.process_time() - began < 3
    tracemalloc.start()
    refusal(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * len(content) + 20_000_000


def test_lines_are_counted_across_pieces_as_in_one(monkeypatch):
    rows = "".join(f"2024-01-{day:02},1,2,0.5,1,10\n\n" + "\r\n" * (day % 3) for day in range(1, 29))
    whole = read(HEAD + rows)
    monkeypatch.setattr(text_table, "PIECE", 7)
    pieces = read(HEAD + rows)
    assert pieces.frame.index.tolist() == whole.frame.index.tolist() == sorted(set(whole.frame.index))
    assert refusal(HEAD + "2024-01-31,1,2,0.5,1,10\n" * 20_001).code == "too_many_rows"


def test_missing_columns_are_named_with_those_found():
    message = str(refusal("date,open,mean\n2024-01-31,1,2\n", "my.csv"))
    assert all(word in message for word in ("my.csv", "high, low, close", "“mean”"))


def test_a_file_without_header_is_told_so():
    assert refusal("2024-01-31,1,2,0.5,1.5\n").code == "no_header"


def test_of_two_columns_for_a_price_the_first_is_read_and_a_difference_is_said():
    draft = read("date,open,high,low,close,Close\n2024-01-31,1,2,0.5,1.5,1.6\n")
    assert draft.frame["close"].tolist() == [1.5]
    finding = next(f for f in draft.findings if f.code == "column_choice")
    assert finding.severity == "warning"
    assert "“Close”" in finding.message.render()


def test_a_row_with_too_many_cells_is_named():
    error = refusal(HEAD + "2024-01-31,1,2,0.5,1.5,10\n\n2024-02-01,1,234,2,0.5,1.5,10\n")
    assert error.code == "ragged_row"
    assert "Row 4" in str(error)


def test_several_instruments_are_refused_where_one_is_wanted():
    error = refusal(LONG, "long.csv")
    assert error.code == "several_symbols"
    assert all(word in str(error) for word in ("“long.csv”", "“AAA”", "“BBB”"))
    assert len(read("date,symbol,open,high,low,close\n2024-01-31,AAA,1,2,0.5,1.5\n")) == 1


# Several instruments in a file

LONG = """date,symbol,open,high,low,close,volume
2024-01-31,AAA,1,2,0.5,1.5,10
2024-01-31,BBB,11,12,10.5,11.5,
2024-02-01,AAA,1,n.a.?,0.5,1.5,10
2024-02-01,,5,6,4,5,10
2024-02-01,BBB,11,12,10.5,11.5,
"""


def read_all(content, name="long.csv", **arguments):
    content = content if isinstance(content, bytes) else content.encode()
    return reader.read_all(content, name, settings=SETTINGS, **arguments)


def test_a_long_file_is_split_by_symbol_and_each_part_keeps_its_rows_and_faults():
    first, second = read_all(LONG)
    assert [(d.name, d.about.symbol, d.about.origin) for d in (first, second)] == [
        ("AAA", "AAA", "long.csv"),
        ("BBB", "BBB", "long.csv"),
    ]
    assert (list(first.frame.index), list(second.frame.index)) == ([2, 4], [3, 6])
    assert [(cell.row, cell.column) for cell in first.bad_cells] == [(4, "high")]
    assert (first.unreadable, second.unreadable) == (1, 0)
    assert "volume" in first.frame
    assert "volume" not in second.frame
    assert codes(first) == {"split_by_symbol", "no_symbol"}
    assert codes(second) == {"split_by_symbol", "no_symbol", "empty_column"}


def test_rows_without_a_symbol_are_left_out_aloud():
    remark = next(f for f in read_all(LONG)[0].findings if f.code == "no_symbol")
    assert remark.rows == (5,)
    assert "1 row(s) name no instrument" in remark.message.render()


@pytest.mark.parametrize(
    "header", ["Symbol", "ticker", "ts_code", "代码", "股票代码", "instrument", "Name", "order_book_id"]
)
@pytest.mark.parametrize("order", [["date", "symbol"], ["symbol", "date"]])
@pytest.mark.parametrize("kind", ["csv", "parquet", "feather"])
def test_every_instrument_of_a_long_file_reads_as_if_it_had_come_alone(header, order, kind):
    parts = {name: candles(rows) for name, rows in (("600519", 30), ("000001", 17), ("AAPL", 5))}
    whole = pd.concat([frame.assign(symbol=name, date=frame["timestamp"]) for name, frame in parts.items()])
    whole = whole.sort_values(order, kind="stable").drop(columns="date").rename(columns={"symbol": header})
    buffer = io.BytesIO()
    if kind == "csv":
        buffer.write(whole.to_csv(index=False).encode())
    else:
        getattr(whole.reset_index(drop=True), f"to_{kind}")(buffer)
    drafts = {draft.name: draft for draft in read_all(buffer.getvalue())}
    assert set(drafts) == set(parts)
    for name, frame in parts.items():
        pd.testing.assert_frame_equal(drafts[name].frame.reset_index(drop=True), frame, check_exact=True)
        assert drafts[name].columns["symbol"] == header


def test_a_code_is_preferred_to_a_name_and_numbers_are_no_fractions():
    rows = "2024-01-31,Ping An,1,1,2,0.5,1.5\n2024-01-31,Moutai,600519,1,2,0.5,1.5\n"
    assert [d.name for d in read_all("date,name,code,open,high,low,close\n" + rows)] == ["1", "600519"]
    buffer = io.BytesIO()
    pd.concat([candles(3).assign(code=1.0), candles(3).assign(code=600519.0)]).to_parquet(buffer)
    assert [d.name for d in read_all(buffer.getvalue())] == ["1", "600519"]


def test_one_symbol_leaves_the_file_its_name_and_is_remembered():
    draft = read("date,code,open,high,low,close\n2024-01-31,600519,1,2,0.5,1.5\n", "moutai.csv")
    assert (draft.name, draft.about.symbol, draft.about.origin) == ("moutai.csv", "600519", "moutai.csv")


def test_times_that_are_stated_begin_anew_with_each_instrument():
    content = "symbol,open,high,low,close\n" + "A,1,2,0.5,1.5\nB,1,2,0.5,1.5\n" * 2
    assert all(draft.needs_timestamps for draft in read_all(content))
    stated = read_all(content, start=datetime(2024, 1, 31), interval="1d")
    days = [pd.Timestamp("2024-01-31"), pd.Timestamp("2024-02-01")]
    assert [draft.frame["timestamp"].tolist() for draft in stated] == [days, days]


def test_an_instrument_without_a_single_number_does_not_stop_the_others():
    good, empty = read_all(LONG.replace("11,12,10.5,11.5", "-,-,-,-"))
    assert len(good) == 2
    assert empty.frame["close"].isna().all()


def test_a_column_with_a_value_of_its_own_in_every_row_is_no_symbol(monkeypatch):
    monkeypatch.setattr(instruments, "MOST_SERIES", 3)
    with pytest.raises(TooLarge, match="4 instruments in column “code”"):
        read_all("date,code,open,high,low,close\n" + "".join(f"2024-01-31,{n},1,2,0.5,1.5\n" for n in range(4)))


def test_columns_without_any_number_or_time_are_refused():
    assert "row 2 says “abc”" in str(refusal("date,open,high,low,close\n2024-01-31,1,2,0.5,abc\n"))
    assert "“soon”" in str(refusal("date,open,high,low,close\nsoon,1,2,0.5,1\n"))
    buffer = io.BytesIO()
    candles(3).assign(close=True).to_parquet(buffer)
    assert refusal(buffer.getvalue()).code == "wrong_type"


def test_text_in_a_price_is_reported_with_row_and_column():
    draft = read(HEAD + "2024-01-31,1,2,0.5,1.5,10\n2024-02-01,1,n.a.?,0.5,1.5,10\n")
    assert (draft.bad_cells[0].row, draft.bad_cells[0].column, draft.bad_cells[0].text) == (3, "high", "n.a.?")
    assert np.isnan(draft.frame.loc[3, "high"])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\..\\a.csv", "a.csv"),
        ("a\x00\n\u202eb.csv", "ab.csv"),
        ("", "upload"),
        ("..", "upload"),
        ("x" * 500, "x" * 100),
    ],
)
def test_hostile_file_names_are_only_shown_and_shortened(name, shown):
    assert read(candles(2).to_csv(index=False), name).name == shown


# Anything at all

number = st.floats(1e-6, 1e9).map(lambda value: float(f"{value:.9g}"))
frames = st.lists(st.tuples(number, number, number, number, st.integers(0, 10**12)), min_size=1, max_size=20)


@profile(max_examples=40, deadline=None)
@given(
    rows=frames,
    decimal=st.sampled_from([".", ","]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gbk"]),
    freq=st.sampled_from(["min", "h", "D", "MS"]),
    form=st.sampled_from(["%Y-%m-%d %H:%M:%S", "%Y%m%d %H%M%S", "%Y/%m/%d %H:%M", "%d-%b-%Y %H:%M:%S"]),
    zipped=st.booleans(),
)
def test_whatever_is_written_in_a_common_dialect_reads_back_equal(
    rows, decimal, delimiter, encoding, freq, form, zipped
):
    frame = pd.DataFrame(rows, columns=["开盘", "最高", "最低", "收盘", "成交量"])
    frame.insert(0, "日期", pd.date_range("2001-02-03 04:05", periods=len(rows), freq=freq))
    content = frame.to_csv(index=False, sep=delimiter, decimal=decimal, date_format=form).encode(encoding)
    draft = read(gzip.compress(content) if zipped else content)
    ambiguous = codes(draft) & {"ambiguous_decimal"}
    assert draft.frame["timestamp"].tolist() == frame["日期"].tolist()
    if not ambiguous:
        np.testing.assert_array_equal(draft.frame.iloc[:, 1:].to_numpy(), frame.iloc[:, 1:].to_numpy(float))


@profile(max_examples=80, deadline=None)
@given(
    content=st.binary(max_size=300),
    start=st.sampled_from([b"", b"\x1f\x8b", b"PAR1", b"ARROW1\x00\x00", HEAD.encode(), b"\xff\xfe"]),
)
def test_arbitrary_bytes_raise_nothing_but_our_errors(content, start):
    with suppress(AppError):
        read(start + content)


@profile(max_examples=80, deadline=None)
@given(rows=st.lists(st.lists(st.text(max_size=12), min_size=6, max_size=6), min_size=1, max_size=5))
def test_arbitrary_cells_raise_nothing_but_our_errors(rows):
    content = HEAD + "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in rows)
    with suppress(AppError):
        read(content.encode("utf-8", errors="replace"))


@pytest.mark.child_process
@profile(max_examples=20, deadline=None)
@given(position=st.integers(0, 10**6), value=st.integers(0, 255), kind=st.sampled_from(["parquet", "feather"]))
def test_a_flipped_byte_raises_nothing_but_our_errors(position, value, kind):
    buffer = io.BytesIO()
    getattr(candles(30), f"to_{kind}")(buffer)
    content = bytearray(buffer.getvalue())
    content[position % len(content)] = value
    with suppress(AppError):
        read(bytes(content), f"a.{kind}")


def test_invalid_input_is_what_a_bad_file_raises():
    with pytest.raises(InvalidInput):
        read("a,b\n1,2\n")
