"""A store on PostgreSQL and on MariaDB: it keeps its records, comes back after an outage, and belongs to one desk."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from kronos_app.data.candle_frame import CandleFrame
from kronos_app.errors import Unavailable
from kronos_app.jobs import Job, JobRunner
from kronos_app.store.records import ForecastColumn, ForecastFilter, ForecastNote
from kronos_app.store.series import SeriesKey
from kronos_app.store.watchlists import Watched, Watchlist
from tests.servers.unprivileged import free_port

ROOT = Path(__file__).parents[3]
KEY = SeriesKey("vendor", "ABC", "5m")


@pytest.fixture(params=["postgres", "mariadb"])
def server_url(request):
    """Return the address of an empty database on a server."""
    server = request.getfixturevalue(request.param)
    server.execute("DROP DATABASE IF EXISTS desk", "CREATE DATABASE desk")
    return server.url(database="desk")


@pytest.fixture
def postgres_url(postgres):
    postgres.execute("DROP DATABASE IF EXISTS desk WITH (FORCE)", "CREATE DATABASE desk")
    yield postgres.url(database="desk")
    if postgres.process is None:
        postgres.start()


def wait_for(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_a_server_keeps_all_that_a_file_keeps(server_url, open_store, candle_set, forecast, job, registered):
    store = open_store(server_url)
    assert (store.notice, store.problem) == (None, None)
    store.candles.put_all([candle_set("c1"), candle_set("c2", rows=5_000, name="AbC")])
    store.forecasts.put(forecast(samples=50, horizon=60))
    store.jobs.put(job(created=forecast().created))
    store.registered.put(registered())
    store.watchlists.put(Watchlist("mine", (Watched("yahoo", "AAPL", "1d"),)))
    candles = candle_set(rows=300).candles
    store.series.merge(KEY, CandleFrame(candles.frame, "ABC", "vendor", "UTC"))
    store.series.merge(SeriesKey("vendor", "abc", "5m"), CandleFrame(candles.frame[:10], "abc", "vendor", "UTC"))
    created = store.forecasts.get("f1").created
    store.close()
    again = open_store(server_url)
    assert again.candles.get("c2").candles.digest == candle_set("c2", rows=5_000).candles.digest
    assert again.forecasts.get("f1").paths.shape == (50, 60, 6)
    assert (again.forecasts.get("f1").created, again.jobs.list()[0].id) == (created, "j1")
    assert again.registered.list() == [registered()]
    assert again.watchlists.get("mine").entries == (Watched("yahoo", "AAPL", "1d"),)
    assert [info.rows for info in again.series.list()] == [300, 10], "names that differ by their case are two"
    assert len(again.series.read(KEY, last=20)) == 20


@pytest.mark.parametrize("words", ["\0", "a\0b", "\ud800", "😀"])
def test_a_server_takes_any_text(server_url, open_store, forecast, job, words):
    store = open_store(server_url)
    store.forecasts.put(forecast("f1"))
    store.jobs.put(replace(job("j1"), request={"query": words}))
    store.watchlists.put(Watchlist(words, (Watched("yahoo", words, "1d"),)))
    assert store.forecasts.get(words) is None
    assert store.forecasts.count(ForecastFilter(model=words)) == store.forecasts.count(ForecastFilter(text=words)) == 0
    assert len(store.jobs.list(kind=words)) == 0
    assert len(store.jobs.list()) == len(store.watchlists.list()) == 1


def test_a_server_filters_counts_and_pages(server_url, open_store, forecast):
    store = open_store(server_url)
    for number in range(25):
        store.forecasts.put(forecast(f"f{number:02}"))
    wanted = ForecastFilter(text="NANO", model="kronos-nano", cutoff=forecast().cutoff)
    pages = [store.forecasts.list(wanted, limit=10, offset=offset) for offset in (0, 10, 20)]
    assert [len(page) for page in pages] == [10, 10, 5]
    assert len({info.id for page in pages for info in page}) == store.forecasts.count(wanted) == 25
    assert store.forecasts.count(ForecastFilter(text="100%")) == 0
    store.forecasts.notes.put(ForecastNote("f07", ("多头", "gold 100%"), "注"))
    for where in (ForecastFilter(tag="多头"), ForecastFilter(tag="gold 100%"), ForecastFilter(text="注", replay=False)):
        assert [info.id for info in store.forecasts.list(where)] == ["f07"]
    for column in get_args(ForecastColumn):
        assert len(store.forecasts.list(by=column, limit=10)) == 10
    assert store.forecasts.list(by="tags", limit=1)[0].tags == ("多头", "gold 100%")
    assert store.forecasts.models() == ["kronos-nano"]
    assert store.forecasts.data_sets() == {"c1": "贵州茅台 «2024».csv"}


def test_a_server_that_cannot_be_reached_takes_nothing_that_would_be_lost(open_store, candle_set):
    store = open_store(f"postgresql://admin:secret@127.0.0.1:{free_port()}/desk")
    assert "does not answer" in store.notice.render()
    assert "secret" not in store.notice.render()
    for refused in (lambda: store.candles.put(candle_set()), store.candles.list):
        with pytest.raises(Unavailable) as caught:
            refused()
        assert (caught.value.code, caught.value.retry_after) == ("store_unavailable", 5)


def test_a_store_opened_while_its_server_was_down_works_once_it_is_up(postgres, postgres_url, open_store, candle_set):
    postgres.stop(orderly=True)
    store = open_store(postgres_url)
    with pytest.raises(Unavailable):
        store.candles.put(candle_set())
    postgres.start()
    wait_for(lambda: store.problem is None)
    store.candles.put(candle_set())
    assert store.notice is None
    assert store.candles.count() == 1


def test_a_server_that_was_started_anew_between_two_calls_goes_unnoticed(postgres, postgres_url, open_store, forecast):
    store = open_store(postgres_url)
    store.forecasts.put(forecast())
    postgres.stop(orderly=True)
    postgres.start()
    assert store.forecasts.get("f1").repairs == 5


def test_running_and_queued_jobs_go_on_after_an_outage(postgres, postgres_url, open_store, forecast):
    import threading

    store = open_store(postgres_url)
    reached, go = threading.Event(), threading.Event()

    def handler(request, on_step):
        on_step(1, 3)
        reached.set()
        assert go.wait(60)
        store.forecasts.put(forecast(request["name"]))  # the server is down when the first job comes here
        on_step(3, 3)
        return request["name"]

    runner = JobRunner(store, {"forecast": handler}, max_queued=10, parallel=1)
    runner.start()
    jobs = [runner.submit("forecast", {"name": f"f{number}"}) for number in range(3)]
    assert reached.wait(30)
    postgres.stop(orderly=True)
    go.set()
    with pytest.raises(Unavailable):
        runner.submit("forecast", {"name": "another"})
    time.sleep(2)
    assert [runner.get(job.id).active for job in jobs] == [True] * 3
    postgres.start()
    wait_for(lambda: not any(runner.get(job.id).active for job in jobs))
    assert [runner.get(job.id).status for job in jobs] == ["succeeded"] * 3
    wait_for(lambda: {store.jobs.get(job.id).status for job in jobs} == {"succeeded"})
    assert {info.id for info in store.forecasts.list()} == {"f0", "f1", "f2"}
    runner.stop()


def test_a_job_that_waits_for_the_database_can_be_cancelled(postgres, postgres_url, open_store, forecast):
    import threading

    store, waiting = open_store(postgres_url), threading.Event()

    def handler(request, on_step):
        postgres.stop(orderly=True)
        waiting.set()
        store.forecasts.put(forecast())
        return "f1"

    runner = JobRunner(store, {"forecast": handler}, max_queued=10)
    runner.start()
    job = runner.submit("forecast", {})
    assert waiting.wait(30)
    runner.cancel(job.id)
    wait_for(lambda: runner.get(job.id).status == "cancelled")
    postgres.start()
    wait_for(lambda: store.problem is None and store.jobs.get(job.id).status == "cancelled")
    assert store.forecasts.count() == 0
    runner.stop()


def test_jobs_left_over_are_taken_up_when_the_database_answers_later(postgres, postgres_url, open_store):
    first = open_store(postgres_url)
    first.jobs.put(Job("left", "forecast", {"number": 1}))
    first.close()
    postgres.stop(orderly=True)
    runner = JobRunner(open_store(postgres_url), {"forecast": lambda request, on_step: "done"}, max_queued=10)
    runner.start()
    postgres.start()
    wait_for(lambda: [(job.id, job.status) for job in runner._jobs.values()] == [("left", "succeeded")])
    runner.stop()


HOLD = """
import sys
from kronos_app.store import Store

store = Store.open(sys.argv[1])
assert store.notice is None, store.notice.render()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused_with_the_name_of_the_first_which_a_kill_frees(server_url, open_store, candle_set):
    command = [sys.executable, "-c", HOLD, server_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as first:
        assert first.stdout.readline() == "held\n"
        second = open_store(server_url)
        assert f"in use by another Kronos Desk (process {first.pid} on " in second.notice.render()
        with pytest.raises(Unavailable) as caught:
            second.candles.put(candle_set())
        assert caught.value.code == "store_in_use"
        first.kill()
        first.wait()
    wait_for(lambda: second.problem is None)
    second.candles.put(candle_set())


def test_a_process_that_lost_its_database_to_another_one_stops_writing(postgres, postgres_url, open_store, candle_set):
    first = open_store(postgres_url)
    first.candles.put(candle_set())
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'desk'")
    second = open_store(postgres_url)
    assert second.problem is None
    with pytest.raises(Unavailable) as caught:
        first.candles.put(candle_set("c2"))
    assert caught.value.code == "store_in_use"
    assert [info.id for info in second.candles.list()] == ["c1"]
