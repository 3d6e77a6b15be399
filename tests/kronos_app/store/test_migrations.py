"""A database that an earlier release wrote is upgraded in place and keeps its rows, or is left as it was.

`released/` has SQL dumps of databases, one for each version of the schema and each dialect, written by the last
revision of Kronos Desk that had this version. Versions 1 to 3 did not run on MariaDB.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from sqlalchemy.schema import CreateIndex, CreateTable

from kronos_app.data.about import About
from kronos_app.errors import Unavailable
from kronos_app.store import migrations
from kronos_app.store.opening import parse
from kronos_app.store.series import SeriesKey
from kronos_app.store.tables import SCHEMA_VERSION

RELEASED = Path(__file__).with_name("released")
SCRIPTS = sorted(path.name for path in RELEASED.iterdir())
DIALECTS = ("duckdb", "sqlite", "postgresql", "mysql")


@pytest.fixture
def new_database(request, tmp_path):
    """Return a function that makes an empty database and returns its URL."""

    def make(dialect, name="desk"):
        if dialect in {"duckdb", "sqlite"}:
            return f"{dialect}:///{tmp_path / name}.db"
        server = request.getfixturevalue({"postgresql": "postgres", "mysql": "mariadb"}[dialect])
        server.execute(f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
        return server.url(database=name)

    return make


@pytest.fixture
def released_database(new_database):
    """Return a function that makes the database of a script and returns its URL."""

    def make(script):
        url = new_database(script.split(".")[1])
        run(url, *(RELEASED / script).read_text(encoding="utf-8").rstrip(";\n").split(";\n"))
        return url

    return make


def run(url, *statements):
    """Execute statements without the store; return the rows of the last as dictionaries."""
    engine = sa.create_engine(parse(url).url)
    try:
        with engine.begin() as connection:
            for statement in statements:
                result = connection.exec_driver_sql(statement)
            return [dict(row) for row in result.mappings()] if result.returns_rows else []
    finally:
        engine.dispose()


def read_rows(url):
    engine = sa.create_engine(parse(url).url)
    names = sa.inspect(engine).get_table_names()
    quote = engine.dialect.identifier_preparer.quote
    engine.dispose()
    return {name: run(url, f"SELECT * FROM {quote(name)}") for name in names}


def read_ddl(url):
    """Return the DDL of a database's tables and indexes."""
    engine = sa.create_engine(parse(url).url)
    try:
        if engine.dialect.name == "duckdb":
            return sorted(row["sql"] for row in run(url, "SELECT sql FROM duckdb_tables()"))
        metadata = sa.MetaData()
        metadata.reflect(engine)
        elements = [
            element
            for table in metadata.sorted_tables
            for element in (CreateTable(table), *(CreateIndex(index) for index in table.indexes))
        ]
        return sorted(str(element.compile(engine)) for element in elements)
    finally:
        engine.dispose()


def version_of(url):
    return run(url, "SELECT version FROM schema_version")[0]["version"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_released_database_keeps_its_rows_and_gets_the_ddl_of_a_new_one(
    released_database, new_database, open_store, script
):
    url = released_database(script)
    before = read_rows(url)
    open_store(url).close()
    after = read_rows(url)
    assert after.pop("schema_version") == [{"version": SCHEMA_VERSION}]
    assert after.pop("schema_revision") == [{"version_num": f"{SCHEMA_VERSION:04}"}]
    for table, rows in before.items():
        if table not in {"schema_version", "schema_revision", "owner"}:
            assert [{name: row[name] for name in old} for row, old in zip(after[table], rows, strict=True)] == rows
    new = new_database(script.split(".")[1], "new")
    open_store(new).close()
    assert read_ddl(url) == read_ddl(new)


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_records_of_a_released_database_are_read_and_new_ones_are_saved(
    released_database, open_store, candle_set, script
):
    version = int(script[len("version_")])
    url = released_database(script)
    store = open_store(url)
    assert store.notice is None
    saved = store.candles.get("c1").candles
    assert (saved.name, len(saved), saved.about) == ("贵州茅台 'a'.csv", 6, About())
    assert store.forecasts.get("f1").paths.shape == (1, 2, 6)
    assert {job.id: job.status for job in store.jobs.list()} == {"j1": "succeeded", "j2": "failed"}
    candles = store.series.read(SeriesKey("yahoo", "600519.SS", "5m", "none"))
    watchlists, follows = store.watchlists.list(), store.follows.list()
    if version == 1:
        assert (candles, watchlists, follows, store.ledger.list()) == (None, [], [], [])
    else:
        assert (len(candles), watchlists[0].entries[0].symbol, follows[0].id) == (6, "AAPL", "w1")
        assert store.ledger.get("f1").grade == {"scores": {"model": {"crps": 0.5}}}
    assert [model.label for model in store.registered.list()] == (["mine@1"] if version > 2 else [])
    mapping = store.column_mappings.get("digest")
    assert (None if mapping is None else mapping.mapping) == ({"time": "日期"} if version > 3 else None)
    assert [info.tags for info in store.forecasts.list()] == [("日线",) if version > 4 else ()]
    assert (store.candles.find("c1").title, store.candles.find("c1").tags) == ("贵州茅台 'a'.csv", ())
    store.candles.update("c1", given_name="茅台", tags=("日线",))
    store.candles.put(candle_set("new"))
    store.close()
    again = open_store(url)
    assert again.notice is None
    assert {info.id: (info.title, info.tags) for info in again.candles.list()} == {
        "c1": ("茅台", ("日线",)),
        "new": ("600519.csv", ()),
    }


@pytest.mark.parametrize("dialect", DIALECTS)
def test_lists_of_forecasts_show_settings_and_scores_that_an_earlier_version_saved(
    released_database, open_store, dialect
):
    url = released_database(f"version_4.{dialect}.dump")
    scores = {"model": {"crps": 0.5, "coverage": {"0.8": 0.75}}, "ewma": {"crps": 2.0}}
    request, provenance = {"cutoff": "2024-01-01", "driftless": True}, {"seed": 2**53 - 1}
    for table, column, value in [
        ("ledger", "grade", {"scores": scores}),
        ("forecasts", "request", request),
        ("forecasts", "provenance", provenance),
    ]:
        run(url, f"UPDATE {table} SET {column} = '{json.dumps(value)}' WHERE id = 'f1'")
    info = open_store(url).forecasts.list()[0]
    assert (info.replay, info.driftless, info.seed) == (True, True, 2**53 - 1)
    assert (info.crps_ratio, info.coverage, info.tags, info.note) == (0.25, 0.75, (), "")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_all_revisions_together_make_the_ddl_of_a_new_database(new_database, open_store, dialect):
    url, new = new_database(dialect), new_database(dialect, "new")
    run(url, "CREATE TABLE schema_version (version INTEGER NOT NULL)")
    engine = sa.create_engine(parse(url).url)
    with engine.begin() as connection:
        migrations.upgrade(connection, 0)
    engine.dispose()
    open_store(new).close()
    assert read_ddl(url) == read_ddl(new)


def test_each_version_of_the_schema_has_one_revision():
    revisions = ScriptDirectory(migrations.__path__[0]).walk_revisions()
    assert [script.revision for script in revisions] == [f"{number:04}" for number in range(SCHEMA_VERSION, 0, -1)]


def test_no_revision_depends_on_the_tables_of_today():
    for path in Path(migrations.__path__[0], "versions").glob("*.py"):
        imports = [line for line in path.read_text(encoding="utf-8").splitlines() if "import" in line.split()]
        assert not any("tables" in line for line in imports), path.name


@pytest.mark.parametrize("dialect", ["duckdb", "sqlite"])
def test_a_file_is_copied_before_it_is_upgraded(released_database, open_store, tmp_path, dialect):
    url = released_database(f"version_2.{dialect}.dump")
    before = read_rows(url)
    open_store(url).close()
    assert [path.name for path in tmp_path.iterdir() if "version" in path.name] == ["desk.db.version-2"]
    assert read_rows(f"{url}.version-2") == before


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("dialect", ["duckdb", "sqlite", "postgresql"])
def test_a_revision_that_fails_leaves_the_database_as_it_was(released_database, open_store, forecast, dialect, version):
    url = released_database(f"version_{version}.{dialect}.dump")
    run(url, "CREATE TABLE registered_models (foreign_column INTEGER)")  # in the way of revision 3
    before = read_rows(url), read_ddl(url)
    store = open_store(url)
    assert "could not be upgraded and was not changed" in store.notice.render()
    with pytest.raises(Unavailable):
        store.forecasts.put(forecast())
    store.close()
    assert (read_rows(url), read_ddl(url)) == before
    run(url, "DROP TABLE registered_models")
    later = open_store(url)
    assert later.notice is None
    assert [info.id for info in later.candles.list()] == ["c1"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(new_database, open_store, dialect):
    url = new_database(dialect)
    open_store(url).close()
    run(url, "UPDATE schema_revision SET version_num = '0999'")
    before = read_rows(url)
    store = open_store(url)
    assert "written by a newer version of Kronos Desk and was not changed" in store.notice.render()
    with pytest.raises(Unavailable):
        store.candles.list()
    store.close()
    assert read_rows(url) == before


def test_the_instrument_of_a_candle_set_is_saved(store, candle_set):
    saved = candle_set()
    about = About("600519.SS", "5m", "none", "CNY", "XSHG", "a file")
    store.candles.put(replace(saved, candles=replace(saved.candles, about=about)))
    assert store.candles.get("c1").candles.about == about
