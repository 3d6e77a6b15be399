"""Queries in processes of their own: what one takes is bounded, and nothing of it is left."""

import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import psutil
import pytest
import sqlalchemy as sa

from kronos_app.data.sql import process, reader
from kronos_app.data.sql.connection import SqlConnection
from kronos_app.data.sql.limits import Limits
from kronos_app.data.sql.process import QueryProcesses
from kronos_app.data.sql.request import SqlRequest
from kronos_app.errors import InvalidInput, NotFound, TooLarge, Unavailable

PROCESSES = QueryProcesses(4)
ROOT = Path(__file__).parents[4]
LIMITS = Limits(30, result_mb=20, memory_mb=700)
PRICES = "1 AS open, 1 AS high, 1 AS low"
# One call of a function that takes years and looks at no interrupt.
UNSTOPPABLE = (
    f"SELECT '2024-01-01' AS time, {PRICES}, instr(hex(zeroblob(50000000)), hex(zeroblob(10000000)) || '1') AS close"
)
SECONDS = 30  # that a stopped query may take on a busy machine


@pytest.fixture
def lite(tmp_path):
    path = tmp_path / "market.db"
    with sqlite3.connect(path) as opened:
        opened.execute("CREATE TABLE candles (time TEXT, open REAL, high REAL, low REAL, close REAL, code TEXT)")
        days = [(f"2024-01-{day:02d}", 1, 2, 0.5, 1.5, "600519") for day in range(1, 31)]
        opened.executemany("INSERT INTO candles VALUES (?, ?, ?, ?, ?, ?)", days)
    opened.close()
    return SqlConnection("market", "sqlite", sa.make_url(f"sqlite:///{path}"))


@pytest.fixture
def duck(tmp_path):
    path = tmp_path / "market.duckdb"
    duckdb.connect(str(path)).close()
    return SqlConnection("market", "duckdb", sa.make_url(f"duckdb:///{path}"))


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    """Where the child processes may leave files; afterwards no file and no process is left."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(process.tempfile, "tempdir", str(folder))
    before = set(psutil.Process().children(recursive=True))
    yield folder
    assert list(folder.iterdir()) == []
    assert set(psutil.Process().children(recursive=True)) <= before


def read(connection, query, limits=LIMITS, on_page=lambda _: None):
    return PROCESSES.read(connection, SqlRequest(query=query), limits=limits, on_page=on_page)


def running():
    return [child for child in psutil.Process().children() if "kronos_app.data.sql.child" in child.cmdline()]


def test_a_process_gives_what_reading_here_gives(lite):
    request = SqlRequest(table="candles", symbol="600519", timezone="Asia/Shanghai")
    here = reader.read(lite, request, limits=LIMITS)
    there = PROCESSES.read(lite, request, limits=LIMITS)
    assert there.frame.equals(here.frame)
    assert (there.about, there.columns, there.timezone, there.name) == (
        here.about,
        here.columns,
        here.timezone,
        here.name,
    )
    assert PROCESSES.tables(lite, LIMITS) == ["candles"]
    assert PROCESSES.symbols(lite, "candles", "code", LIMITS) == ["600519"]
    assert PROCESSES.preview(lite, request, LIMITS) == reader.preview(lite, request, LIMITS)


@pytest.mark.parametrize(
    ("kind", "close"),
    [
        ("duck", "list_sum(range(3000000000))"),
        ("duck", "length(repeat('x', 2000000000))"),
        ("duck", "(SELECT length(string_agg(repeat('y', 1000) || i, '')) FROM range(10000000) t(i))"),
        ("lite", "length(zeroblob(900000000) || zeroblob(90000000))"),
        ("lite", "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 900) "
                 "SELECT length(group_concat(hex(zeroblob(500000)))) FROM n)"),
    ],
)  # fmt: skip
def test_a_query_that_needs_too_much_memory_is_stopped(request, kind, close):
    before = psutil.Process().memory_info().rss
    begun = time.monotonic()
    with pytest.raises(TooLarge) as caught:
        read(request.getfixturevalue(kind), f"SELECT '2024-01-01' AS time, {PRICES}, {close} AS close")
    assert caught.value.code == "sql_memory"
    assert "700 MB" in str(caught.value)
    assert "KRONOS_QUERY_MEMORY_MB" in caught.value.hint.render()
    assert time.monotonic() - begun < SECONDS
    assert psutil.Process().memory_info().rss - before < 100_000_000


def test_a_call_that_looks_at_no_interrupt_is_killed_in_time(lite):
    begun = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        read(lite, UNSTOPPABLE, Limits(1))
    assert caught.value.code == "sql_too_slow"
    assert time.monotonic() - begun < SECONDS
    with pytest.raises(Unavailable, match="longer than 1 seconds"):
        PROCESSES.preview(lite, SqlRequest(query=UNSTOPPABLE), Limits(1))


def test_a_cancelled_query_is_killed(lite):
    class Cancelled(Exception):
        pass

    def on_page(count):
        if running():
            raise Cancelled

    begun = time.monotonic()
    with pytest.raises(Cancelled):
        read(lite, UNSTOPPABLE, Limits(600), on_page)
    assert time.monotonic() - begun < SECONDS


@pytest.mark.parametrize("rows", [3000, 60])
def test_long_rows_stop_at_the_limit_of_bytes(lite, rows):
    """Also where the first rows are short, and the column is not in use."""
    query = (
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {rows}) SELECT i AS time, {PRICES}, "
        "1 AS close, CASE WHEN i < 30 THEN '' ELSE hex(zeroblob(500000)) END AS remark FROM n"
    )
    with pytest.raises(TooLarge) as caught:
        read(lite, query)
    assert caught.value.code == "too_many_bytes"
    assert "20 MB" in str(caught.value)
    assert "KRONOS_QUERY_RESULT_MB" in caught.value.hint.render()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_process_that_dies_is_an_error_with_a_remedy(lite, number):
    def on_page(count):
        for child in running():
            child.send_signal(number)

    with pytest.raises((InvalidInput, TooLarge)) as caught:
        read(lite, UNSTOPPABLE, LIMITS, on_page)
    assert caught.value.code in {"sql_crashed", "sql_memory"}
    assert caught.value.hint.render()


def test_errors_of_the_database_and_of_the_request_come_through(lite):
    with pytest.raises(InvalidInput, match="no such column: nonsense"):
        read(lite, "SELECT nonsense FROM candles")
    with pytest.raises(NotFound, match="no table “other”"):
        PROCESSES.symbols(lite, "other", "code", LIMITS)
    with pytest.raises(TooLarge, match="more than 29 rows"):
        read(lite, "SELECT * FROM candles", Limits(30, rows=29))


def test_no_secret_is_in_arguments_environment_or_log(caplog, monkeypatch, tmp_path):
    monkeypatch.setenv("KRONOS_API_TOKEN", "t0ken-of-the-desk")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken-of-mlflow")
    url = sa.make_url(f"sqlite://user:S3cret%2Fword@/{tmp_path}/market.db")
    sqlite3.connect(tmp_path / "market.db").close()
    seen = []

    def on_page(count):
        seen.extend(json.dumps([child.cmdline(), child.environ()]) for child in running())

    with caplog.at_level(logging.DEBUG), pytest.raises(Unavailable):
        read(SqlConnection("market", "sqlite", url), UNSTOPPABLE, Limits(1), on_page)
    assert seen
    for secret in ("S3cret", "t0ken"):
        assert secret not in "".join(seen)
        assert secret not in caplog.text


def test_a_query_ends_with_the_server_that_asked(lite, scratch):
    program = (
        "import sys, sqlalchemy\n"
        "from kronos_app.data.sql.connection import SqlConnection\n"
        "from kronos_app.data.sql.limits import Limits\n"
        "from kronos_app.data.sql.process import QueryProcesses\n"
        "from kronos_app.data.sql.request import SqlRequest\n"
        "connection = SqlConnection('m', 'sqlite', sqlalchemy.make_url(sys.argv[1]))\n"
        "on_page = lambda count: print('busy', flush=True)\n"
        "QueryProcesses(1).read(connection, SqlRequest(query=sys.argv[2]), limits=Limits(600), on_page=on_page)\n"
    )
    command = [sys.executable, "-c", program, str(lite.url), UNSTOPPABLE]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(scratch)}
    ) as server:
        assert server.stdout.readline() == b"busy\n"
        children = psutil.Process(server.pid).children()
        assert children
        server.kill()
    _, alive = psutil.wait_procs(children, timeout=SECONDS)
    assert alive == []
    for folder in scratch.iterdir():  # what a killed server could not remove
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


def test_queries_wait_for_their_turn_and_give_up(lite):
    processes = QueryProcesses(1)
    began, release = threading.Event(), threading.Event()

    class Over(Exception):
        pass

    def hold(count):
        began.set()
        if release.is_set():
            raise Over

    def first():
        with pytest.raises(Over):
            processes.read(lite, SqlRequest(query=UNSTOPPABLE), limits=Limits(600), on_page=hold)

    thread = threading.Thread(target=first)
    thread.start()
    assert began.wait(SECONDS)
    with pytest.raises(Unavailable) as caught:
        processes.tables(lite, Limits(0.3))
    assert caught.value.code == "sql_busy"
    release.set()
    thread.join(SECONDS)
    assert processes.tables(lite, LIMITS) == ["candles"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (1.5, 1.5),
        (True, True),
        (2**70, 2**70),
        (float("inf"), float("inf")),
        ("x" * 300, "x" * 199 + "…"),
        (Decimal("1.50"), 1.5),
        (datetime(2024, 1, 2, 3), "2024-01-02 03:00:00"),
        (date(2024, 1, 2), "2024-01-02"),
        (b"raw", "(3 B)"),
    ],
)
def test_cells_of_a_preview_become_json_values(value, shown):
    assert json.loads(json.dumps(reader._preview_cell(value))) == shown


def test_a_preview_may_have_repeated_names_and_no_rows(lite):
    preview = PROCESSES.preview(lite, SqlRequest(query="SELECT 1 AS a, 2 AS a WHERE 1 = 0"), LIMITS)
    assert (preview.headers, preview.rows, preview.guessed) == (("a", "a"), (), {})
