"""A database that an earlier version wrote is brought up to date where it is, or left as it was."""

import pytest
import sqlalchemy as sa

from kronos_app.errors import Unavailable
from kronos_app.store import migrations, tables
from kronos_app.store.codec import frame_to_bytes
from kronos_app.store.tables import SCHEMA_VERSION, Duration, Moment, UtcDateTime


@pytest.fixture
def version_1(url, candle_set):
    """Write a database as version 1 did, with one candle set."""
    saved = candle_set("old")
    old = sa.MetaData()
    sa.Table("schema_version", old, sa.Column("version", sa.Integer, nullable=False))
    candle_sets = sa.Table(
        "candle_sets",
        old,
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("created", UtcDateTime, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("timezone", sa.String),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("first", Moment, nullable=False),
        sa.Column("last", Moment, nullable=False),
        sa.Column("interval", Duration, nullable=False),
        sa.Column("quality", sa.JSON, nullable=False),
        sa.Column("repair", sa.JSON, nullable=False),
        sa.Column("frame", sa.LargeBinary, nullable=False),
    )
    for table in (tables.forecasts, tables.jobs):
        table.to_metadata(old)
    candles = saved.candles
    row = {
        "id": "old",
        "created": saved.created,
        "name": candles.name,
        "source": candles.source,
        "timezone": candles.timezone,
        "rows": len(candles),
        "first": candles.timestamps[0],
        "last": candles.timestamps[-1],
        "interval": candles.interval,
        "quality": {},
        "repair": {},
        "frame": frame_to_bytes(candles.frame),
    }
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        old.create_all(connection)
        connection.execute(sa.text("INSERT INTO schema_version VALUES (1)"))
        connection.execute(candle_sets.insert().values(row))
    engine.dispose()
    return candles


@pytest.fixture
def version_2(url, candle_set, open_store):
    """Write a database as version 2 did: all of today's tables but that of registered models."""
    old = sa.MetaData()
    for table in tables.metadata.sorted_tables:
        if table.name != "registered_models":
            table.to_metadata(old)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        old.create_all(connection)
        connection.execute(sa.text("INSERT INTO schema_version VALUES (2)"))
    engine.dispose()


def rows(url, query):
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            return connection.execute(sa.text(query)).all()
    finally:
        engine.dispose()


def test_what_was_kept_is_there_and_what_is_new_works(version_1, open_store, url, candle_set, file):
    store = open_store(url)
    assert store.notice is None
    old = store.candles.get("old")
    assert old.candles.digest == version_1.digest
    assert old.candles.about.to_dict() == {}
    store.candles.put(candle_set("new"))
    assert {info.id for info in store.candles.list()} == {"old", "new"}
    assert (store.series.list(), store.watchlists.list(), store.follows.list()) == ([], [], [])
    store.close()
    assert rows(url, "SELECT version FROM schema_version") == [(SCHEMA_VERSION,)]
    again = open_store(url)
    assert again.notice is None
    assert len(again.candles.list()) == 2
    backup = url.replace("desk.db", "desk.db.version-1")
    assert rows(backup, "SELECT version FROM schema_version") == [(1,)]
    assert rows(backup, "SELECT id FROM candle_sets") == [("old",)]


def test_a_step_that_fails_leaves_the_file_as_it_was(version_1, open_store, url, monkeypatch, forecast):
    def half(operations):
        migrations._to_2(operations)
        operations.execute("SELECT * FROM nowhere")

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "STEPS", {1: half})
        store = open_store(url)
        assert "could not be brought up to date and is left as it is" in store.notice.render()
        with pytest.raises(Unavailable):
            store.forecasts.put(forecast())
        store.close()
    assert rows(url, "SELECT version FROM schema_version") == [(1,)]
    assert "about" not in rows(url, "SELECT * FROM candle_sets")[0]._mapping
    later = open_store(url)
    assert later.notice is None
    assert later.candles.get("old").candles.digest == version_1.digest


def test_a_new_database_and_one_brought_up_to_date_have_the_same_columns(version_1, open_store, url, tmp_path):
    new = url.replace("desk.db", "new.db")
    for one in (url, new):
        open_store(one).close()
    for table in tables.metadata.tables:
        query = f"SELECT * FROM {table} WHERE 1 = 0"
        columns = []
        for one in (url, new):
            engine = sa.create_engine(one)
            with engine.connect() as connection:
                columns.append(sorted(connection.execute(sa.text(query)).keys()))
            engine.dispose()
        assert columns[0] == columns[1], table


def test_models_can_be_registered_in_a_database_of_version_2(version_2, open_store, url, file, registered):
    assert rows(url, "SELECT version FROM schema_version") == [(2,)]
    store = open_store(url)
    assert store.notice is None
    store.registered.put(registered())
    store.close()
    assert rows(url, "SELECT version FROM schema_version") == [(SCHEMA_VERSION,)]
    assert open_store(url).registered.list() == [registered()]
    assert [path.name for path in file.parent.iterdir() if "version" in path.name] == ["desk.db.version-2"]


def test_a_step_to_version_3_that_fails_leaves_the_file_as_it_was(version_2, open_store, url, monkeypatch):
    def half(operations):
        migrations._to_3(operations)
        operations.execute("SELECT * FROM nowhere")

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "STEPS", {2: half})
        store = open_store(url)
        assert "could not be brought up to date" in store.notice.render()
        store.close()
    assert rows(url, "SELECT version FROM schema_version") == [(2,)]
    later = open_store(url)
    assert later.notice is None
    assert later.registered.list() == []


def test_what_a_candle_set_is_of_is_kept(open_store, url, candle_set):
    from dataclasses import replace

    from kronos_app.data.about import About

    saved = candle_set()
    about = About("600519.SS", "5m", "none", "CNY", "XSHG", "a file")
    store = open_store(url)
    store.candles.put(replace(saved, candles=replace(saved.candles, about=about)))
    assert store.candles.get("c1").candles.about == about
