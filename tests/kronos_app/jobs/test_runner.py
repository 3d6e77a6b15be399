"""Work in the background: what a job goes through, and what outlives the process."""

import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kronos_app.callers import CALLER
from kronos_app.errors import Conflict, InvalidInput, NotFound, TooManyRequests
from kronos_app.i18n import text
from kronos_app.jobs import Cancelled, Job, JobRunner
from kronos_app.jobs.runner import MAX_ATTEMPTS
from kronos_app.store import Store

ROOT = Path(__file__).parents[3]


def wait_for(condition, seconds=20.0):
    """Wait until `condition()` is true, looking often."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def ended(runner, job):
    wait_for(lambda: not runner.get(job.id).active)
    return runner.get(job.id)


@pytest.fixture
def url(tmp_path):
    return f"duckdb:///{tmp_path / 'desk.db'}"


@pytest.fixture
def store(url):
    store = Store.open(url)
    yield store
    store.close()


@pytest.fixture
def make_runner(store):
    runners = []

    def make(handler=lambda request, on_step: "result", *, max_queued=50, parallel=1, start=True, store=store):
        runners.append(JobRunner(store, {"forecast": handler}, max_queued, parallel))
        if start:
            runners[-1].start()
        return runners[-1]

    yield make
    for runner in runners:
        runner.stop()


class Gate:
    """A handler that stands still at step 1 of 4 until it is let go."""

    def __init__(self):
        self.reached = threading.Event()
        self.open = threading.Event()
        self.calls = []

    def __call__(self, request, on_step):
        self.calls.append(request)
        on_step(1, 4)
        self.reached.set()
        assert self.open.wait(20)
        for step in (2, 3, 4):
            on_step(step, 4)
        return "result"


class Crowd:
    """A handler that stands still at step 1 of 2 until its job is let go; `present` has those that do."""

    def __init__(self):
        self.present = set()
        self.most = 0
        self.letting = threading.Condition()
        self.let = set()

    def __call__(self, request, on_step):
        number = request["number"]
        with self.letting:
            self.present.add(number)
            self.most = max(self.most, len(self.present))
        try:
            on_step(1, 2)
            with self.letting:
                assert self.letting.wait_for(lambda: number in self.let, 20)
            on_step(2, 2)
        finally:
            with self.letting:
                self.present.discard(number)
        return f"result of {number}"

    def release(self, *numbers):
        with self.letting:
            self.let.update(numbers)
            self.letting.notify_all()


def test_a_job_is_done_and_recorded(make_runner, store):
    runner = make_runner(lambda request, on_step: f"result of {request['samples']}")
    submitted = runner.submit("forecast", {"samples": 3})
    assert (submitted.status, submitted.progress, submitted.remaining) == ("queued", 0.0, None)
    job = ended(runner, submitted)
    assert (job.status, job.result_id, job.progress, job.error) == ("succeeded", "result of 3", 1.0, None)
    assert submitted.created <= job.started <= job.finished
    assert store.jobs.get(job.id) == job


def test_progress_and_remaining_time_show_while_it_runs(make_runner):
    gate = Gate()
    runner = make_runner(gate)
    job = runner.submit("forecast", {})
    assert gate.reached.wait(20)
    running = runner.get(job.id)
    assert (running.status, running.progress, running.done, running.total) == ("running", 0.25, 1, 4)
    assert running.remaining > 0
    gate.open.set()
    assert ended(runner, job).progress == 1.0


def test_the_remaining_time_follows_the_speed_so_far():
    started = datetime.now(UTC) - timedelta(seconds=10)
    job = Job("j", "forecast", {}, status="running", started=started, done=1, total=4)
    assert job.remaining == pytest.approx(30, rel=0.05)


def test_an_error_for_the_user_is_kept_in_every_language(make_runner):
    def refuse(request, on_step):
        raise InvalidInput("bad_row", text("Row {row} is wrong.", row=7), text("Correct it."))

    runner = make_runner(refuse)
    job = ended(runner, runner.submit("forecast", {}))
    assert job.status == "failed"
    assert job.error == {
        "code": "bad_row",
        "message": {"msgid": "Row {row} is wrong.", "params": {"row": 7}},
        "hint": {"msgid": "Correct it.", "params": {}},
    }


def test_an_unexpected_error_is_logged_and_the_next_job_runs(make_runner, caplog):
    def stumble(request, on_step):
        return str(1 / request["divisor"])

    runner = make_runner(stumble)
    failed = ended(runner, runner.submit("forecast", {"divisor": 0}))
    assert failed.status == "failed"
    assert failed.error["code"] == "job_failed"
    assert "division" not in str(failed.error)
    assert "ZeroDivisionError" in caplog.text
    assert ended(runner, runner.submit("forecast", {"divisor": 1})).result_id == "1.0"


def test_jobs_run_one_at_a_time_in_the_order_of_submission(make_runner):
    gate = Gate()
    runner = make_runner(gate)
    jobs = [runner.submit("forecast", {"number": number}) for number in range(3)]
    assert gate.reached.wait(20)
    assert [runner.get(job.id).status for job in jobs] == ["running", "queued", "queued"]
    gate.open.set()
    for job in jobs:
        assert ended(runner, job).status == "succeeded"
    assert [request["number"] for request in gate.calls] == [0, 1, 2]


def test_as_many_jobs_as_allowed_run_at_the_same_time_the_first_ones_first(make_runner):
    crowd = Crowd()
    runner = make_runner(crowd, parallel=3)
    jobs = [runner.submit("forecast", {"number": number}) for number in range(5)]
    wait_for(lambda: crowd.present == {0, 1, 2})
    assert [runner.get(job.id).status for job in jobs] == ["running"] * 3 + ["queued"] * 2
    crowd.release(1)
    wait_for(lambda: crowd.present == {0, 2, 3})
    assert runner.get(jobs[1].id).result_id == "result of 1"
    crowd.release(*range(5))
    assert [ended(runner, job).result_id for job in jobs] == [f"result of {number}" for number in range(5)]
    assert crowd.most == 3


def test_jobs_of_one_kind_do_not_keep_those_of_another_waiting(store):
    crowds = {"fetch": Crowd(), "forecast": Crowd()}
    runner = JobRunner(store, crowds, max_queued=50, parallel=2)
    runner.start()
    fetches = [runner.submit("fetch", {"number": number}) for number in range(3)]
    forecast = runner.submit("forecast", {"number": 9})
    wait_for(lambda: crowds["fetch"].present == {0, 1} and crowds["forecast"].present == {9})
    for crowd in crowds.values():
        crowd.release(0, 1, 2, 9)
    assert {ended(runner, job).status for job in (*fetches, forecast)} == {"succeeded"}
    assert crowds["fetch"].most == 2
    runner.stop()


def test_a_kind_with_a_limit_of_its_own_leaves_the_others_queued(store):
    crowds = {"evaluation": Crowd(), "forecast": Crowd()}
    runner = JobRunner(store, crowds, max_queued=50, parallel=2, limits={"evaluation": 1})
    runner.start()
    evaluations = [runner.submit("evaluation", {"number": number}) for number in range(3)]
    for number in (8, 9):
        runner.submit("forecast", {"number": number})
    wait_for(lambda: crowds["evaluation"].present == {0} and crowds["forecast"].present == {8, 9})
    assert [runner.get(job.id).status for job in evaluations] == ["running", "queued", "queued"]
    crowds["evaluation"].release(0)
    wait_for(lambda: crowds["evaluation"].present == {1})
    for crowd in crowds.values():
        crowd.release(*range(10))
    assert {ended(runner, job).status for job in evaluations} == {"succeeded"}
    assert crowds["evaluation"].most == 1
    runner.stop()


def test_threads_exist_only_while_jobs_run(make_runner):
    gate = Gate()
    before = threading.active_count()
    runner = make_runner(gate, parallel=8)
    assert threading.active_count() == before + 1
    job = runner.submit("forecast", {})
    assert gate.reached.wait(20)
    assert threading.active_count() == before + 2
    gate.open.set()
    ended(runner, job)
    wait_for(lambda: threading.active_count() == before + 1)


def test_of_several_running_jobs_the_one_that_is_meant_is_cancelled(make_runner, store):
    crowd = Crowd()
    runner = make_runner(crowd, parallel=2)
    kept, dropped = (runner.submit("forecast", {"number": number}) for number in range(2))
    wait_for(lambda: crowd.present == {0, 1})
    runner.cancel(dropped.id)
    crowd.release(0, 1)
    assert (ended(runner, kept).status, ended(runner, dropped).status) == ("succeeded", "cancelled")
    assert [store.jobs.get(job.id).status for job in (kept, dropped)] == ["succeeded", "cancelled"]


def test_what_is_asked_for_again_while_it_is_being_cancelled_runs_anew(make_runner):
    crowd = Crowd()
    runner = make_runner(crowd, parallel=2)
    first = runner.submit("forecast", {"number": 0})
    wait_for(lambda: crowd.present == {0})
    runner.cancel(first.id)
    second = runner.submit("forecast", {"number": 0})
    wait_for(lambda: runner.get(second.id).status == "running")
    crowd.release(0)
    assert (ended(runner, first).status, ended(runner, second).status) == ("cancelled", "succeeded")


def test_many_who_ask_for_the_same_at_once_get_one_job(make_runner):
    crowd = Crowd()
    runner = make_runner(crowd, parallel=4)
    barrier, jobs = threading.Barrier(16), []

    def ask():
        barrier.wait()
        jobs.append(runner.submit("forecast", {"number": 0}))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({job.id for job in jobs}) == 1
    crowd.release(0)
    assert ended(runner, jobs[0]).attempts == 1
    assert len(runner.list()) == 1


def test_many_small_jobs_at_a_time_are_each_done_once(make_runner):
    done = []
    runner = make_runner(lambda request, on_step: done.append(request["number"]) or "r", max_queued=200, parallel=8)
    jobs = [runner.submit("forecast", {"number": number}) for number in range(100)]
    assert {ended(runner, job).status for job in jobs} == {"succeeded"}
    assert sorted(done) == list(range(100))


def test_the_same_work_is_not_queued_twice_while_it_is_active(make_runner):
    gate = Gate()
    runner = make_runner(gate)
    first = runner.submit("forecast", {"key": "a", "seed": 1})
    assert gate.reached.wait(20)
    assert runner.submit("forecast", {"key": "a", "seed": 2}).id == first.id
    other = runner.submit("forecast", {"key": "b"})
    unkeyed = runner.submit("forecast", {"seed": 3})
    assert runner.submit("forecast", {"seed": 3}).id == unkeyed.id
    assert len({first.id, other.id, unkeyed.id}) == 3
    gate.open.set()
    ended(runner, unkeyed)
    assert runner.submit("forecast", {"key": "a"}).id != first.id


def test_a_full_queue_refuses_and_says_what_to_do(make_runner):
    runner = make_runner(start=False, max_queued=2)
    jobs = [runner.submit("forecast", {"number": number}) for number in range(2)]
    with pytest.raises(Conflict) as caught:
        runner.submit("forecast", {"number": 2})
    assert caught.value.code == "queue_full"
    assert "2 jobs" in caught.value.message.render()
    assert caught.value.hint.render()
    runner.cancel(jobs[0].id)
    runner.submit("forecast", {"number": 2})


@pytest.fixture
def calling():
    """Return a context manager in which work is counted for a caller."""

    @contextmanager
    def calling(name):
        token = CALLER.set(name)
        yield
        CALLER.reset(token)

    return calling


def test_one_caller_leaves_half_of_the_queue_to_others(make_runner, calling):
    runner = make_runner(start=False, max_queued=4)
    with calling("greedy"):
        first = [runner.submit("forecast", {"number": number}) for number in range(2)]
        with pytest.raises(TooManyRequests) as caught:
            runner.submit("forecast", {"number": 2})
        assert (caught.value.code, caught.value.status, caught.value.retry_after) == ("too_many_jobs", 429, 10)
        assert runner.submit("forecast", {"number": 0}).id == first[0].id
    with calling("other"):
        runner.submit("forecast", {"number": 3})
    runner.submit("forecast", {"number": 4})  # of the program itself
    with calling("other"), pytest.raises(Conflict) as caught:
        runner.submit("forecast", {"number": 5})
    assert (caught.value.code, caught.value.retry_after) == ("queue_full", 10)
    with calling("greedy"):
        runner.cancel(first[0].id)
        runner.submit("forecast", {"number": 6})


def test_a_runner_says_whether_it_starts_jobs(make_runner):
    runner = make_runner(start=False)
    assert not runner.working()
    runner.start()
    assert runner.working()
    runner.stop()
    assert not runner.working()


def test_a_queued_job_is_cancelled_at_once_and_never_runs(make_runner, store):
    calls = []
    runner = make_runner(lambda request, on_step: calls.append(request) or "r", start=False)
    kept, dropped = (runner.submit("forecast", {"number": number}) for number in range(2))
    assert runner.cancel(dropped.id).status == "cancelled"
    runner.start()
    ended(runner, kept)
    assert calls == [{"number": 0}]
    assert store.jobs.get(dropped.id).status == "cancelled"


def test_a_running_job_is_cancelled_at_its_next_step(make_runner, store):
    gate = Gate()
    runner = make_runner(gate)
    job = runner.submit("forecast", {})
    assert gate.reached.wait(20)
    runner.cancel(job.id)
    assert runner.submit("forecast", {}).id != job.id, "a job about to be cancelled must not answer a new request"
    gate.open.set()
    assert ended(runner, job).status == "cancelled"
    assert store.jobs.get(job.id).status == "cancelled"


def test_the_handler_can_clean_up_when_it_is_cancelled(make_runner):
    cleaned = threading.Event()
    gate = Gate()

    def careful(request, on_step):
        try:
            return gate(request, on_step)
        except Cancelled:
            cleaned.set()
            raise

    runner = make_runner(careful)
    job = runner.submit("forecast", {})
    assert gate.reached.wait(20)
    runner.cancel(job.id)
    gate.open.set()
    ended(runner, job)
    assert cleaned.is_set()


def test_cancelling_a_finished_job_changes_nothing(make_runner):
    runner = make_runner()
    job = ended(runner, runner.submit("forecast", {}))
    assert runner.cancel(job.id) == job


def test_who_waits_for_a_job_gets_it_when_it_ends_or_when_the_time_is_over(make_runner):
    gate = Gate()
    runner = make_runner(gate)
    job = runner.submit("forecast", {})
    assert runner.wait(job.id, 0.01).active
    threading.Timer(0.05, gate.open.set).start()
    started = time.monotonic()
    assert runner.wait(job.id, 20).status == "succeeded"
    assert runner.wait(job.id, 20).status == "succeeded"
    assert time.monotonic() - started < 10


def test_an_unknown_job_is_not_found(make_runner):
    runner = make_runner()
    for ask in (runner.get, runner.cancel, lambda job_id: runner.wait(job_id, 20)):
        with pytest.raises(NotFound, match="nobody"):
            ask("nobody")


def test_the_list_tells_active_jobs_from_all(make_runner, store):
    store.jobs.put(Job("before", "forecast", {}, status="succeeded", created=datetime(2020, 1, 1, tzinfo=UTC)))
    runner = make_runner(start=False)
    cancelled, queued = (runner.submit("forecast", {"number": number}) for number in range(2))
    runner.cancel(cancelled.id)
    assert [job.id for job in runner.list()] == [queued.id, cancelled.id, "before"]
    assert [job.id for job in runner.list(active_only=True)] == [queued.id]


def test_fast_steps_do_not_wait_for_the_database(make_runner, store, monkeypatch):
    writes = []
    put = store.jobs.put
    monkeypatch.setattr(store.jobs, "put", lambda job: (writes.append(job.status), put(job)))
    runner = make_runner(lambda request, on_step: [on_step(step, 5000) for step in range(5000)] and "r")
    job = ended(runner, runner.submit("forecast", {}))
    seconds = (job.finished - job.started).total_seconds()
    assert len(writes) <= 3 + seconds


def test_slow_steps_are_recorded_for_other_processes(make_runner, store, monkeypatch):
    monkeypatch.setattr("kronos_app.jobs.runner.SECONDS_BETWEEN_WRITES", 0.0)
    gate = Gate()
    runner = make_runner(gate)
    job = runner.submit("forecast", {})
    assert gate.reached.wait(20)
    assert (store.jobs.get(job.id).status, store.jobs.get(job.id).done) == ("running", 1)
    gate.open.set()


def test_a_database_that_fails_meanwhile_does_not_stop_the_work(make_runner, tmp_path):
    gate = Gate()
    store = Store.open(f"duckdb:///{tmp_path / 'closing.db'}")
    runner = make_runner(gate, store=store)
    job = runner.submit("forecast", {})
    assert gate.reached.wait(20)
    store.close()
    gate.open.set()
    assert ended(runner, job).status == "succeeded"


def test_a_stopped_runner_puts_its_job_back_and_the_next_one_finishes_it(make_runner, store):
    gate = Gate()
    first = make_runner(gate)
    running, queued = (first.submit("forecast", {"number": number}) for number in range(2))
    assert gate.reached.wait(20)
    stopping = threading.Thread(target=first.stop)
    stopping.start()
    wait_for(lambda: first._stopping)
    gate.open.set()
    stopping.join()
    assert [store.jobs.get(job.id).status for job in (running, queued)] == ["queued", "queued"]
    assert store.jobs.get(running.id).attempts == 0
    second = make_runner()
    assert [ended(second, job).status for job in (running, queued)] == ["succeeded", "succeeded"]


def test_all_that_was_running_is_put_back_when_the_runner_stops(make_runner, store):
    crowd = Crowd()
    first = make_runner(crowd, parallel=3)
    jobs = [first.submit("forecast", {"number": number}) for number in range(4)]
    wait_for(lambda: crowd.present == {0, 1, 2})
    stopping = threading.Thread(target=first.stop)
    stopping.start()
    wait_for(lambda: first._stopping)
    crowd.release(*range(4))
    stopping.join()
    records = [store.jobs.get(job.id) for job in jobs]
    assert [(record.status, record.attempts, record.started) for record in records] == [("queued", 0, None)] * 4
    second = make_runner(crowd, parallel=3)
    assert [ended(second, job).status for job in jobs] == ["succeeded"] * 4


def test_interrupted_jobs_run_alone_and_the_others_after_them(make_runner, store):
    made = datetime(2024, 1, 1, tzinfo=UTC)
    for number in range(4):
        status, attempts = ("running", 1) if number < 2 else ("queued", 0)
        record = Job(
            f"j{number}", "forecast", {"number": number}, status, attempts=attempts, created=made + timedelta(number)
        )
        store.jobs.put(record)
    crowd = Crowd()
    runner = make_runner(crowd, parallel=4)
    for number in range(2):
        wait_for(lambda: crowd.present)
        assert crowd.present == {number}
        assert sum(job.status == "running" for job in runner.list()) == 1
        crowd.release(number)
        wait_for(lambda number=number: not runner.get(f"j{number}").active)
    wait_for(lambda: crowd.present == {2, 3})
    crowd.release(2, 3)
    wait_for(lambda: not runner.list(active_only=True))
    assert [job.attempts for job in runner.list()] == [1, 1, 2, 2]


def test_an_interrupted_job_that_is_cancelled_in_line_lets_the_next_one_begin(make_runner, store):
    made = datetime(2024, 1, 1, tzinfo=UTC)
    for number in range(3):
        attempts = 1 if number == 1 else 0
        record = Job(f"j{number}", "forecast", {"number": number}, attempts=attempts, created=made + timedelta(number))
        store.jobs.put(record)
    crowd = Crowd()
    runner = make_runner(crowd, parallel=3)
    wait_for(lambda: crowd.present == {0})
    assert [runner.get(f"j{number}").status for number in range(3)] == ["running", "queued", "queued"]
    runner.cancel("j1")
    wait_for(lambda: crowd.present == {0, 2})
    crowd.release(0, 2)


def test_a_runner_can_be_stopped_and_started_again(make_runner):
    runner = make_runner()
    runner.start()
    runner.stop()
    job = runner.submit("forecast", {})
    runner.start()
    assert ended(runner, job).status == "succeeded"


def test_records_of_jobs_long_finished_are_removed(make_runner, store):
    long_ago = datetime.now(UTC) - timedelta(days=30)
    store.jobs.put(Job("old", "forecast", {}, status="succeeded", finished=long_ago))
    store.jobs.put(Job("recent", "forecast", {}, status="succeeded", finished=datetime.now(UTC)))
    runner = make_runner()
    assert [job.id for job in runner.list()] == ["recent"]


@pytest.fixture
def killed_url(tmp_path):
    """A database that this process opens only after the other one was killed."""
    return f"duckdb:///{tmp_path / 'killed.db'}"


WORKER = """
import os
import sys
from kronos_app.jobs import JobRunner
from kronos_app.store import Store

def handler(request, on_step):
    on_step(1, 9)
    os.write(1, b"working\\n")  # whole, whatever other threads write
    sys.stdin.read()

runner = JobRunner(Store.open(sys.argv[1]), {"forecast": handler}, 5, int(sys.argv[2]))
if len(sys.argv) > 3:
    print(runner.submit("forecast", {"key": "k"}).id, flush=True)
    runner.submit("forecast", {"key": "next"})
runner.start()
sys.stdin.read()
"""


def kill_in_the_middle(url, *, submit, parallel=1, working=1):
    """Run a process until it works on as many jobs as said, kill it, and return the other lines it printed."""
    command = [sys.executable, "-c", WORKER, url, str(parallel), *(["submit"] if submit else [])]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline().strip() for _ in range(working + submit)]
        process.kill()
    assert lines.count("working") == working
    return {line for line in lines if line != "working"}


def test_a_job_whose_process_was_killed_is_finished_by_the_next(killed_url, make_runner):
    (job_id,) = kill_in_the_middle(killed_url, submit=True)
    store = Store.open(killed_url)
    assert store.notice is None
    left = store.jobs.get(job_id)
    assert (left.status, left.attempts) == ("running", 1)
    seen = []
    runner = make_runner(lambda request, on_step: seen.append(request) or "result", store=store)
    wait_for(lambda: not runner.list(active_only=True))
    assert store.jobs.get(job_id).status == "succeeded"
    assert seen == [{"key": "k"}, {"key": "next"}]
    runner.stop()
    store.close()


def test_a_job_that_kills_its_process_takes_nobody_with_it(killed_url, make_runner):
    (job_id,) = kill_in_the_middle(killed_url, submit=True, parallel=2, working=2)
    kill_in_the_middle(killed_url, submit=False, parallel=2)
    store = Store.open(killed_url)
    runner = make_runner(store=store, parallel=2)
    wait_for(lambda: not runner.list(active_only=True))
    assert runner.get(job_id).error["code"] == "job_interrupted"
    assert sorted(job.status for job in runner.list()) == ["failed", "succeeded"]
    runner.stop()
    store.close()


def test_a_job_that_kills_its_process_again_and_again_is_given_up(killed_url, make_runner):
    (job_id,) = kill_in_the_middle(killed_url, submit=True)
    for _ in range(MAX_ATTEMPTS - 1):
        kill_in_the_middle(killed_url, submit=False)
    store = Store.open(killed_url)
    seen = []
    runner = make_runner(lambda request, on_step: seen.append(request) or "result", store=store)
    job = runner.get(job_id)
    assert (job.status, job.error["code"]) == ("failed", "job_interrupted")
    wait_for(lambda: not runner.list(active_only=True))
    assert seen == [{"key": "next"}], "the jobs behind it still run"
    runner.stop()
    store.close()
