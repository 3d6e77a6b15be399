"""Tables of every shape: notes, header rows, separators, several tickers side by side, JSON, HTML, wrong endings."""

import gzip
import io
import json
import zipfile
from contextlib import suppress

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from kronos_app.data.checks import repair
from kronos_app.data.upload import reader
from kronos_app.data.upload.files import encodings, json_table
from kronos_app.data.upload.mapping import ColumnMapping
from kronos_app.data.upload.preview import preview
from kronos_app.errors import InvalidInput, TooLarge
from kronos_app.settings import Settings

SETTINGS = Settings(max_upload_mb=2, max_rows=20_000)
PRICES = ["Open", "High", "Low", "Close"]
LINES = "2024-01-02,1,2,0.5,1.5,10\n2024-01-03,2,3,1.5,2.5,20\n"
HEAD = "Date,Open,High,Low,Close,Volume\n"


def read(content, name="file.csv", **arguments):
    content = content if isinstance(content, bytes) else content.encode()
    return reader.read_all(content, name, settings=SETTINGS, **arguments)


def codes(draft):
    return {finding.code for finding in draft.findings}


def closes(draft):
    return draft.frame["close"].tolist()


@pytest.fixture
def frames():
    """Return frames of two tickers, indexed by the day."""
    rng = np.random.default_rng(0)

    def one(level):
        close = (level + rng.normal(size=12).cumsum()).round(2)
        data = {"Close": close, "High": close + 1, "Low": close - 1, "Open": close, "Volume": rng.integers(1, 99, 12)}
        return pd.DataFrame(data, index=pd.date_range("2024-01-02", periods=12, name="Date"))

    return {"AAPL": one(180), "MSFT": one(300)}


# Notes, headers, separators


@pytest.mark.parametrize(
    "content",
    [
        HEAD + LINES + "Source: some vendor\n",
        HEAD + LINES + '"Downloaded from a vendor as of 05-21-2024 07:29pm CDT"\n',
        HEAD + LINES + "数据来源：Wind,,,,,\n",
        HEAD + LINES + "#数据来源:通达信\n",
        HEAD + LINES + "\n说明:\n符号说明:+/-/X表示涨/跌\n",
        HEAD + "every price in dollars\n" + LINES,
        HEAD + ",USD,USD,USD,USD,shares\n" + LINES,
        HEAD + LINES.replace("\n", "\n# a comment, of two cells\n", 1),
        HEAD + LINES.replace("\n", "\n" + HEAD, 1),
        "A title, of two cells\n\n" + HEAD + LINES,
    ],
)
def test_notes_are_left_out_and_shown(content):
    (draft,) = read(content)
    assert closes(draft) == [1.5, 2.5]
    assert draft.about.symbol is None
    assert draft.unreadable == 0
    assert "notes" in codes(draft) or content.startswith("A title")


def test_a_note_that_would_be_an_instrument_is_none():
    content = "Code,Date,Open,High,Low,Close\nAAA,2024-01-02,1,2,0.5,1.5\nAAA,2024-01-03,1,2,0.5,1.5\nSource: X,,,,,\n"
    (draft,) = read(content, "aaa.csv")
    assert (draft.about.symbol, len(draft)) == ("AAA", 2)


@pytest.mark.parametrize("line", ["2024-01-04,1,2\n", "2024-01-04,1,234,2,0.5,1.5,10\n", "AAA,1,234,2,0.5,1.5,10\n"])
def test_a_line_that_may_be_a_candle_is_no_note(line):
    with pytest.raises(InvalidInput, match="Row 4"):
        read(HEAD + LINES + line)


def test_a_candle_without_prices_stays():
    (draft,) = read(HEAD + LINES + "2024-01-04,,,,,\n")
    assert len(draft) == 3


@pytest.mark.parametrize(
    "content",
    [
        HEAD + LINES.replace("\n", ",\n"),
        HEAD.replace("\n", ",\n") + LINES,
        HEAD.replace("\n", ",\n") + LINES.replace("\n", ",\n"),
        HEAD + LINES.replace("\n", ",,\n", 1),
        HEAD.removeprefix("Date,") + LINES,
    ],
)
def test_separators_too_many_and_an_index_without_a_name_do_no_harm(content):
    (draft,) = read(content)
    assert closes(draft) == [1.5, 2.5]
    assert draft.frame["volume"].tolist() == [10, 20]
    assert draft.frame["timestamp"].iloc[0] == pd.Timestamp("2024-01-02")


# Several tickers


def spellings(frames):
    """Return files that hold both frames side by side."""
    by_ticker = pd.concat(frames, axis=1, names=["Ticker", "Price"])
    by_field = by_ticker.swaplevel(axis=1).sort_index(axis=1)
    unnamed = by_field.copy()
    unnamed.columns.names = [None, None]
    yield "field first", by_field.to_csv()
    yield "ticker first", by_ticker.to_csv()
    yield "levels without names", unnamed.to_csv()
    yield "index without a name", by_field.rename_axis(None).to_csv()
    for mark in "_ .-":
        yield f"field{mark}ticker", by_field.set_axis([mark.join(names) for names in by_field], axis=1).to_csv()
        yield f"ticker{mark}field", by_ticker.set_axis([mark.join(names) for names in by_ticker], axis=1).to_csv()
    yield "tuples", by_field.set_axis([str(names) for names in by_field], axis=1).to_csv()
    for kind in ("parquet", "feather"):
        buffer = io.BytesIO()
        flat = by_field if kind == "parquet" else by_field.set_axis([str(n) for n in by_field], axis=1).reset_index()
        getattr(flat, f"to_{kind}")(buffer)
        yield kind, buffer.getvalue()


def test_tickers_side_by_side_become_series_of_their_own(frames):
    for spelling, content in spellings(frames):
        drafts = {draft.name: draft for draft in read(content)}
        assert set(drafts) == set(frames), spelling
        for name, frame in frames.items():
            for column in (*PRICES, "Volume"):
                np.testing.assert_array_equal(drafts[name].frame[column.lower()], frame[column], err_msg=spelling)
            assert drafts[name].frame["timestamp"].tolist() == list(frame.index), spelling
            assert drafts[name].about.symbol == name


def test_one_ticker_in_the_header_names_the_series_and_not_the_file(frames):
    one = pd.concat({"AAPL": frames["AAPL"]}, axis=1, names=["Ticker", "Price"]).swaplevel(axis=1)
    (draft,) = read(one.to_csv(), "download.csv")
    assert (draft.name, draft.about.symbol, len(draft)) == ("download.csv", "AAPL", 12)
    (draft,) = read(frames["AAPL"].add_suffix("_usd").to_csv(), "download.csv")
    assert draft.about.symbol is None


def test_stated_prices_choose_one_of_several_tickers(frames):
    both = pd.concat(frames, axis=1)
    content = both.set_axis([" ".join(names) for names in both], axis=1).to_csv()
    mapping = ColumnMapping(columns={f"MSFT {price}": price.lower() for price in PRICES})
    (draft,) = read(content, mapping=mapping)
    assert closes(draft) == frames["MSFT"]["Close"].tolist()


# JSON and HTML


def documents(frame):
    """Return the same candles as JSON of different makers."""
    seconds = [int(day.timestamp()) for day in frame.index]
    rows = list(zip(seconds, *(frame[c].tolist() for c in (*PRICES, "Volume")), strict=True))
    names = ["time", "open", "high", "low", "close", "volume"]
    records = [dict(zip(names, row, strict=True)) for row in rows]
    columns = {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    letters = {name[0]: column for name, column in columns.items()}
    yield "freqtrade", [[1000 * row[0], *row[1:]] for row in rows]
    yield "Coinbase", [[t, low, high, open_, close, v] for t, open_, high, low, close, v in rows[::-1]]
    mixed = [(row[0], row[1], row[4], row[2], row[3], row[5], row[5] * row[4]) for row in rows]
    yield "KuCoin", {"code": "200000", "data": [[str(cell) for cell in row] for row in mixed]}
    yield (
        "Bybit",
        {"result": {"symbol": "BTCUSDT", "list": [[str(x) for x in (*row, row[5] * row[4])] for row in rows]}},
    )
    yield "a first list of names", [names, *rows]
    yield "records", records
    yield "columns", columns
    yield "Finnhub", {**letters, "s": "ok"}
    yield "Polygon", {"ticker": "AAPL", "results": [{name[0]: cell for name, cell in row.items()} for row in records]}
    yield "OANDA", {"candles": [{"time": row["time"], "volume": row["volume"],
                                 "mid": {n[0]: row[n] for n in names[1:5]}} for row in records]}  # fmt: skip
    yield "Yahoo", {"chart": {"result": [{"meta": {}, "timestamp": seconds,
                                          "indicators": {"quote": [{n: columns[n] for n in names[1:]}]}}]}}  # fmt: skip
    yield "MOEX", {"candles": {"metadata": {}, "columns": names, "data": rows}}
    yield "Alpha Vantage", {"Meta Data": {"2. Symbol": "IBM"}, "Time Series (Daily)": {
        str(day.date()): {f"{n}. {name}": str(row[name]) for n, name in enumerate(names[1:], 1)}
        for day, row in zip(frame.index, records, strict=True)
    }}  # fmt: skip
    yield "pandas, columns", {n: {str(t): x for t, x in zip(seconds, columns[n], strict=True)} for n in names[1:]}
    yield "pandas, index", {str(row[0]): dict(zip(names[1:], row[1:], strict=True)) for row in rows}
    yield "pandas, split", {"columns": names[1:], "index": seconds, "data": [row[1:] for row in rows]}


def test_json_of_every_maker_is_read(frames):
    frame = frames["AAPL"]
    frame["Open"] += 0.25
    for maker, document in documents(frame):
        (draft,) = read(json.dumps(document), "file.json")
        candles = draft.frame.sort_values("timestamp")
        assert candles["timestamp"].tolist() == list(frame.index), maker
        for column in (*PRICES, "Volume"):
            np.testing.assert_array_equal(candles[column.lower()], frame[column], err_msg=maker)
    lines = "\n".join(json.dumps(row) for row in frame.reset_index().astype({"Date": str}).to_dict("records"))
    assert closes(read(lines, "file.txt")[0]) == frame["Close"].tolist()


def test_json_of_several_symbols_is_split(frames):
    answer = {
        name: {"values": frame.reset_index().astype({"Date": str}).to_dict("records")} for name, frame in frames.items()
    }
    assert {draft.name: closes(draft) for draft in read(json.dumps(answer), "file.json")} == {
        name: frame["Close"].tolist() for name, frame in frames.items()
    }


@pytest.mark.parametrize("content", ['{"a": 1}', "[]", "[[1,2]]", '[{"a": [1]}]', "[" * 5000 + "]" * 5000, "[[1,2,3"])
def test_json_without_candles_is_called_json(content):
    with pytest.raises(InvalidInput, match="JSON"):
        read(content, "file.json")


def test_an_html_table_is_read_and_a_page_without_one_refused(frames):
    page = "<html><body><table><tr><td>Title</td></tr></table>" + frames["AAPL"].reset_index().to_html() + "</body>"
    (draft,) = read(page, "prices.xls")
    assert closes(draft) == frames["AAPL"]["Close"].tolist()
    assert "file_kind" in codes(draft)
    with pytest.raises(InvalidInput, match="HTML"):
        read("<!DOCTYPE html><html><body>Please sign in</body></html>", "prices.csv")


def zipped(*members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member in members:
            archive.writestr(member, "application/vnd.oasis.opendocument.spreadsheet" if member == "mimetype" else "x")
    return buffer.getvalue()


UNREAD = {
    "xlsx": (zipped("[Content_Types].xml", "xl/workbook.xml"), "Excel (.xlsx)", "CSV UTF-8"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "WPS (.xls, .et)", "CSV UTF-8"),
    "xml": (
        b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">',
        "XML",
        "CSV UTF-8",
    ),
    "ods": (zipped("mimetype", "content.xml"), "LibreOffice", "CSV UTF-8"),
    "numbers": (zipped("Index/Document.iwa"), "Numbers", "CSV UTF-8"),
    "zip": (zipped("a.csv"), "ZIP", "Unpack the archive"),
    "rar": (b"Rar!\x1a\x07" + bytes(99), "RAR", "Unpack the archive"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(99), "7z", "Unpack the archive"),
    "tar": (b"a.csv" + bytes(252) + b"ustar" + bytes(300), "tar", "Unpack the archive"),
    "docx": (zipped("word/document.xml"), "Word", "Upload CSV, JSON"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "PDF", "Upload CSV, JSON"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "PNG", "Upload CSV, JSON"),
    "h5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "HDF5", "Upload CSV, JSON"),
    "txt": (b"\x00\x01\x02\xff" * 100, "not a table", "Upload CSV, JSON"),
}


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("ending", ["csv", "as it is"])
@pytest.mark.parametrize("kind", UNREAD)
def test_a_kind_of_file_that_is_not_read_is_named_with_what_to_do(kind, ending, compress):
    content, named, advice = UNREAD[kind]
    with pytest.raises(InvalidInput) as refused:
        read(compress(content), f"prices.{kind if ending == 'as it is' else ending}")
    assert "“prices." in refused.value.message.render()
    assert named in refused.value.message.render()
    assert advice in refused.value.hint.render()


# Encodings


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("gb18030", "Date,Open,High,Low,Close,备注\n2024-01-02,1,2,1,2,停牌\n"),
        ("big5", "Date,Open,High,Low,Close,備註\n2024-01-02,1,2,1,2,台灣積體電路\n"),
        ("cp949", "Date,Open,High,Low,Close,비고\n2024-01-02,1,2,1,2,삼성전자\n"),
        ("cp932", "Date,Open,High,Low,Close,銘柄名\n2024-01-02,1,2,1,2,ソニーグループ\n"),
        ("cp1252", "Date,Open,High,Low,Close,Währung\n2024-01-02,1,2,1,2,€\n"),
        ("cp1252", "Date;Ouverture;Plus haut;Plus bas;Clôture\n"),
    ],
)
def test_an_encoding_is_known_by_what_it_decodes_to(encoding, text):
    assert encodings.decode(text.encode(encoding)) == text


# Mapping and preview


def test_a_file_without_header_is_read_by_the_places_of_its_columns():
    roles = ["timestamp", "open", "high", "low", "close", "volume"]
    mapping = ColumnMapping(columns={f"column {place}": role for place, role in enumerate(roles, 1)})
    (draft,) = read(LINES, mapping=mapping)
    assert (closes(draft), draft.frame["volume"].tolist()) == ([1.5, 2.5], [10, 20])
    with pytest.raises(InvalidInput) as caught:
        read(LINES)
    assert "columns=" in caught.value.hint.render()


def test_several_columns_of_symbols_name_a_series_together():
    content = "venue,code,Date,Open,High,Low,Close\nX,A,2024-01-02,1,2,0.5,1.5\nY,A,2024-01-02,1,2,0.5,1.5\n"
    mapping = ColumnMapping(columns={"venue": "symbol", "code": "symbol"})
    assert [draft.name for draft in read(content, mapping=mapping)] == ["X A", "Y A"]


def test_a_stated_unit_multiplies_and_a_column_can_be_ignored():
    mapping = ColumnMapping(columns={"Volume": "ignore"}, units={"close": 0.01})
    (draft,) = read(HEAD + LINES, mapping=mapping)
    assert closes(draft) == [0.015, 0.025]
    assert "volume" not in draft.frame


@pytest.mark.parametrize("kind", ["csv", "parquet", "feather", "json"])
def test_a_preview_shows_all_columns_of_any_kind_of_file(frames, kind):
    frame = frames["AAPL"].reset_index().assign(note="x", Date=lambda f: f["Date"].astype(str))
    buffer = io.BytesIO()
    content = {
        "csv": lambda: frame.to_csv(index=False).encode(),
        "json": lambda: frame.to_json(orient="records").encode(),
    }
    if kind in content:
        buffer.write(content[kind]())
    else:
        getattr(frame, f"to_{kind}")(buffer)
    shown = preview(buffer.getvalue(), f"a.{kind}", SETTINGS)
    assert [column.header for column in shown.columns] == list(frame)
    assert {column.header: column.role for column in shown.columns}["Close"] == "close"
    assert shown.unused == ("note",)
    assert shown.columns[-1].cells == ("x",) * 10
    assert shown.problem is None
    assert shown.model_dump_json()


# Types


@pytest.mark.parametrize(
    "column",
    [
        pa.array(pd.date_range("2024-01-01", periods=3)), pa.array([True, False, True]), pa.array([[1], [2], [3]]),
        pa.array([b"1", b"2", b"3"]), pa.array([1, 2, 3], pa.duration("s")),
    ],
    ids=str,
)  # fmt: skip
def test_prices_of_a_type_without_numbers_are_refused_with_its_name(column):
    table = pa.table(
        {"date": ["2024-01-01"] * 3, "open": column, "high": [1.0] * 3, "low": [1.0] * 3, "close": [1.0] * 3}
    )
    buffer = io.BytesIO()
    pa.parquet.write_table(table, buffer)
    with pytest.raises(InvalidInput) as caught:
        read(buffer.getvalue(), "a.parquet")
    assert caught.value.code == "wrong_type"
    assert str(column.type).partition("<")[0] in str(caught.value)


@pytest.mark.parametrize(
    "kind", [pa.uint64(), pa.int64(), pa.timestamp("ms"), pa.timestamp("us", "Mars/Base"), pa.date32()]
)
def test_times_out_of_range_leave_nothing_but_refusals(kind):
    numbers = pa.array([2**62, 2**61, 5], pa.int64())
    times = numbers.cast(pa.int32(), safe=False).cast(kind) if kind == pa.date32() else numbers.cast(kind, safe=False)
    table = pa.table({"date": times, **{price: [1.0, 1.0, 1.0] for price in PRICES}})
    buffer = io.BytesIO()
    pa.parquet.write_table(table, buffer)
    with suppress(InvalidInput, TooLarge):
        read(buffer.getvalue(), "a.parquet")
    assert preview(buffer.getvalue(), "a.parquet", SETTINGS).columns


ODD = {
    "uint64": pa.array([2**64 - 1, 2**63, 1], pa.uint64()), "half": pa.array([1.0, 2.0, 3.0], pa.float16()),
    "decimal": pa.array([10**60, 1, 2], pa.decimal256(70, 3)), "time": pa.array([1, 2, 3], pa.time64("ns")),
    "days": pa.array([2**31 - 1, -(2**31), 0], pa.int32()).cast(pa.date32()), "null": pa.nulls(3),
    "instants": pa.array([2**62, -(2**62), 0], pa.int64()).cast(pa.timestamp("us", "Asia/Tokyo")),
    "nowhere": pa.array([1, 2, 3], pa.int64()).cast(pa.timestamp("ns", "Mars/Base")), "bool": pa.array([True] * 3),
    "struct": pa.array([{"a": 1}] * 3), "binary": pa.array([b"x"] * 3),
    "duration": pa.array([1, 2, 3], pa.duration("s")),
    "words": pa.array(["e1", "1e999", "−"]).dictionary_encode(), "infinite": pa.array([np.inf, -np.inf, np.nan]),
    "cells": pa.array(["e1", "9" * 400, "2024-02-30"]), "large": pa.array(["1", "", "x"], pa.large_string()),
}  # fmt: skip


@pytest.mark.parametrize(
    "column", ["timestamp", "date", "time", "open", "volume", "amount", "symbol", "series", "turnover"]
)
@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_odd_types_in_any_column_leave_nothing_but_refusals(column, kind):
    plain = {"timestamp": pa.array(pd.date_range("2024-01-01", periods=3)), "close": pa.array([1.0, 2.0, 3.0])}
    plain |= dict.fromkeys(("open", "high", "low"), plain["close"])
    for cells in ODD.values():
        buffer = io.BytesIO()
        table = pa.table(plain | {column: cells})
        if kind == "parquet":
            pa.parquet.write_table(table, buffer)
        else:
            pa.feather.write_feather(table, buffer)
        with suppress(InvalidInput, TooLarge):
            read(buffer.getvalue(), f"a.{kind}")
        with suppress(InvalidInput, TooLarge):
            assert preview(buffer.getvalue(), f"a.{kind}", SETTINGS).columns


def test_a_file_without_times_names_its_unused_columns_and_how_to_state_the_time():
    (draft,) = read("Moment,Open,High,Low,Close\n2024-01-02,1,2,0.5,1.5\n")
    with pytest.raises(InvalidInput) as caught:
        repair.apply(draft, None)
    hint = caught.value.hint.render()
    assert "“Moment”" in hint
    assert 'columns={"Moment": "timestamp"}' in hint
    (draft,) = read(
        "Moment,Open,High,Low,Close\n2024-01-02,1,2,0.5,1.5\n", mapping=ColumnMapping(columns={"Moment": "timestamp"})
    )
    assert draft.frame["timestamp"].tolist() == [pd.Timestamp("2024-01-02")]


def test_json_of_millions_of_empty_rows_is_refused_before_it_is_expanded(monkeypatch):
    monkeypatch.setattr(json_table, "_load", lambda content: pytest.fail("it was expanded"))
    for row in (b"[],", b"{},", b'{"a":[]},'):
        with pytest.raises(InvalidInput, match="no candles"):
            read(b"[" + row * 100_000 + row[:-1] + b"]", "rows.json")
