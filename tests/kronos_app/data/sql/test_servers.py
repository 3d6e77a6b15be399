"""Candles from a real PostgreSQL and a real MariaDB: what they refuse, how they fail, and how much they may send."""

import logging
import socket
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import pandas as pd
import pytest
import sqlalchemy as sa

from kronos_app.data.checks import quality
from kronos_app.data.sql.connection import DRIVERS, SqlConnection
from kronos_app.data.sql.limits import Limits
from kronos_app.data.sql.process import QueryProcesses
from kronos_app.data.sql.request import SqlRequest
from kronos_app.data.sql.session import reading
from kronos_app.errors import InvalidInput, NotFound, TooLarge, Unavailable
from tests.kronos_app.data.stopping import Stopped, stop_at_page
from tests.servers import mariadb as mariadb_server
from tests.servers import postgres as postgres_server

PROCESSES = QueryProcesses(4)
PASSWORD = "S3cret/of the:reader"
LOGIN = "postgresql://reader:wr0ng%2Fpass word"
MILLIONS = (
    "SELECT '1990-01-01'::timestamp + i * interval '1 minute' AS time, 1.5 AS open, 2.0 AS high, 1.0 AS low, "
    "1.5 AS close, 100 AS volume FROM generate_series(1, 10000000) AS i"
)


def connection(url, name="market"):
    url = sa.make_url(url)
    url = url.set(drivername=DRIVERS[url.get_backend_name()])
    return SqlConnection(name, url.get_backend_name(), url)


@pytest.fixture(scope="module")
def postgres():
    with postgres_server.serve() as server:
        server.execute(
            "CREATE TABLE candles (symbol text, time timestamptz, open numeric(12, 4), high numeric(12, 4), "
            "low numeric(12, 4), close numeric(12, 4), volume bigint, PRIMARY KEY (symbol, time))",
            "INSERT INTO candles SELECT s, '2024-01-01T01:00Z'::timestamptz + i * interval '1 hour', 10.5, 11, 10, "
            "10.75, i FROM generate_series(0, 499) AS i, unnest(ARRAY['AAPL', '600519']) AS s",
            'CREATE SCHEMA "Archive"',
            'CREATE TABLE "Archive"."Daily %" AS SELECT time::date AS "Date", open AS "Open", high AS "High", '
            'low AS "Low", close AS "Close" FROM candles WHERE symbol = \'AAPL\' AND extract(hour FROM time) = 12',
            "CREATE MATERIALIZED VIEW apple AS SELECT * FROM candles WHERE symbol = 'AAPL'",
            "CREATE TABLE numbered AS SELECT 600519 AS code, time, open, high, low, close FROM candles "
            "WHERE symbol = 'AAPL'",
            "GRANT SELECT ON numbered TO PUBLIC",
            "CREATE TABLE hidden AS SELECT 1 AS a",
            "CREATE SEQUENCE counter",
            "GRANT ALL ON SEQUENCE counter TO PUBLIC",
            "CREATE FUNCTION sneak() RETURNS int LANGUAGE sql AS 'INSERT INTO candles (symbol, time) "
            "VALUES (''X'', now()) RETURNING 1'",
            f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'",
            'GRANT USAGE ON SCHEMA "Archive" TO reader',
            'GRANT SELECT ON candles, apple, "Archive"."Daily %" TO reader',
            f"CREATE ROLE writer LOGIN PASSWORD '{PASSWORD}'",
            "GRANT ALL ON candles TO writer",
            "GRANT CREATE ON SCHEMA public TO writer",
        )
        yield server


@pytest.fixture(scope="module")
def mariadb():
    with mariadb_server.serve() as server:
        server.execute(
            "USE market",
            "CREATE TABLE candles (symbol varchar(10), day date, clock time, seen timestamp, open decimal(12, 4), "
            "high decimal(12, 4), low decimal(12, 4), close double, vol bigint)",
            "SET time_zone = '+08:00'",
            "INSERT INTO candles SELECT 'AAPL', '2024-01-02', maketime(9 + seq DIV 60, seq MOD 60, 0), "
            "'2024-01-02 09:00:00' + INTERVAL seq MINUTE, 10.5, 11, 10, 10.75, seq FROM seq_0_to_199",
            f"CREATE USER reader@'%' IDENTIFIED BY '{PASSWORD}'",
            "GRANT ALL ON market.* TO reader@'%'",
            "CREATE FUNCTION sneak() RETURNS int BEGIN DELETE FROM candles; RETURN 1; END",
            "CREATE PROCEDURE push() BEGIN START TRANSACTION; DELETE FROM candles; COMMIT; END",
        )
        yield server


@pytest.fixture
def market(postgres):
    return connection(postgres.url("reader", PASSWORD))


@pytest.fixture
def maria(mariadb):
    return connection(mariadb.url("reader", PASSWORD))


def read(connection, max_rows=2_000_000, seconds=60, on_page=lambda _: None, **fields):
    limits = Limits(seconds, rows=max_rows)
    return PROCESSES.read(connection, SqlRequest(**fields), limits=limits, on_page=on_page)


def tried(connection, statement, seconds=20):
    """Give a statement to the database as it is, unseen by any check."""
    with reading(connection, Limits(seconds)) as session:
        return session.first_rows(statement, 5)[1]


def test_postgresql_lists_what_its_user_may_read(market):
    assert PROCESSES.tables(market, Limits(10)) == ["Archive.Daily %", "apple", "candles", "numbered"]
    assert PROCESSES.symbols(market, "candles", "symbol", Limits(10)) == ["600519", "AAPL"]


def test_postgresql_gives_candles_in_the_zone_asked_for(market):
    draft = read(
        market, table="candles", symbol="600519", timezone="Asia/Shanghai", start=datetime(2024, 1, 2),
        end=datetime(2024, 1, 3),
    )  # fmt: skip
    assert (len(draft), draft.timezone, draft.name) == (24, "Asia/Shanghai", "600519")
    assert draft.frame["timestamp"].iloc[0] == pd.Timestamp("2024-01-02")
    assert draft.frame["close"].iloc[0] == 10.75
    assert quality.inspect(draft).clean
    whole = read(market, table="public.candles", symbol="AAPL")
    assert (len(whole), whole.timezone, whole.frame["timestamp"].iloc[0]) == (
        500,
        "UTC",
        pd.Timestamp("2024-01-01 01:00"),
    )


def test_symbols_may_be_numbers(market):
    assert len(read(market, table="numbered", symbol="600519", start=datetime(2024, 1, 2), timezone="UTC")) == 477
    with pytest.raises(InvalidInput) as caught:
        read(market, table="numbered", symbol="AAPL")
    assert "“market” rejected the query" in str(caught.value)


def test_names_with_capitals_and_odd_signs_are_read(market):
    draft = read(market, table="Archive.Daily %", start=datetime(2024, 1, 5, tzinfo=UTC))
    assert (draft.frame["timestamp"].iloc[0], draft.columns["open"]) == (pd.Timestamp("2024-01-05"), "Open")


def test_a_table_that_its_user_may_not_read_is_not_there(market):
    with pytest.raises(NotFound):
        read(market, table="hidden")
    with pytest.raises(InvalidInput) as caught:
        read(market, query="SELECT * FROM hidden")
    assert "permission denied" in str(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM candles",
        "SELECT * FROM candles; DELETE FROM candles",
        "SELECT 1; COMMIT; DELETE FROM candles",
        "WITH gone AS (DELETE FROM candles RETURNING *) SELECT * FROM gone",
        "SELECT sneak()",
        "SELECT 1 AS a INTO other",
        "CREATE TABLE other (a int)",
        "SELECT nextval('counter')",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SET TRANSACTION READ WRITE",
        "SELECT * FROM candles FOR UPDATE",
        "COPY candles TO '/tmp/stolen'",
    ],
)
@pytest.mark.parametrize("user", ["writer", postgres_server.ADMIN])
def test_postgresql_itself_refuses_to_write(postgres, statement, user):
    password = PASSWORD if user == "writer" else postgres_server.PASSWORD
    with pytest.raises(InvalidInput):
        tried(connection(postgres.url(user, password)), statement)
    assert postgres.execute("SELECT count(*) FROM candles") == [(1000,)]
    assert postgres.execute("SELECT to_regclass('other')") == [(None,)]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        (lambda server: server.url("reader", "wr0ng/pass word"), "sql_login_refused"),
        (lambda server: server.url("nobody", "wr0ng/pass word"), "sql_login_refused"),
        (lambda server: server.url("reader", PASSWORD, "nosuch"), "sql_login_refused"),
        (lambda server: f"{LOGIN}@127.0.0.1:{server.port}/postgres?sslmode=require", "sql_unreachable"),
        (lambda server: f"{LOGIN}@127.0.0.1:{server.port}/postgres?nosuch=1", "sql_unreachable"),
        (lambda server: f"{LOGIN}@127.0.0.1:1/postgres", "sql_unreachable"),
        (lambda server: f"{LOGIN}@no-such-host.invalid/postgres", "sql_unreachable"),
    ],
)  # fmt: skip
def test_a_login_that_fails_is_told_without_the_password(postgres, caplog, url, code):
    with caplog.at_level(logging.DEBUG), pytest.raises(Unavailable) as caught:
        read(connection(url(postgres)), table="candles")
    error = caught.value
    assert error.code == code
    told = f"{error} {error.hint.render()} {error.to_dict()} {caplog.text}"
    for secret in ("wr0ng", PASSWORD, "127.0.0.1:", "postgresql://"):
        assert secret not in f"{error} {error.hint.render()} {error.to_dict()}"
    assert "wr0ng" not in told
    assert PASSWORD not in told
    assert error.__cause__ is None
    assert error.__context__ is None


def test_a_slow_query_is_ended_by_the_server(postgres, market):
    begun = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        read(market, query="SELECT pg_sleep(60)", seconds=1)
    assert caught.value.code in {"sql_too_slow", "sql_interrupted"}
    assert time.monotonic() - begun < 20
    assert running(postgres) == []


def test_a_query_of_many_short_steps_is_ended_as_well(market):
    """Each step is within the limit of the server."""
    endless = "SELECT now() AS time, 1 AS open, 1 AS high, 1 AS low, 1 AS close FROM generate_series(1, 1000000000000)"
    with pytest.raises((Unavailable, TooLarge)) as caught:
        read(market, query=endless.replace("1 AS close", "pg_sleep(0.0002)::text AS close"), seconds=1)
    assert caught.value.code == "sql_too_slow"


def test_a_cancelled_query_is_ended_on_the_server(postgres, market):
    with pytest.raises(Stopped):
        read(market, query="SELECT pg_sleep(60)", on_page=stop_at_page)
    assert running(postgres) == []


def running(postgres):
    for _look in range(100):
        busy = postgres.execute("SELECT query FROM pg_stat_activity WHERE application_name = 'kronos-desk'")
        if not busy:
            break
        time.sleep(0.05)
    return busy


def test_ten_million_rows_stop_at_the_limit(market):
    seen = []
    begun = time.monotonic()
    with pytest.raises(TooLarge) as caught:
        read(market, query=MILLIONS, max_rows=100_000, on_page=seen.append)
    assert caught.value.code == "too_many_rows"
    assert "100000" in str(caught.value)
    assert max(seen) <= 110_000
    assert time.monotonic() - begun < 60


def test_of_ten_million_rows_those_in_the_range_are_read(postgres, market):
    postgres.execute(
        "CREATE UNLOGGED TABLE IF NOT EXISTS minutes AS " + MILLIONS.replace("10000000", "1000000"),
        "CREATE INDEX ON minutes (time)",
        "GRANT SELECT ON minutes TO reader",
    )
    seen = []
    draft = read(market, table="minutes", start=datetime(1990, 3, 1), end=datetime(1990, 3, 8), on_page=seen.append)
    assert len(draft) == 7 * 24 * 60
    assert max(seen) < 20_000, "the database should have sent hardly more than was asked for"


def test_a_connection_that_the_server_drops_is_told(postgres, market):
    def on_page(count):
        if count:
            postgres.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kronos-desk'"
            )

    with pytest.raises(Unavailable) as caught:
        read(market, query=MILLIONS, max_rows=10_000_000, on_page=on_page)
    assert caught.value.code == "sql_connection_lost"
    assert len(read(market, table="candles", symbol="AAPL")) == 500


@contextmanager
def relay(port):
    """Yield the port of a relay to another, and a function that cuts all lines in the middle of a word."""
    lines = []
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass

    def accept():
        try:
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", port))
                lines.extend((near, far))
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=pump, args=ends, daemon=True).start()
        except OSError:
            pass

    def cut():
        for line in lines:
            with line:
                line.shutdown(socket.SHUT_RDWR)
        lines.clear()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1], cut
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        cut()


def test_a_line_that_is_cut_is_told(postgres):
    with relay(postgres.port) as (port, cut):
        url = sa.make_url(postgres.url("reader", PASSWORD)).set(port=port)
        with pytest.raises(Unavailable) as caught:
            read(connection(url), query=MILLIONS, max_rows=10_000_000, on_page=lambda count: cut() if count else None)
    assert caught.value.code == "sql_connection_lost"


def test_mariadb_gives_candles_and_knows_instants_from_local_times(maria):
    assert PROCESSES.tables(maria, Limits(10)) == ["candles"]
    local = read(maria, table="candles", columns={"timestamp": "day", "clock": "clock"})
    assert (len(local), local.timezone, local.name) == (200, None, "AAPL")
    assert local.frame["timestamp"].iloc[[0, -1]].to_list() == [
        pd.Timestamp("2024-01-02 09:00"), pd.Timestamp("2024-01-02 12:19"),
    ]  # fmt: skip
    instants = read(maria, table="candles", columns={"timestamp": "seen", "clock": ""})
    assert (instants.timezone, instants.frame["timestamp"].iloc[0]) == ("UTC", pd.Timestamp("2024-01-02 01:00"))
    shanghai = read(maria, table="candles", columns={"timestamp": "seen", "clock": ""}, timezone="Asia/Shanghai")
    assert shanghai.frame["timestamp"].iloc[0] == pd.Timestamp("2024-01-02 09:00")
    percent = read(maria, query="SELECT seen AS time, open, high, low, close FROM candles WHERE symbol LIKE 'A%'")
    assert len(percent) == 200


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM candles", "SELECT sneak()", "CALL push()", "CREATE TABLE other (a int)", "DROP TABLE candles",
        "SELECT 1; DELETE FROM candles", "SET TRANSACTION READ WRITE", "TRUNCATE candles",
    ],
)  # fmt: skip
def test_mariadb_itself_refuses_to_write(mariadb, maria, statement):
    with pytest.raises(InvalidInput):
        tried(maria, statement)
    assert mariadb.execute("SELECT count(*) FROM market.candles") == [(200,)]


def test_mariadb_fails_as_clearly(mariadb, maria, caplog):
    def code(connection, **fields):
        with pytest.raises((Unavailable, InvalidInput, TooLarge)) as caught:
            read(connection, **fields)
        assert PASSWORD not in f"{caught.value} {caplog.text}"
        return caught.value.code

    assert code(connection(mariadb.url("reader", "wr0ng")), table="candles") == "sql_login_refused"
    assert code(connection(mariadb.url("reader", PASSWORD, "nosuch")), table="candles") == "sql_login_refused"
    assert code(connection("mysql://reader:x@127.0.0.1:1/market"), table="candles") == "sql_unreachable"
    assert code(maria, query="SELECT sleep(60)", seconds=1) in {"sql_too_slow", "sql_interrupted"}
    assert code(maria, query="SELECT nosuch FROM candles") == "sql_refused"
    many = "SELECT now() AS time, 1 AS open, 1 AS high, 1 AS low, 1 AS close FROM seq_1_to_10000000"
    begun = time.monotonic()
    assert code(maria, query=many, max_rows=50_000) == "too_many_rows"
    assert time.monotonic() - begun < 20, "the rest of the rows must not be read"
    assert "wr0ng" not in caplog.text
