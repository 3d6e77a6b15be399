"""What is put in comes out again, on every database."""

import typing
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from kronos_app.errors import Unavailable
from kronos_app.store import tables
from kronos_app.store.records import ForecastColumn, ForecastFilter, ForecastNote

HOSTILE = ["' OR '1'='1", "x'; DROP TABLE jobs; --", "../../etc/passwd", "\x00", "\ud800", "é", "", "%", "a" * 100_000]


def test_a_candle_set_comes_back_to_the_last_bit(store, candle_set):
    saved = candle_set()
    store.candles.put(saved)
    read = store.candles.get("c1")
    pd.testing.assert_frame_equal(read.candles.frame, saved.candles.frame, check_freq=False, check_exact=True)
    assert read.candles.digest == saved.candles.digest
    assert (read.candles.name, read.candles.source, read.candles.timezone) == ("600519.csv", "upload", "Asia/Shanghai")
    assert (read.quality, read.repair, read.created) == ({"rows": 50}, {"dropped": 0}, saved.created)


def test_the_list_of_candle_sets_tells_range_and_interval(store, candle_set):
    saved = candle_set()
    store.candles.put(saved)
    (info,) = store.candles.list()
    assert (info.id, info.name, info.source, info.rows) == ("c1", "600519.csv", "upload", 50)
    assert (info.first, info.last) == (saved.candles.timestamps[0], saved.candles.timestamps[-1])
    assert info.interval == pd.Timedelta("5min")
    assert info.created == saved.created


def test_a_forecast_comes_back_to_the_last_bit(store, forecast):
    saved = forecast()
    store.forecasts.put(saved)
    read = store.forecasts.get("f1")
    for name in ("paths", "raw_paths"):
        assert getattr(read, name).dtype == np.float64
        np.testing.assert_array_equal(getattr(read, name), getattr(saved, name))
    assert read.timestamps.equals(saved.timestamps)
    scalars = ("created", "candles_id", "candles_name", "request", "provenance", "cutoff", "last_close", "repairs")
    assert {name: getattr(read, name) for name in scalars} == {name: getattr(saved, name) for name in scalars}


def test_the_list_of_forecasts_tells_their_shape_newest_first(store, forecast):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for day in (2, 1, 3):
        store.forecasts.put(forecast(f"f{day}", created=start + timedelta(days=day)))
    listed = store.forecasts.list()
    assert [info.id for info in listed] == ["f3", "f2", "f1"]
    info = listed[0]
    assert (info.model, info.horizon, info.samples, info.lookback) == ("kronos-nano", 4, 3, 400)
    assert info.request["seed"] == 2**63 - 1


def test_forecasts_are_found_by_tag_and_note_and_sorted_by_any_column(store, forecast):
    for number in range(3):
        store.forecasts.put(replace(forecast(f"f{number}"), request={"cutoff": "2024-01-01" if number else None}))
    store.forecasts.notes.put(ForecastNote("f0", ("bull 100%", "gold"), "seen before"))
    store.forecasts.notes.put(ForecastNote("f2", ("gold mine",)))
    matches = {
        "f0": [ForecastFilter(tag="bull 100%"), ForecastFilter(tag="gold"), ForecastFilter(text="SEEN")],
        "f2": [ForecastFilter(text="gold M"), ForecastFilter(replay=True, tag="gold mine")],
    }
    for found, filters in matches.items():
        for where in filters:
            assert [info.id for info in store.forecasts.list(where)] == [found]
            assert store.forecasts.count(where) == 1
    assert store.forecasts.list(ForecastFilter(tag="bull 1000")) == []
    assert store.forecasts.tags() == ["bull 100%", "gold", "gold mine"]
    for column in typing.get_args(ForecastColumn):
        assert {info.id for info in store.forecasts.list(by=column, limit=3)} == {"f0", "f1", "f2"}, column
    assert store.forecasts.list(by="note", ascending=True)[0].id == "f0", "rows without one are last"
    assert store.forecasts.list(by="replay")[-1].id == "f0"


def test_a_forecast_is_deleted_with_its_note(store, forecast):
    for name in ("f1", "f2", "f3"):
        store.forecasts.put(forecast(name))
        store.forecasts.notes.put(ForecastNote(name, ("a",)))
    store.forecasts.delete_all(["f1", "f3", "unknown"])
    assert [info.id for info in store.forecasts.list()] == ["f2"]
    assert store.forecasts.notes.get("f1") is None
    store.forecasts.put(forecast("f2"))
    assert store.forecasts.list()[0].tags == ("a",), "a forecast that is computed again keeps its tags"


def test_a_path_that_is_not_contiguous_in_memory_is_stored_in_its_own_order(store, forecast):
    turned = np.asfortranarray(np.arange(3 * 4 * 6, dtype=float).reshape(3, 4, 6))
    store.forecasts.put(replace(forecast(), paths=turned))
    np.testing.assert_array_equal(store.forecasts.get("f1").paths, turned)


def test_a_job_comes_back_with_every_field(store, job):
    stamp = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    error = {"code": "x", "message": {"msgid": "中文", "params": {}}, "hint": {"msgid": "", "params": {}}}
    full = job(status="failed", done=3, total=9, error=error, result_id="f1", started=stamp, finished=stamp, attempts=2)
    for saved in (job(), full):
        store.jobs.put(saved)
        assert store.jobs.get("j1") == saved


def test_put_replaces_the_earlier_record(store, candle_set, forecast, job):
    for name in ("old", "new"):
        store.candles.put(candle_set(name=name))
        store.forecasts.put(replace(forecast(), candles_name=name))
        store.jobs.put(job(result_id=name))
    assert [info.name for info in store.candles.list()] == ["new"]
    assert [info.candles_name for info in store.forecasts.list()] == ["new"]
    assert [record.result_id for record in store.jobs.list()] == ["new"]


def test_a_put_that_fails_leaves_the_earlier_record(store, forecast):
    store.forecasts.put(forecast())
    with pytest.raises(sa.exc.StatementError):
        store.forecasts.put(replace(forecast(), candles_name="new", request={"temperature": float("nan")}))
    assert store.forecasts.get("f1").candles_name == "贵州茅台 «2024».csv"


def test_deleted_records_are_gone_and_deleting_twice_is_no_error(store, candle_set, forecast, job):
    store.candles.put(candle_set())
    store.forecasts.put(forecast())
    store.jobs.put(job())
    for repository, record_id in ((store.candles, "c1"), (store.forecasts, "f1"), (store.jobs, "j1")):
        repository.delete(record_id)
        repository.delete(record_id)
        assert repository.get(record_id) is None
        assert repository.list() == []


def test_active_jobs_are_the_queued_and_the_running(store, job):
    for status in ("queued", "running", "succeeded", "failed", "cancelled"):
        store.jobs.put(job(status, status=status))
    assert {record.id for record in store.jobs.list(active_only=True)} == {"queued", "running"}


def test_pruning_takes_the_jobs_that_finished_long_ago_and_no_other(store, job):
    limit = datetime(2026, 6, 1, tzinfo=UTC)
    store.jobs.put(job("old", status="failed", finished=limit - timedelta(seconds=1)))
    store.jobs.put(job("new", status="succeeded", finished=limit + timedelta(seconds=1)))
    store.jobs.put(job("active", created=limit - timedelta(days=99)))
    store.jobs.prune(limit)
    assert {record.id for record in store.jobs.list()} == {"new", "active"}


@pytest.mark.parametrize("record_id", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_id_finds_and_deletes_nothing(store, candle_set, forecast, job, record_id):
    store.candles.put(candle_set())
    store.forecasts.put(forecast())
    store.jobs.put(job())
    for repository in (store.candles, store.forecasts, store.jobs):
        assert repository.get(record_id) is None
        repository.delete(record_id)
        assert len(repository.list()) == 1


def test_lists_never_read_arrays(store, candle_set, forecast):
    store.candles.put(candle_set())
    store.forecasts.put(forecast())
    statements = []
    engine = store._database._opened.engine
    sa.event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    store.candles.list()
    store.forecasts.list()
    assert len(statements) == 2
    assert not any("candle_sets.frame" in said or "arrays" in said for said in statements)


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PAR1" + b"\0" * 40])
def test_damaged_bytes_are_reported_for_that_record_only(store, candle_set, forecast, content):
    store.candles.put(candle_set())
    store.forecasts.put(forecast())
    store._database.execute(
        tables.candle_sets.update().values(frame=content), tables.forecasts.update().values(arrays=content)
    )
    for repository, record_id in ((store.candles, "c1"), (store.forecasts, "f1")):
        with pytest.raises(Unavailable, match="cannot be read") as caught:
            repository.get(record_id)
        assert caught.value.code == "record_damaged"
        assert len(repository.list()) == 1


def test_records_outlive_the_process(open_store, url, candle_set, forecast, job):
    first = open_store(url)
    first.candles.put(candle_set())
    first.forecasts.put(forecast())
    first.jobs.put(job())
    first.close()
    second = open_store(url)
    assert second.notice is None
    assert second.candles.get("c1").candles.digest == candle_set().candles.digest
    assert second.forecasts.get("f1").repairs == 5
    assert second.jobs.get("j1").kind == "forecast"


def test_threads_share_a_store(store, candle_set, forecast, job):
    def work(number):
        for turn in range(5):
            store.candles.put(candle_set("shared"))
            store.forecasts.put(forecast(f"f{number}"))
            store.jobs.put(job("shared", done=turn))
            assert store.candles.get("shared").candles.digest == candle_set().candles.digest
            assert store.forecasts.get(f"f{number}").paths.shape == (3, 4, 6)
            store.forecasts.list()
            store.jobs.list(active_only=True)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(6)))
    assert [info.id for info in store.candles.list()] == ["shared"]
    assert {info.id for info in store.forecasts.list()} == {f"f{number}" for number in range(6)}
