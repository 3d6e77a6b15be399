"""One thread that draws all forecasts of a process, so that any number of callers share its cores and its memory.

Callers wait in threads of their own. Between two steps, a step being one candle of every row of a batch, the scheduler
thread drops what nobody waits for any more, lets in what memory allows, and chooses the batch that goes on. It runs
nothing but the engine's own code: progress is reported in the caller's thread.

**Who goes on.** The batch whose next forecast is nearest, by its own measured speed; a new one is measured first. So a
short request passes a long one, and equal ones end one after the other instead of all at the end. Nobody starves: the
oldest batch goes on regardless once it has waited `PATIENCE` times as long as its last step took, which leaves it about
a quarter of the time, and when it is done the next one is the oldest.

**Who is let in.** In the order of arrival, as long as all but the largest fit into the memory budget together. The
largest does not count: one request must always be let in, however large, and the small ones should not wait for it.
Nobody starves here either: when the largest ends, what is left fits the budget, so there is room for the one that has
waited longest, as the new largest or in the place of a larger one.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.batch import Batch, Task
    from engine.forecast import Forecast
    from engine.generate import OnStep
    from engine.predictor import KronosPredictor

MEMORY = 1 << 30
PATIENCE = 3.0
POLL_SECONDS = 0.2
NICENESS = 5  # a third of the weight of other threads: enough for pages, and other programs do not stop forecasts
STEPS_TO_MEASURE = 2  # the first encodes the history as well


@dataclass(eq=False)
class _Ticket:
    """One caller's request. Fields below `changed` are guarded by the lock of the scheduler."""

    predictor: KronosPredictor
    task: Task
    memory: int
    changed: threading.Condition
    done: int = 0
    ended: bool = False
    forecast: Forecast | None = None
    error: Exception | None = None
    abandoned: bool = False

    def end(self, forecast: Forecast | None, error: Exception | None) -> None:
        if not self.ended:
            self.ended, self.forecast, self.error = True, forecast, error
            self.changed.notify()

    def result(self) -> Forecast:
        if self.forecast is not None:
            return self.forecast
        error, self.error = self.error, None
        assert error is not None
        try:
            raise error
        finally:
            del error  # its traceback holds this frame, and the batch: a cycle would keep the memory


@dataclass(eq=False)
class _Running:
    """A batch with the tickets of its tasks, and how fast it is; seen by the scheduler thread alone."""

    batch: Batch
    tickets: Sequence[_Ticket]
    ended: float  # its last step, seconds of the clock
    seconds: float = 0.0  # of its last step
    steps: int = 0

    def active(self) -> list[tuple[int, _Ticket]]:
        return [(index, self.tickets[index]) for index in self.batch.active if not self.tickets[index].ended]

    def nearest(self) -> float:
        """Return the seconds until it completes its next forecast, 0 as long as they are not known."""
        if self.steps < STEPS_TO_MEASURE:
            return 0.0
        return self.seconds * min(ticket.task.horizon - self.batch.steps(index) for index, ticket in self.active())


class Scheduler:
    """Draws forecasts for many threads at once; every thread may use it.

    Parameters
    ----------
    memory
        Bytes that forecasts may take together beyond the weights, the largest of them not counted.
    clock
        Seconds, to measure steps by.
    """

    def __init__(self, memory: int = MEMORY, clock: Callable[[], float] = time.perf_counter) -> None:
        self._memory = memory
        self._clock = clock
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._waiting: list[_Ticket] = []
        self._running: list[_Running] = []  # the oldest first
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="kronos-scheduler", daemon=True)
        self._thread.start()

    def forecast(self, predictor: KronosPredictor, task: Task, on_step: OnStep | None = None) -> Forecast:
        """Draw `task` of `predictor` together with whatever else was asked for, and return its forecast.

        Parameters
        ----------
        on_step
            Called in this thread with (done, horizon), after a step or several, and some times a second while none is
            made. It may raise to cancel: the rows are gone before the next step, and the exception reaches the caller.

        Raises
        ------
        RuntimeError
            If the scheduler is closed, or was before the forecast was complete.
        """
        ticket = _Ticket(predictor, task, predictor.memory(task), threading.Condition(self._lock))
        with self._lock:
            if self._closed:
                raise _closed()
            self._waiting.append(ticket)
            self._wake.notify()
        done, ended = 0, False
        try:
            while not ended:
                with self._lock:
                    if ticket.done == done and not ticket.ended:
                        ticket.changed.wait(POLL_SECONDS)
                    done, ended = ticket.done, ticket.ended
                if on_step:
                    on_step(done, task.horizon)
        finally:
            ticket.abandoned = True
        return ticket.result()

    def close(self, timeout: float = 10.0) -> None:
        """Stop after the present step, at most after `timeout` seconds; who still waits gets a RuntimeError."""
        with self._lock:
            self._closed = True
            self._wake.notify()
        self._thread.join(timeout)

    def _run(self) -> None:
        _give_way()
        try:
            while self._work_to_do():
                self._drop_abandoned()
                self._begin(self._admit())
                if self._running:
                    self._advance(self._next())
        finally:  # Whatever ends this thread, nobody goes on waiting for it.
            with self._lock:
                self._closed = True
                for ticket in (*self._waiting, *(ticket for running in self._running for ticket in running.tickets)):
                    ticket.end(None, _closed())
                self._waiting, self._running = [], []

    def _work_to_do(self) -> bool:
        """Wait until there is something to do; False when the scheduler is closed."""
        with self._lock:
            while not (self._closed or self._waiting or self._running):
                self._wake.wait()
            return not self._closed

    def _drop_abandoned(self) -> None:
        for running in self._running:
            with self._failures_reach(running.tickets):
                for index, ticket in running.active():
                    if ticket.abandoned:
                        running.batch.drop(index)
        self._running = [running for running in self._running if running.active()]

    def _admit(self) -> list[_Ticket]:
        """Take the tickets that may begin now from those that wait."""
        taken = [ticket.memory for running in self._running for _, ticket in running.active()]
        admitted, waiting = [], []
        with self._lock:
            for ticket in self._waiting:
                together = [*taken, ticket.memory]
                if ticket.abandoned:
                    continue
                if sum(together) - max(together) <= self._memory:
                    taken = together
                    admitted.append(ticket)
                else:
                    waiting.append(ticket)
            self._waiting = waiting
        return admitted

    def _begin(self, tickets: Sequence[_Ticket]) -> None:
        """Put tickets into batches, as their models see fit."""
        by_model: dict[KronosPredictor, list[_Ticket]] = {}
        for ticket in tickets:
            by_model.setdefault(ticket.predictor, []).append(ticket)
        for predictor, asked in by_model.items():
            with self._failures_reach(asked):
                for indices in predictor.group([ticket.task for ticket in asked]):
                    group = [asked[index] for index in indices]
                    batch = predictor.begin([ticket.task for ticket in group])
                    self._running.append(_Running(batch, group, self._clock()))

    def _next(self) -> _Running:
        oldest = self._running[0]
        if self._clock() - oldest.ended >= PATIENCE * oldest.seconds:
            return oldest
        return min(self._running, key=_Running.nearest)

    def _advance(self, running: _Running) -> None:
        active, started = running.active(), self._clock()
        with self._failures_reach(running.tickets):
            running.batch.advance()
            forecasts = {index: running.batch.result(index) for index, _ in active if running.batch.finished(index)}
            with self._lock:
                for index, ticket in active:
                    ticket.done = running.batch.steps(index)
                    ticket.changed.notify()
                    if index in forecasts:
                        ticket.end(forecasts[index], None)
        running.ended = self._clock()
        running.seconds, running.steps = running.ended - started, running.steps + 1

    @contextmanager
    def _failures_reach(self, tickets: Sequence[_Ticket]) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever fails is raised again where it was asked for
            with self._lock:
                for ticket in tickets:
                    ticket.end(None, error)


def _closed() -> RuntimeError:
    return RuntimeError("The scheduler is closed.")


def _give_way() -> None:
    """Let every other thread go before this one and the workers it will start, where threads have priorities.

    They do on Linux; elsewhere the number would be taken for that of a process.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, thread) + NICENESS, 19))
