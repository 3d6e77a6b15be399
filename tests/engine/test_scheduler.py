"""Who goes on, who is let in, who hears of what: a fake engine whose clock moves only when it computes."""

import os
import sys
import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest

from engine import batch
from engine.scheduler import NICENESS, PATIENCE, Scheduler


@dataclass(frozen=True)
class Task:
    name: str
    horizon: int = 4
    samples: int = 1
    seconds: float = 1.0
    size: int = 1
    fails_at: int | None = None


class Gate:
    """Lets steps through, some or all."""

    def __init__(self):
        self.steps = threading.Semaphore(0)
        self.is_open = False

    def open(self):
        self.is_open = True
        self.steps.release()

    def pass_through(self):
        assert self.is_open or self.steps.acquire(timeout=20)


class Batch:
    """Rows that take as long as their tasks say."""

    def __init__(self, engine, tasks):
        self.engine, self.tasks = engine, tuple(tasks)
        self.drawn = [0] * len(tasks)
        self.dropped = set()

    @property
    def active(self):
        return tuple(i for i in range(len(self.tasks)) if i not in self.dropped and not self.finished(i))

    def advance(self):
        rows = [self.tasks[i] for i in self.active]
        self.engine.log.append("+".join(task.name for task in rows))
        self.engine.entered.set()
        self.engine.gate.pass_through()
        self.engine.now += sum(task.seconds for task in rows)
        for i in self.active:
            self.drawn[i] += 1
            if self.drawn[i] == self.tasks[i].fails_at:
                raise ArithmeticError(self.tasks[i].name)

    def steps(self, index):
        return self.drawn[index]

    def finished(self, index):
        return self.drawn[index] == self.tasks[index].horizon

    def result(self, index):
        return f"forecast of {self.tasks[index].name}"

    def drop(self, index):
        self.dropped.add(index)


@dataclass(eq=False)
class Engine:
    """One model, which batches equal numbers of samples; `gate` holds every step, `log` tells who took part in each."""

    log: list = field(default_factory=list)
    gate: Gate = field(default_factory=Gate)
    entered: threading.Event = field(default_factory=threading.Event)
    now: float = 0.0

    def memory(self, task):
        return task.size

    def group(self, tasks):
        kinds = {}
        for index, task in enumerate(tasks):
            kinds.setdefault(task.samples, []).append(index)
        return list(kinds.values())

    def begin(self, tasks):
        return Batch(self, tasks)


class Caller(threading.Thread):
    """A thread that asks for one forecast and keeps what it got."""

    def __init__(self, scheduler, engine, task, on_step=None):
        super().__init__(daemon=True)
        self.ask = lambda: scheduler.forecast(engine, task, on_step)
        self.result = self.error = None
        self.start()

    def run(self):
        try:
            self.result = self.ask()
        except (ArithmeticError, InterruptedError, RuntimeError) as error:
            self.error = error

    def end(self):
        self.join(20)
        assert not self.is_alive()
        return self


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.002)


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def make_scheduler(engine):
    made = []

    def make(memory=1000):
        made.append(Scheduler(memory, clock=lambda: engine.now))
        return made[-1]

    yield make
    engine.gate.open()
    for scheduler in made:
        scheduler.close()


@pytest.fixture
def scheduler(make_scheduler):
    return make_scheduler()


@pytest.fixture
def ask(scheduler, engine):
    """Return a function that asks for forecasts in threads and returns once all of them wait or run."""

    def ask(*tasks, on_step=None, scheduler=scheduler):
        callers = []
        for task in tasks:
            stands_still, waiting = engine.entered.is_set(), len(scheduler._waiting)
            callers.append(Caller(scheduler, engine, task, on_step))
            if stands_still:
                until(lambda more=waiting + 1: len(scheduler._waiting) == more)
            else:
                assert engine.entered.wait(20)
        return callers

    return ask


def test_a_forecast_is_drawn_and_its_steps_are_told_in_the_callers_thread(scheduler, engine):
    engine.gate.open()
    seen = []
    result = scheduler.forecast(engine, Task("a"), lambda *step: seen.append((threading.get_ident(), *step)))
    assert result == "forecast of a"
    assert seen[-1] == (threading.get_ident(), 4, 4)
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert {thread for thread, _, _ in seen} == {threading.get_ident()}


def test_requests_that_wait_are_batched(ask, engine):
    callers = ask(Task("a"), Task("b"), Task("c"), Task("d"))
    engine.gate.open()
    assert [caller.end().result for caller in callers] == [f"forecast of {name}" for name in "abcd"]
    assert engine.log.count("b+c+d") == 4


def test_the_model_says_what_fits_together(ask, engine):
    callers = ask(Task("a"), Task("b"), Task("c", samples=5), Task("d"))
    engine.gate.open()
    assert [caller.end().result for caller in callers] == [f"forecast of {name}" for name in "abcd"]
    assert set(engine.log) == {"a", "b+d", "c"}


def test_requests_of_two_models_are_not_batched(ask, scheduler, engine):
    other = Engine(engine.log, engine.gate, engine.entered)
    (first,) = ask(Task("a"))
    callers = [first, Caller(scheduler, engine, Task("b")), Caller(scheduler, other, Task("c"))]
    until(lambda: len(scheduler._waiting) == 2)
    engine.gate.open()
    assert all(caller.end().result for caller in callers)
    assert set(engine.log) == {"a", "b", "c"}


def test_a_short_request_passes_a_long_one(ask, engine):
    long, short = ask(Task("long", 100), Task("short", 5, samples=2))
    engine.gate.open()
    short.end()
    long.end()
    last_short = max(i for i, name in enumerate(engine.log) if name == "short")
    assert engine.log[:last_short].count("long") <= 5
    assert (engine.log.count("long"), engine.log.count("short")) == (100, 5)


def test_equal_requests_end_one_after_the_other(ask, engine):
    engine.group = lambda tasks: [[i] for i in range(len(tasks))]
    callers = ask(Task("a", 12), Task("b", 12), Task("c", 12))
    engine.gate.open()
    for caller in callers:
        caller.end()
    last = {name: max(i for i, one in enumerate(engine.log) if one == name) for name in "abc"}
    assert last["a"] < last["b"] < last["c"]
    assert last["a"] < 12 + 2 * 2 + 1


def test_newcomers_without_end_do_not_starve_the_oldest(scheduler, engine):
    engine.gate.open()
    stop = threading.Event()

    def newcomers():
        while not stop.is_set():
            scheduler.forecast(engine, Task("short", 3))

    threads = [threading.Thread(target=newcomers, daemon=True) for _ in range(4)]
    long = Caller(scheduler, engine, Task("long", 60))
    for thread in threads:
        thread.start()
    assert long.end().result == "forecast of long"
    stop.set()
    for thread in threads:
        thread.join(20)
    engine.log[:] = [name.split("+") for name in engine.log]
    turns = [i for i, names in enumerate(engine.log) if "long" in names]
    for turn, following in pairwise(turns):
        others = sum(len(names) for names in engine.log[turn + 1 : following])  # each takes a second
        assert others <= PATIENCE + 3, "at most the batch that went last overdraws"


def test_memory_lets_in_one_large_request_and_small_ones_beside_it(make_scheduler, ask, engine):
    scheduler = make_scheduler(memory=10)
    sizes = [("a", 50), ("b", 60), ("c", 6), ("d", 6), ("e", 4)]
    first, *others = [Task(name, 8 if name == "a" else 4, size=size) for name, size in sizes]
    callers = ask(first, *others, scheduler=scheduler)
    engine.gate.open()
    assert [caller.end().result for caller in callers] == [f"forecast of {name}" for name, _ in sizes]
    present = [set(name.split("+")) for name in engine.log]
    assert {"c", "e"} in present, "6 + 4 fit beside the largest; 60 and another 6 wait"
    first_of = {name: min(i for i, names in enumerate(present) if name in names) for name in "abcde"}
    last_of = {name: max(i for i, names in enumerate(present) if name in names) for name in "abcde"}
    assert last_of["a"] < first_of["b"], "two large ones are never there at once"
    assert last_of["c"] < first_of["d"]


def test_a_request_larger_than_the_memory_is_let_in_when_it_is_alone(make_scheduler, engine):
    engine.gate.open()
    assert make_scheduler(memory=0).forecast(engine, Task("a", size=9)) == "forecast of a"


def test_a_cancelled_request_is_gone_before_the_next_step_and_the_others_go_on(ask, scheduler, engine):
    def cancel(done, total):
        if done == 2:
            raise InterruptedError

    first, kept = ask(Task("a", 1), Task("b", 9))
    (cancelled,) = ask(Task("c", 9), on_step=cancel)
    engine.gate.steps.release(3)  # one of a, two of b and c: the third stands still in the middle
    assert isinstance(cancelled.end().error, InterruptedError)
    engine.gate.open()
    assert (first.end().result, kept.end().result) == ("forecast of a", "forecast of b")
    assert engine.log == ["a", *["b+c"] * 3, *["b"] * 6]


def test_who_waits_is_asked_again_and_again_and_may_leave(ask, scheduler, engine):
    (first,) = ask(Task("a"))
    asked = []

    def leave_at_the_third(done, total):
        asked.append((done, total))
        if len(asked) == 3:
            raise InterruptedError

    left = Caller(scheduler, engine, Task("b"), leave_at_the_third).end()
    assert isinstance(left.error, InterruptedError)
    assert asked == [(0, 4)] * 3
    engine.gate.open()
    assert first.end().result
    assert set(engine.log) == {"a"}


def test_a_failure_reaches_its_own_batch_only(ask, engine):
    callers = ask(Task("a"), Task("b"), Task("c", fails_at=2), Task("large", samples=100))
    engine.gate.open()
    a, b, c, large = (caller.end() for caller in callers)
    assert (a.result, large.result) == ("forecast of a", "forecast of large")
    assert [type(caller.error) for caller in (b, c)] == [ArithmeticError] * 2
    assert engine.log.count("b+c") == 2


@pytest.mark.parametrize("method", ["group", "begin"])
def test_a_batch_that_cannot_begin_fails_alone(scheduler, engine, method):
    engine.gate.open()
    broken = Engine()
    setattr(broken, method, lambda tasks: 1 / 0)
    assert isinstance(Caller(scheduler, broken, Task("b")).end().error, ZeroDivisionError)
    assert scheduler.forecast(engine, Task("a")) == "forecast of a"


def test_what_is_done_before_a_failure_is_kept(ask, engine):
    callers = ask(Task("a"), Task("b", 4, fails_at=4), Task("c", 4, seconds=0), Task("d", 3))
    engine.gate.open()
    _, b, _, d = (caller.end() for caller in callers)
    assert isinstance(b.error, ArithmeticError)
    assert d.result == "forecast of d"


def test_closing_tells_everyone_who_waits(ask, scheduler, engine):
    callers = ask(Task("a", 50), Task("b", 50))
    closing = threading.Thread(target=scheduler.close)
    closing.start()
    until(lambda: scheduler._closed)
    engine.gate.open()
    closing.join(20)
    for caller in callers:
        assert isinstance(caller.end().error, RuntimeError)
    assert len(engine.log) == 1
    with pytest.raises(RuntimeError, match="closed"):
        scheduler.forecast(engine, Task("c"))


def test_nothing_of_a_finished_forecast_is_kept(scheduler, engine):
    engine.gate.open()
    scheduler.forecast(engine, Task("a"))
    until(lambda: not scheduler._running)
    assert scheduler._waiting == []


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux alone")
def test_the_scheduler_gives_way_to_other_threads(scheduler, engine):
    engine.gate.open()
    scheduler.forecast(engine, Task("a"))
    own, others = (os.getpriority(os.PRIO_PROCESS, thread) for thread in (scheduler._thread.native_id, os.getpid()))
    assert own == min(others + NICENESS, 19)


@pytest.fixture
def real():
    scheduler = Scheduler()
    yield scheduler
    scheduler.close()


@pytest.fixture
def make_task(predictor, candles):
    """Return a function that makes a task of the last candles before row 160."""

    def make(history=60, horizon=12, **options):
        frame = candles.iloc[160 - history : 160].reset_index(drop=True)
        times = candles["timestamps"].iloc[160 : 160 + horizon]
        return predictor.task(frame, frame["timestamps"], times, **{"samples": 3, "seed": history, **options})

    return make


@pytest.fixture
def steps(monkeypatch):
    """Return a gate before each step of the real engine, and a list of how many tasks take part in each."""
    gate, sizes = Gate(), []
    advance = batch.Batch.advance

    def held(self):
        sizes.append(len(self.active))
        gate.pass_through()
        advance(self)

    monkeypatch.setattr(batch.Batch, "advance", held)
    yield gate, sizes
    gate.open()


@pytest.fixture
def ask_real(real, predictor, steps):
    """Return a function that asks for tasks: the first is at its first step then, and the others wait."""
    _, sizes = steps

    def ask(first, *others):
        callers = [Caller(real, predictor, *first)]
        until(lambda: sizes)
        callers += [Caller(real, predictor, *other) for other in others]
        until(lambda: len(real._waiting) == len(others))
        return callers

    return ask


def alone(predictor, task):
    alone = predictor.begin([task])
    while alone.active:
        alone.advance()
    return alone.result(0)


def test_forecasts_drawn_together_are_what_each_is_alone(ask_real, steps, predictor, make_task):
    gate, sizes = steps
    tasks = [make_task(), *(make_task(history, seed=9) for history in (50, 53, 56, 60))]
    callers = ask_real(*((task,) for task in tasks))
    gate.open()
    together = [caller.end().result for caller in callers]
    assert 4 in sizes
    for task, forecast in zip(tasks, together, strict=True):
        np.testing.assert_allclose(forecast.paths, alone(predictor, task).paths, rtol=1e-5)


def test_cancelling_one_of_a_batch_leaves_the_others_as_they_were(ask_real, steps, predictor, make_task):
    gate, sizes = steps

    def cancel(done, total):
        if done:
            raise InterruptedError

    tasks = [make_task(), make_task(50, horizon=20), make_task(53, horizon=20), make_task(56, horizon=20)]
    callers = ask_real((tasks[0],), (tasks[1],), (tasks[2], cancel), (tasks[3],))
    gate.steps.release(tasks[0].horizon + 1)
    assert isinstance(callers[2].end().error, InterruptedError)
    gate.open()
    for place in (0, 1, 3):
        expected = alone(predictor, tasks[place]).paths
        np.testing.assert_allclose(callers[place].end().result.paths, expected, rtol=1e-5)
    assert 3 in sizes
    assert 2 in sizes


def test_a_short_forecast_asked_for_while_a_long_one_runs_is_there_first(ask_real, steps, predictor, make_task):
    gate, _ = steps
    long, short = ask_real((make_task(horizon=40, samples=30),), (make_task(horizon=2),))
    gate.steps.release(20)
    assert short.end().result.paths.shape == (3, 2, 6)
    assert long.is_alive()
    gate.open()
    assert long.end().result.paths.shape == (30, 40, 6)


def test_a_step_that_fails_fails_its_batch_and_the_scheduler_goes_on(real, predictor, make_task, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(predictor, "clip", "nonsense")
        with pytest.raises(TypeError):
            real.forecast(predictor, make_task())
    assert real.forecast(predictor, make_task()).paths.shape == (3, 12, 6)


def test_many_threads_at_once_get_each_its_own(real, predictor, make_task):
    tasks = [make_task(40 + 5 * (i % 4), horizon=4 + i % 5, samples=1 + i % 3, seed=i) for i in range(24)]
    callers = [Caller(real, predictor, task) for task in tasks]
    for task, caller in zip(tasks, callers, strict=True):
        np.testing.assert_allclose(caller.end().result.paths, alone(predictor, task).paths, rtol=1e-5)
    until(lambda: not real._running)


def test_a_long_history_and_a_long_horizon_that_fit_alone_are_not_drawn_together(predictor, make_task):
    tasks = [make_task(100, horizon=12), make_task(90, horizon=36)]  # 90 + 36 fit into 128, 100 + 36 do not
    assert predictor.group(tasks) == [[1], [0]]
    assert predictor.group([make_task(90, horizon=12), tasks[1]]) == [[0, 1]]
