"""The database in every state it may be found in: nothing is lost, and the reader is told."""

import os
import resource
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa

from kronos_app.errors import InvalidInput, Unavailable
from kronos_app.store.database import SECONDS_BETWEEN_ATTEMPTS


def works(store, forecast):
    """Return whether a forecast that is put can be got."""
    store.forecasts.put(forecast("probe"))
    return store.forecasts.get("probe").repairs == 5


@contextmanager
def without_root():
    """Give up the right to write anywhere, where the tests have it."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_new_home_folder_is_made(open_store, tmp_path, forecast):
    store = open_store(f"duckdb:///{tmp_path}/a/b/desk.duckdb")
    assert store.notice is None
    assert works(store, forecast)
    assert (tmp_path / "a/b/desk.duckdb").exists()


@pytest.mark.parametrize("content", [b"", b"not a database " * 999, bytes(8192)], ids=["empty", "rubbish", "zeros"])
def test_a_damaged_file_is_kept_under_another_name(open_store, file, content, forecast):
    file.write_bytes(content)
    store = open_store(f"duckdb:///{file}")
    assert works(store, forecast)
    (aside,) = file.parent.glob("desk.db.damaged-*")
    assert aside.read_bytes() == content
    assert aside.name in store.notice.render()
    assert str(file) in store.notice.render()


def test_rubbish_in_the_place_of_an_sqlite_file_is_kept_too(open_store, file, forecast):
    file.write_bytes(b"not a database " * 999)
    store = open_store(f"sqlite:///{file}")
    assert works(store, forecast)
    assert len(list(file.parent.glob("desk.db.damaged-*"))) == 1


@pytest.mark.parametrize("damage", ["truncated", "head", "log"])
def test_a_store_damaged_later_is_kept_under_another_name(open_store, file, damage, forecast):
    first = open_store(f"duckdb:///{file}")
    first.forecasts.put(forecast(samples=100, horizon=50))
    first.close()
    content = bytearray(file.read_bytes())
    if damage == "truncated":
        file.write_bytes(content[:12288])
    elif damage == "head":
        content[8:6000] = os.urandom(5992)
        file.write_bytes(content)
    else:
        other = open_store(f"duckdb:///{file.with_name('other.db')}")
        other.forecasts.put(forecast())
        log = file.with_name("other.db.wal").read_bytes()
        other.close()
        file.with_name("desk.db.wal").write_bytes(log)
    store = open_store(f"duckdb:///{file}")
    assert "damaged" in store.notice.render()
    assert store.forecasts.list() == []
    assert works(store, forecast)
    assert list(file.parent.glob("desk.db.damaged-*"))


def test_random_damage_never_stops_the_program(open_store, file, forecast):
    first = open_store(f"duckdb:///{file}")
    first.forecasts.put(forecast(samples=100, horizon=50))
    first.close()
    content = file.read_bytes()
    for place in range(0, len(content), len(content) // 12):
        damaged = bytearray(content)
        damaged[place : place + 64] = bytes(byte ^ 0xFF for byte in damaged[place : place + 64])
        file.write_bytes(damaged)
        store = open_store(f"duckdb:///{file}")
        try:
            store.forecasts.get("f1")
        except Unavailable:
            assert place > 12288
        assert works(store, forecast)
        store.close()


def test_a_file_deleted_while_in_use_is_replaced_and_said_so(open_store, url, file, forecast, job):
    store = open_store(url)
    store.forecasts.put(forecast())
    in_flight = store.forecasts.get("f1")
    file.unlink()
    assert store.forecasts.get("f1") is None
    assert "deleted" in store.notice.render()
    assert in_flight.paths.shape == (3, 4, 6)
    store.forecasts.put(in_flight)
    store.jobs.put(job())
    store.close()
    again = open_store(url)
    assert [info.id for info in again.forecasts.list()] == ["f1"]
    assert again.jobs.get("j1") is not None


def test_the_notice_knows_of_a_deleted_file_before_anything_else_is_asked(open_store, url, file):
    store = open_store(url)
    assert store.notice is None
    file.unlink()
    assert "deleted" in store.notice.render()


def test_a_home_folder_deleted_while_in_use_is_made_again(open_store, tmp_path, forecast):
    home = tmp_path / "home"
    store = open_store(f"duckdb:///{home}/desk.db")
    store.forecasts.put(forecast())
    for path in home.iterdir():
        path.unlink()
    home.rmdir()
    assert works(store, forecast)
    assert (home / "desk.db").exists()


def test_a_file_restored_over_the_one_in_use_is_read(open_store, file, forecast):
    backup = open_store(f"duckdb:///{file.with_name('backup.db')}")
    backup.forecasts.put(forecast("from backup"))
    backup.close()
    store = open_store(f"duckdb:///{file}")
    store.forecasts.put(forecast("lost"))
    file.with_name("backup.db").replace(file)
    assert [info.id for info in store.forecasts.list()] == ["from backup"]
    assert store.notice is None


HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def test_a_file_another_program_holds_is_left_alone(open_store, file, forecast):
    open_store(f"duckdb:///{file}").close()
    command = [sys.executable, "-c", HOLD, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        store = open_store(f"duckdb:///{file}")
        assert f"in use by another program (process {other.pid})" in store.notice.render()
        for refused in (lambda: store.forecasts.put(forecast()), store.forecasts.list):
            with pytest.raises(Unavailable) as caught:
                refused()
            assert (caught.value.code, caught.value.retry_after) == ("store_in_use", 5)
        other.stdin.close()
        assert other.wait() == 0
    wait_until_open(store)
    assert store.notice is None
    assert works(store, forecast)


def wait_until_open(store, seconds=60):
    deadline = time.monotonic() + seconds
    while store.problem is not None:
        assert time.monotonic() < deadline, store.problem
        time.sleep(0.05)


def test_a_file_without_a_schema_version_is_set_aside(open_store, url, file, forecast):
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE forecasts (id VARCHAR)"))
        connection.execute(sa.text("INSERT INTO forecasts VALUES ('old')"))
    engine.dispose()
    store = open_store(url)
    (aside,) = file.parent.glob("desk.db.version-0-*")
    assert aside.name in store.notice.render()
    assert works(store, forecast)
    old = sa.create_engine(url.replace(str(file), str(aside)))
    with old.connect() as connection:
        assert connection.scalar(sa.text("SELECT id FROM forecasts")) == "old"
    old.dispose()


def test_a_file_of_a_newer_version_is_left_as_it_is(open_store, url, file, forecast):
    open_store(url).close()
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE schema_version SET version = 99"))
    engine.dispose()
    before = file.read_bytes()
    store = open_store(url)
    assert "newer version" in store.notice.render()
    with pytest.raises(Unavailable, match="newer version"):
        store.forecasts.put(forecast())
    store.close()
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["desk.db"]


def test_tables_of_somebody_else_are_no_obstacle(open_store, url, forecast):
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE prices (id INTEGER)"))
    engine.dispose()
    store = open_store(url)
    assert store.notice is None
    assert works(store, forecast)


def test_a_new_file_in_a_folder_that_cannot_be_written_is_refused(open_store, forecast):
    # Not tmp_path: its parents are closed to the user that this test turns into.
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        with without_root():
            store = open_store(f"duckdb:///{folder}/desk.db")
            assert folder in store.notice.render()
            with pytest.raises(Unavailable, match="cannot be created or opened"):
                store.forecasts.put(forecast())
        Path(folder).chmod(0o755)


@pytest.mark.parametrize("dialect", ["duckdb", "sqlite"])
def test_a_file_that_cannot_be_written_can_be_read_and_is_written_again_once_it_can(open_store, forecast, dialect):
    with TemporaryDirectory() as folder:
        file, url = Path(folder, "desk.db"), f"{dialect}:///{folder}/desk.db"
        first = open_store(url)
        first.forecasts.put(forecast("kept"))
        first.close()
        file.chmod(0o444)
        Path(folder).chmod(0o555)
        with without_root():
            store = open_store(url)
            assert "cannot be written" in store.notice.render()
            assert store.forecasts.get("kept").repairs == 5
            with pytest.raises(Unavailable) as caught:
                store.forecasts.put(forecast("lost"))
            assert caught.value.code == "store_read_only"
            assert [info.id for info in store.forecasts.list()] == ["kept"]
        Path(folder).chmod(0o777)
        file.chmod(0o666)
        time.sleep(SECONDS_BETWEEN_ATTEMPTS)
        assert works(store, forecast)
        assert store.problem is None


def test_a_home_that_is_a_file_is_refused(open_store, file, forecast):
    file.write_text("a file")
    store = open_store(f"duckdb:///{file}/desk.db")
    assert str(file) in store.notice.render()
    with pytest.raises(Unavailable):
        store.forecasts.put(forecast())


@contextmanager
def full_disk(file):
    """Let no file grow: what a full disk does, without filling one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_reported_and_forgotten_once_there_is_space(open_store, url, file, forecast):
    store = open_store(url)
    store.forecasts.put(forecast())
    with full_disk(file), pytest.raises(Unavailable) as caught:
        store.forecasts.put(forecast("big", samples=200, horizon=500))
    assert caught.value.code == "store_unavailable"
    assert caught.value.hint.render()
    assert works(store, forecast)
    assert store.forecasts.get("f1").repairs == 5
    assert store.forecasts.get("big") is None


def test_memory_survives_an_error(open_store, forecast, job):
    store = open_store("duckdb:///:memory:")
    store.forecasts.put(forecast())
    with pytest.raises(Unavailable):
        store.jobs.put(job(done="many"))
    assert store.forecasts.get("f1") is not None


def test_a_closed_store_says_so(open_store, url):
    store = open_store(url)
    store.close()
    with pytest.raises(Unavailable):
        store.forecasts.list()


@pytest.mark.parametrize("url", ["", "rubbish", "oracledb9://x", "duckdb", "://", "postgresql://u:secret@h:port/x"])
def test_an_address_that_is_none_is_refused_without_its_password(open_store, url):
    with pytest.raises(InvalidInput) as caught:
        open_store(url)
    assert "KRONOS_DATABASE_URL" in caught.value.hint.render()
    assert "secret" not in caught.value.message.render()


def test_the_store_can_read_no_other_file(open_store, file, tmp_path):
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    store = open_store(f"duckdb:///{file}")
    with pytest.raises(Unavailable):
        store._database.execute(sa.text(f"CREATE TABLE stolen AS SELECT * FROM read_csv('{tmp_path}/secret.csv')"))


def spoil(url, file, statement):
    """Change a record behind the store's back."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


def test_a_damaged_record_does_not_hide_the_others(open_store, url, file, forecast, job, candle_set):
    first = open_store(url)
    for name in ("f1", "f2"):
        first.forecasts.put(forecast(name))
    for name in ("j1", "j2"):
        first.jobs.put(job(name))
    first.candles.put(candle_set("c1"))
    first.close()
    kind = "UPDATE {} SET {} WHERE id = '{}'"
    if url.startswith("sqlite"):  # DuckDB's JSON type lets no such text in
        spoil(url, file, kind.format("forecasts", "request = '{\"seed\": '", "f1"))
        spoil(url, file, kind.format("jobs", "request = '{'", "j1"))
    spoil(url, file, kind.format("candle_sets", "frame = CAST('no parquet' AS BLOB)", "c1"))
    store = open_store(url)
    assert {info.id for info in store.forecasts.list()} == {"f1", "f2"}
    assert store.forecasts.get("f2").repairs == 5
    assert "j2" in {record.id for record in store.jobs.list()}
    if url.startswith("sqlite"):
        assert [info.id for info in store.forecasts.list() if info.damaged] == ["f1"]
        assert [record.id for record in store.jobs.list()] == ["j2"]
        with pytest.raises(Unavailable) as caught:
            store.forecasts.get("f1")
        assert caught.value.code == "record_damaged"
    with pytest.raises(Unavailable) as caught:
        store.candles.get("c1")
    assert caught.value.code == "record_damaged"
    assert "All other records are kept" in caught.value.message.render()
    assert [info.id for info in store.candles.list()] == ["c1"]


def test_damage_met_while_reading_is_told_from_a_database_that_is_out(open_store, file, forecast):
    first = open_store(f"duckdb:///{file}")
    for number in range(3):
        first.forecasts.put(forecast(f"f{number}", samples=200, horizon=200))
    first.close()
    content = file.read_bytes()
    problems = []
    for place in range(3 * 4096, len(content), len(content) // 40):
        damaged = bytearray(content)
        damaged[place : place + 64] = bytes(byte ^ 0xFF for byte in damaged[place : place + 64])
        file.write_bytes(damaged)
        store = open_store(f"duckdb:///{file}")
        for number in range(3):
            try:
                store.forecasts.get(f"f{number}")
            except Unavailable as error:
                problems.append(error)
        store.close()
    assert {problem.code for problem in problems} == {"store_damaged"}
    assert all(str(file) in problem.message.render() and problem.hint.render() for problem in problems)
