"""Candles from SQLite and DuckDB files: what is read, what is guessed, and what the database refuses."""

import logging
import sqlite3
import threading
import time
from datetime import UTC, date, datetime

import duckdb
import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from kronos_app.data.checks import quality, repair
from kronos_app.data.sql import reader
from kronos_app.data.sql.connection import DRIVERS, SqlConnection, named_connections, secrets_files
from kronos_app.data.sql.limits import Limits
from kronos_app.data.sql.request import COLUMNS, SqlRequest, guess
from kronos_app.data.sql.session import reading
from kronos_app.data.sql.statement import LONGEST, check
from kronos_app.errors import InvalidInput, NotFound, TooLarge, Unavailable

TEN_SECONDS = Limits(10)
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
# What must not get through, even if nobody looked at it before.
WRITES = (
    "DELETE FROM candles",
    "INSERT INTO candles (symbol) VALUES ('X')",
    "CREATE TABLE other (a INTEGER)",
    "DROP TABLE candles",
    "ATTACH '{folder}/other.db' AS other",
)


def connection(url, name="market"):
    url = sa.make_url(url)
    url = url.set(drivername=DRIVERS[url.get_backend_name()])
    return SqlConnection(name, url.get_backend_name(), url)


def frame(rows=50, *, symbol="AAPL", start="2024-01-01", freq="D"):
    close = 100 + np.sin(np.arange(rows))
    return pd.DataFrame(
        {
            "symbol": symbol, "trade_date": pd.date_range(start, periods=rows, freq=freq), "open": close - 0.1,
            "high": close + 1, "low": close - 1, "close": close, "vol": np.arange(rows) + 1,
        }
    )  # fmt: skip


CANDLES = pd.concat([frame(), frame(30, symbol="MSFT", start="2024-02-01")], ignore_index=True)


@pytest.fixture
def sqlite(tmp_path):
    path = tmp_path / "market 100%.db"
    with sqlite3.connect(path) as opened:
        texts = CANDLES.assign(trade_date=CANDLES["trade_date"].dt.strftime("%Y-%m-%d %H:%M:%S"))
        texts.to_sql("candles", opened, index=False)
        opened.execute("CREATE VIEW apple AS SELECT * FROM candles WHERE symbol = 'AAPL'")
    opened.close()
    return connection(sa.URL.create("sqlite", database=str(path)))


@pytest.fixture
def duck(tmp_path):
    path = tmp_path / "market 100%.duckdb"
    with duckdb.connect(str(path)) as opened:
        opened.register("given", CANDLES)
        opened.execute("CREATE TABLE candles AS SELECT * FROM given")
        opened.execute("CREATE VIEW apple AS SELECT * FROM candles WHERE symbol = 'AAPL'")
        opened.execute("CREATE SCHEMA old")
        opened.execute("CREATE TABLE old.\"Odd table\" AS SELECT * FROM candles WHERE symbol = 'MSFT'")
    return connection(sa.URL.create("duckdb", database=str(path)))


@pytest.fixture(params=["sqlite", "duck"])
def database(request):
    return request.getfixturevalue(request.param)


def read(connection, max_rows=10_000, seconds=20, on_page=lambda _: None, **fields):
    limits = Limits(seconds, rows=max_rows)
    return reader.read(connection, SqlRequest(**fields), limits=limits, on_page=on_page)


def refused(error, connection, **fields):
    with pytest.raises(error) as caught:
        read(connection, **fields)
    return caught.value


def test_tables_and_views_are_listed(sqlite, duck):
    assert reader.tables(sqlite, TEN_SECONDS) == ["apple", "candles"]
    assert reader.tables(duck, TEN_SECONDS) == ["apple", "candles", "old.Odd table"]


def test_a_preview_shows_twenty_rows_and_guesses_the_columns(database):
    told = reader.preview(database, SqlRequest(table="candles"), TEN_SECONDS)
    assert told.headers == tuple(CANDLES.columns)
    assert len(told.rows) == 20
    assert told.rows[0][0] == "AAPL"
    assert told.guessed == {
        "timestamp": "trade_date", "open": "open", "high": "high", "low": "low", "close": "close", "volume": "vol",
        "symbol": "symbol",
    }  # fmt: skip
    assert reader.symbols(database, "candles", "symbol", TEN_SECONDS) == ["AAPL", "MSFT"]


def test_one_instrument_of_a_table_is_read(database):
    draft = read(database, table="candles", symbol="MSFT")
    assert (len(draft), draft.name, draft.source, draft.about.symbol) == (30, "MSFT", "sql", "MSFT")
    assert draft.about.origin == "market: candles"
    wanted = CANDLES[CANDLES["symbol"] == "MSFT"]
    assert (draft.frame["timestamp"].to_numpy() == wanted["trade_date"].to_numpy("datetime64[ns]")).all()
    assert np.allclose(draft.frame["close"], wanted["close"])
    assert np.allclose(draft.frame["volume"], wanted["vol"])
    assert draft.columns["volume"] == "vol"
    report = quality.inspect(draft)
    assert report.clean
    assert len(repair.apply(draft).candles) == 30


def test_a_query_gives_what_a_table_does(database):
    query = (
        "SELECT trade_date AS t, open, high, low, close FROM candles WHERE symbol = 'AAPL' ORDER BY 1 DESC; -- newest"
    )
    draft = read(database, query=query, columns={"timestamp": "t"})
    assert draft.frame["timestamp"].is_monotonic_increasing
    assert (len(draft), draft.name, draft.about.origin, list(draft.frame)[-1]) == (
        50,
        "market",
        "market: SELECT",
        "close",
    )


def test_symbols_may_be_numbers(database, tmp_path):
    path = tmp_path / "numbers.db"
    columns = "code INTEGER, date DATE, open REAL, high REAL, low REAL, close REAL"
    rows = "VALUES (600519, '2024-01-02', 1, 2, 1, 2), (1, '2024-01-02', 1, 2, 1, 2)"
    if database.dialect == "sqlite":
        with sqlite3.connect(path) as opened:
            opened.execute(f"CREATE TABLE c ({columns})")
            opened.execute(f"INSERT INTO c {rows}")
        opened.close()
    else:
        with duckdb.connect(str(path)) as opened:
            opened.execute(f"CREATE TABLE c ({columns})")
            opened.execute(f"INSERT INTO c {rows}")
    market = connection(f"{database.dialect}:///{path}")
    assert reader.symbols(market, "c", "code", TEN_SECONDS) == ["1", "600519"]
    assert (len(read(market, table="c", symbol="600519")), read(market, table="c", symbol="1").name) == (1, "1")


def test_per_cent_signs_and_colons_in_a_query_mean_themselves(database):
    draft = read(database, query="SELECT * FROM candles WHERE symbol LIKE 'M%T' AND ':name' <> '%s'")
    assert draft.name == "MSFT"


def test_several_instruments_are_told_and_none_is_taken_for_another(database):
    error = refused(InvalidInput, database, table="candles")
    assert error.code == "several_symbols"
    assert "“AAPL”, “MSFT”" in str(error)
    assert refused(NotFound, database, table="candles", symbol="aapl").code == "no_candles"
    assert read(database, query="SELECT * FROM candles", symbol="AAPL").about.symbol == "AAPL"
    assert len(read(database, table="apple", columns={"symbol": ""})) == 50


@pytest.mark.parametrize("source", [{"table": "candles"}, {"query": "SELECT * FROM candles"}])
def test_a_range_takes_its_start_and_leaves_its_end(database, source):
    start, end = datetime(2024, 1, 10), datetime(2024, 1, 20)
    draft = read(database, **source, symbol="AAPL", start=start, end=end)
    assert draft.frame["timestamp"].iloc[[0, -1]].to_list() == [pd.Timestamp("2024-01-10"), pd.Timestamp("2024-01-19")]
    assert list(draft.frame.index) == list(range(1, 11))
    late = datetime(2024, 2, 10, tzinfo=UTC)
    assert len(read(database, **source, symbol="AAPL", start=late)) == 10
    assert refused(NotFound, database, **source, symbol="AAPL", start=datetime(2030, 1, 1)).code == "no_candles"
    assert len(read(database, **source, symbol="AAPL", start=datetime.min, end=datetime.max)) == 50


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("INTEGER", lambda t: int(t.timestamp())),
        ("INTEGER", lambda t: int(t.timestamp()) * 10**3),
        ("INTEGER", lambda t: int(t.timestamp()) * 10**9),
        ("INTEGER", lambda t: int(t.strftime("%Y%m%d"))),
        ("TEXT", lambda t: t.strftime("%Y%m%d")),
        ("TEXT", lambda t: t.strftime("%Y-%m-%d")),
        ("TEXT", lambda t: t.strftime("%Y-%m-%dT%H:%M:%S+00:00")),
        ("TEXT", lambda t: t.strftime("%d.%m.%Y")),
        ("REAL", lambda t: t.timestamp()),
    ],
)
def test_times_are_understood_in_every_way_they_are_written(tmp_path, kind, value):
    path = tmp_path / "a.db"
    times = pd.date_range("2024-01-05", periods=40)
    with sqlite3.connect(path) as opened:
        opened.execute(f"CREATE TABLE c (ts {kind}, o REAL, h REAL, l REAL, c REAL)")
        opened.executemany("INSERT INTO c VALUES (?, 1, 2, 0.5, 1.5)", [(value(t),) for t in reversed(times)])
    opened.close()
    draft = read(connection(f"sqlite:///{path}"), table="c", start=datetime(2024, 1, 10), end=datetime(2024, 2, 1))
    assert list(draft.frame["timestamp"]) == list(times[5:27])


def test_a_day_and_a_time_of_day_are_joined(duck, tmp_path):
    path = tmp_path / "b.duckdb"
    with duckdb.connect(str(path)) as opened:
        opened.execute("CREATE TABLE c (date DATE, time TIME, open INT, high INT, low INT, close INT)")
        opened.execute(
            "INSERT INTO c VALUES ('2024-01-02', '09:30:00', 1, 2, 1, 2), ('2024-01-02', '15:00:00', 1, 2, 1, 2)"
        )
    draft = read(connection(f"duckdb:///{path}"), table="c")
    assert list(draft.frame["timestamp"]) == [pd.Timestamp("2024-01-02 09:30"), pd.Timestamp("2024-01-02 15:00")]
    assert draft.columns["timestamp"] == "date + time"


def test_instants_come_in_utc_or_in_the_zone_that_was_asked_for(tmp_path):
    path = tmp_path / "c.duckdb"
    with duckdb.connect(str(path)) as opened:
        opened.execute(
            "CREATE TABLE c AS SELECT TIMESTAMPTZ '2024-03-29 09:30:00+08' + INTERVAL 1 DAY * range AS time, "
            "1.5::DECIMAL(9, 4) AS open, 2 AS high, 1 AS low, 1.5 AS close FROM range(5)"
        )
    market = connection(f"duckdb:///{path}")
    plain = read(market, table="c")
    assert (plain.timezone, plain.frame["timestamp"].iloc[0]) == ("UTC", pd.Timestamp("2024-03-29 01:30"))
    local = read(market, table="c", timezone="Asia/Shanghai", start=datetime(2024, 3, 30))
    assert (local.timezone, local.frame["timestamp"].iloc[0]) == ("Asia/Shanghai", pd.Timestamp("2024-03-30 09:30"))
    assert read(market, table="c", start=datetime(2024, 3, 30, 1, 30, tzinfo=UTC)).frame.shape[0] == 4


def test_a_zone_is_noted_with_times_that_name_none(database):
    draft = read(database, table="apple", timezone="America/New_York")
    assert (draft.timezone, draft.frame["timestamp"].iloc[0]) == ("America/New_York", pd.Timestamp("2024-01-01"))


def test_cells_that_are_no_numbers_are_faults_and_not_gone(tmp_path):
    path = tmp_path / "d.db"
    rows = [
        ("2024-01-01", 1, 2, 1, "1.5"),
        ("2024-01-02", 1, 2, 1, "?"),
        (None, 1, 2, 1, 1.5),
        ("2024-01-04", None, 2, 1, 1.5),
    ]
    with sqlite3.connect(path) as opened:
        opened.execute("CREATE TABLE c (date, open, high, low, close, volume)")
        opened.executemany("INSERT INTO c (date, open, high, low, close) VALUES (?, ?, ?, ?, ?)", rows)
    opened.close()
    draft = read(connection(f"sqlite:///{path}"), table="c")
    assert (len(draft), draft.unreadable) == (4, 1)
    assert [(cell.row, cell.column, cell.text) for cell in draft.bad_cells] == [(2, "close", "?")]
    assert "volume" not in draft.frame
    assert np.isnat(draft.frame["timestamp"].iloc[-1].to_datetime64())
    assert not quality.inspect(draft).clean
    assert len(repair.apply(draft, "drop").candles) == 1


@pytest.mark.parametrize(
    ("query", "columns", "code", "said"),
    [
        ("SELECT close FROM candles", {}, "missing_columns", "timestamp, open, high, low"),
        ("SELECT * FROM candles", {"close": "price"}, "missing_columns", "no column “price”"),
        ("SELECT *, 1 AS close FROM apple", {}, "repeated_column", "“close”"),
        ("SELECT * FROM candles", {"price": "close"}, "unknown_column", "“price”"),
        ("SELECT *, 'x' AS p FROM apple", {"open": "p"}, "no_numbers", "“p”"),
        ("SELECT * FROM apple", {"timestamp": "symbol"}, "no_times", "“AAPL”"),
        ("SELECT nosuch FROM apple", {}, "sql_refused", "nosuch"),
        ("SELECT * FROM apple WHERE nosuch", {}, "sql_refused", "nosuch"),
    ],
)
def test_what_is_wrong_with_a_query_is_said(database, query, columns, code, said):
    error = refused(InvalidInput, database, query=query, columns=columns)
    assert error.code == code
    assert said in str(error)


def test_limits_of_rows_and_columns_hold(database):
    assert refused(TooLarge, database, table="apple", max_rows=49).code == "too_many_rows"
    assert len(read(database, table="apple", max_rows=50)) == 50
    wide = "SELECT " + ", ".join(f"1 AS c{n}" for n in range(300))
    assert refused(TooLarge, database, query=wide).code == "too_many_columns"


def test_a_query_that_takes_too_long_is_stopped(database):
    begun = time.monotonic()
    error = refused(Unavailable, database, query=ENDLESS, seconds=0.5)
    assert error.code == "sql_too_slow"
    assert time.monotonic() - begun < 20


def test_a_query_is_stopped_when_nobody_wants_it_any_more(database):
    class Cancelled(Exception):
        pass

    def on_page(count):
        raise Cancelled

    begun = time.monotonic()
    with pytest.raises(Cancelled):
        read(database, query=ENDLESS, seconds=100, on_page=on_page)
    assert time.monotonic() - begun < 20
    assert not [thread for thread in threading.enumerate() if thread.name == "kronos-sql-watch"]


@pytest.mark.parametrize("statement", WRITES)
def test_the_database_itself_refuses_to_write(database, tmp_path, statement):
    before = reader.tables(database, TEN_SECONDS), len(read(database, table="apple"))
    with pytest.raises((InvalidInput, Unavailable)), reading(database, TEN_SECONDS) as session:
        session.first_rows(statement.format(folder=tmp_path), 1)
    assert (reader.tables(database, TEN_SECONDS), len(read(database, table="apple"))) == before
    assert not (tmp_path / "other.db").exists()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('{folder}/secret.csv')",
        "SELECT * FROM read_text('{folder}/secret.csv')",
        "SELECT * FROM '{folder}/secret.csv'",
        "COPY candles TO '{folder}/stolen.csv'",
        "SET enable_external_access = true",
        "LOAD httpfs",
    ],
)
def test_duckdb_reaches_no_other_file(duck, tmp_path, query):
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    with pytest.raises((InvalidInput, Unavailable)), reading(duck, TEN_SECONDS) as session:
        session.first_rows(query.format(folder=tmp_path), 1)
    assert not (tmp_path / "stolen.csv").exists()


def test_several_may_read_one_file_at_a_time(database):
    with reading(database, TEN_SECONDS) as first:
        assert len(first.first_rows("SELECT * FROM candles", 5)[1]) == 5
        with reading(database, TEN_SECONDS) as second:
            assert len(second.first_rows("SELECT * FROM apple", 5)[1]) == 5
            with pytest.raises(sa.exc.DBAPIError):
                second.first_rows("DELETE FROM candles", 5)
        assert len(first.first_rows("SELECT * FROM apple", 5)[1]) == 5


def test_sqlite_reaches_no_other_file_and_loads_nothing(sqlite, tmp_path):
    sqlite3.connect(tmp_path / "other.db").close()
    for query in (f"ATTACH '{tmp_path}/other.db' AS o", "SELECT load_extension('x')", "PRAGMA writable_schema = 1"):
        with pytest.raises(InvalidInput), reading(sqlite, TEN_SECONDS) as session:
            session.first_rows(query, 1)


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM candles", "UPDATE candles SET close = 1", "insert into candles values (1)", "DROP TABLE candles",
        "SELECT 1; DELETE FROM candles", "WITH x AS (SELECT 1) DELETE FROM candles", "COMMIT", "SET a = 1",
        "EXPLAIN ANALYZE DELETE FROM candles", "CALL f()", "SELECT 'open", "SELECT 1 /* open", "x" * (LONGEST + 1),
        "PRAGMA table_info(x)", "COPY x TO 'y'", "ATTACH 'x' AS y",
    ],
)  # fmt: skip
@pytest.mark.parametrize("dialect", ["postgresql", "mysql", "sqlite", "duckdb"])
def test_what_does_not_only_read_is_refused_before_a_database_sees_it(query, dialect):
    with pytest.raises(InvalidInput) as caught:
        check(query, dialect)
    assert caught.value.code == "not_a_query"


@pytest.mark.parametrize(
    "query", ["SELECT 1 INTO OUTFILE '/tmp/x'", "/*! DELETE FROM t */ SELECT 1", "SELECT /*M! x */ 1"]
)
def test_mysql_writes_no_file_and_runs_no_comment(query):
    with pytest.raises(InvalidInput):
        check(query, "mysql")


@pytest.mark.parametrize("query", ["", "  ;; ", "-- nothing\n"])
def test_an_empty_query_says_so(query):
    with pytest.raises(InvalidInput) as caught:
        check(query, "sqlite")
    assert caught.value.code == "no_query"


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (" SELECT ';' ; ", "SELECT ';'"),
        ("(SELECT 1) UNION SELECT 2;", "(SELECT 1) UNION SELECT 2"),
        ("/* all; of it */ WITH x AS (SELECT 1 AS delete_me) SELECT * FROM x -- end;", None),
        ("SELECT \"update\" FROM t WHERE a = 'DROP TABLE t; --'", None),
        ("VALUES (1)", "VALUES (1)"),
    ],
)
def test_queries_that_read_are_let_through(query, kept):
    found = check(query, "postgresql")
    assert found == kept or (kept is None and found in query and found.startswith(("WITH", "SELECT")))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "table_or_query"),
        ({"table": "a", "query": "SELECT 1"}, "table_or_query"),
        ({"table": "nosuch"}, "unknown_table"),
        ({"table": "candles", "timezone": "Mars/Olympus"}, "unknown_timezone"),
        ({"table": "candles", "start": datetime(2024, 1, 2), "end": datetime(2024, 1, 2, tzinfo=UTC)}, "empty_range"),
    ],
)
def test_requests_that_make_no_sense_say_why(database, fields, code):
    assert refused((InvalidInput, NotFound), database, **fields).code == code


@pytest.mark.parametrize("content", [None, b"", b"no database, but long enough to be looked at" * 100])
@pytest.mark.parametrize("dialect", ["sqlite", "duckdb"])
def test_a_file_that_is_missing_or_none_is_said_and_not_made(tmp_path, dialect, content):
    path = tmp_path / "none.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises((Unavailable, NotFound)) as caught:
        read(connection(f"{dialect}:///{path}"), table="candles")
    assert caught.value.code in {"sql_unreachable", "unknown_table"}
    assert str(tmp_path) not in str(caught.value)
    assert path.exists() == (content is not None)
    assert content is None or path.read_bytes() == content


def test_columns_are_guessed_by_the_names_that_vendors_use():
    assert guess(["代码", "日期", "开盘", "最高", "最低", "收盘", "成交量", "成交额", "备注"]) == dict(
        zip(
            ["symbol", "timestamp", "open", "high", "low", "close", "volume", "amount"],
            ["代码", "日期", "开盘", "最高", "最低", "收盘", "成交量", "成交额"],
            strict=True,
        )
    )
    assert guess(["Date", "Time", "o", "h", "l", "c"]) | {} == {
        "timestamp": "Date", "clock": "Time", "open": "o", "high": "h", "low": "l", "close": "c",
    }  # fmt: skip
    assert guess(["a", "b"]) == {}
    assert set(guess(["ts", "o"])) <= set(COLUMNS)


def test_connections_are_those_of_streamlits_secrets(tmp_path, caplog):
    first, second = tmp_path / "home.toml", tmp_path / "project.toml"
    first.write_text('[connections.gone]\nurl = "sqlite:///a.db"\n')
    second.write_text(
        """
        password = "of the pages"
        [connections.plain]
        url = "postgresql://reader:s3cret@db.example.com/market?sslmode=require"
        [connections.parts]
        type = "sql"
        dialect = "mysql"
        host = "db.example.com"
        port = 3306
        database = "market"
        username = "reader"
        password = "s3cret"
        [connections.file]
        url = "duckdb:////srv/market.duckdb"
        [connections.snow]
        type = "snowflake"
        account = "x"
        [connections.oracle]
        url = "oracle://reader:s3cret@db.example.com/market"
        [connections.broken]
        url = "postgresql//reader:s3cret@db.example.com"
        [connections.empty]
        """
    )
    with caplog.at_level(logging.WARNING):
        found = named_connections([first, second, tmp_path / "none.toml"])
    assert {name: one.dialect for name, one in found.items()} == {
        "plain": "postgresql", "parts": "mysql", "file": "duckdb",
    }  # fmt: skip
    assert found["parts"].url.render_as_string(False) == "mysql+pymysql://reader:s3cret@db.example.com:3306/market"
    assert found["plain"].url.query["sslmode"] == "require"
    assert found["parts"].title == "parts · MySQL"
    assert [record.args[0] for record in caplog.records] == ["oracle", "broken", "empty"]
    assert "s3cret" not in caplog.text + repr(found) + str(found)


def test_a_secrets_file_that_cannot_be_read_keeps_its_secrets(tmp_path, caplog):
    path = tmp_path / "secrets.toml"
    path.write_text('[connections.a]\nurl = "postgresql://reader:s3cret@host/db\n')
    with pytest.raises(Unavailable) as caught:
        named_connections([path])
    assert caught.value.code == "secrets_unreadable"
    assert "s3cret" not in str(caught.value) + caplog.text
    assert caught.value.__cause__ is None


def test_secrets_are_looked_for_where_streamlit_does(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path.parent)
    assert secrets_files({}) == (
        tmp_path / ".streamlit" / "secrets.toml",
        tmp_path.parent / ".streamlit" / "secrets.toml",
    )
    assert [str(path) for path in secrets_files({"STREAMLIT_SECRETS_FILES": "a.toml /b/c.toml"})] == [
        "a.toml",
        "/b/c.toml",
    ]


def test_dates_before_pandas_can_count_are_faults(tmp_path):
    path = tmp_path / "e.duckdb"
    with duckdb.connect(str(path)) as opened:
        opened.execute("CREATE TABLE c (date DATE, open INT, high INT, low INT, close INT)")
        opened.execute("INSERT INTO c VALUES ('1500-01-01', 1, 2, 1, 1), ('2024-01-02', 1, 2, 1, 1)")
    draft = read(connection(f"duckdb:///{path}"), table="c", start=datetime(1400, 1, 1))
    assert (len(draft), draft.unreadable) == (2, 1)
    assert [(cell.row, cell.text) for cell in draft.bad_cells] == [(2, str(date(1500, 1, 1)))]
