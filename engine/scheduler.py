"""One thread that draws all forecasts of a process, so that any number of callers share its cores and its memory.

Callers wait in their own threads. Between two steps (a step is one candle of every row of a batch) the scheduler thread
drops cancelled requests, admits waiting requests within the memory budget, and chooses the next batch. It runs only the
engine's code; progress is reported in the caller's thread.

**Order.** The batch that completes a forecast soonest, by its measured speed, is next; new batches are measured first.
So a short request overtakes a long one, and equal ones end one after another instead of all at the end. No batch
starves: the oldest one is next once it has waited `PATIENCE` times the duration of its last step, which gives it about
a quarter of the time.

**Admission.** Requests are admitted in the order of arrival while all but the largest fit into the memory budget. The
largest does not count: every request must be admitted at some time, however large, and small ones should not wait for
it. No request starves: when the largest ends, the rest fits into the budget, so there is room for the request that has
waited longest.
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
NICENESS = 5  # a third of the weight of other threads: pages stay fast, and other programs do not stop forecasts
STEPS_TO_MEASURE = 2  # the first step also encodes the history


@dataclass(eq=False)
class _Ticket:
    """One caller's request. The scheduler's lock guards the fields below `changed`."""

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
            del error  # its traceback refers to this frame and the batch: the cycle would keep their memory


@dataclass(eq=False)
class _Running:
    """A batch with the tickets of its tasks and its speed; used by the scheduler thread only."""

    batch: Batch
    tickets: Sequence[_Ticket]
    ended: float  # time of its last step
    seconds: float = 0.0  # duration of its last step
    steps: int = 0

    def active(self) -> list[tuple[int, _Ticket]]:
        return [(index, self.tickets[index]) for index in self.batch.active if not self.tickets[index].ended]

    def seconds_left(self) -> float:
        """Return the seconds until its next complete forecast; 0 while its speed is unknown."""
        if self.steps < STEPS_TO_MEASURE:
            return 0.0
        return self.seconds * min(ticket.task.horizon - self.batch.steps(index) for index, ticket in self.active())


class Scheduler:
    """Draws forecasts for many threads; thread-safe.

    Parameters
    ----------
    memory
        Bytes that forecasts may take together beyond the weights, without the largest.
    clock
        Returns seconds; measures steps.
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
        """Draw `task` of `predictor` together with other requests, and return its forecast.

        Parameters
        ----------
        on_step
            Called in this thread with (done, horizon) after one or more steps, and several times a second in between.
            It may raise to cancel: the rows are dropped before the next step, and the exception reaches the caller.

        Raises
        ------
        RuntimeError
            The scheduler is closed, or was closed before the forecast was complete.
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
        """Stop after the current step, waiting at most `timeout` seconds; callers that wait get a RuntimeError."""
        with self._lock:
            self._closed = True
            self._wake.notify()
        self._thread.join(timeout)

    def _run(self) -> None:
        _lower_priority()
        try:
            while self._work_to_do():
                self._drop_abandoned()
                self._begin(self._admit())
                if self._running:
                    self._advance(self._next())
        finally:  # however this thread ends, no caller must wait for it
            with self._lock:
                self._closed = True
                for ticket in (*self._waiting, *(ticket for running in self._running for ticket in running.tickets)):
                    ticket.end(None, _closed())
                self._waiting, self._running = [], []

    def _work_to_do(self) -> bool:
        """Wait until there is work; return False when the scheduler is closed."""
        with self._lock:
            while not (self._closed or self._waiting or self._running):
                self._wake.wait()
            return not self._closed

    def _drop_abandoned(self) -> None:
        for running in self._running:
            with self._report_failures(running.tickets):
                for index, ticket in running.active():
                    if ticket.abandoned:
                        running.batch.drop(index)
        self._running = [running for running in self._running if running.active()]

    def _admit(self) -> list[_Ticket]:
        """Return the waiting tickets that may begin now, and remove them from the queue."""
        memory = [ticket.memory for running in self._running for _, ticket in running.active()]
        admitted, waiting = [], []
        with self._lock:
            for ticket in self._waiting:
                together = [*memory, ticket.memory]
                if ticket.abandoned:
                    continue
                if sum(together) - max(together) <= self._memory:
                    memory = together
                    admitted.append(ticket)
                else:
                    waiting.append(ticket)
            self._waiting = waiting
        return admitted

    def _begin(self, tickets: Sequence[_Ticket]) -> None:
        """Begin batches of tickets with the same model, grouped by the predictor."""
        by_model: dict[KronosPredictor, list[_Ticket]] = {}
        for ticket in tickets:
            by_model.setdefault(ticket.predictor, []).append(ticket)
        for predictor, requests in by_model.items():
            with self._report_failures(requests):
                for indices in predictor.group([ticket.task for ticket in requests]):
                    group = [requests[index] for index in indices]
                    batch = predictor.begin([ticket.task for ticket in group])
                    self._running.append(_Running(batch, group, self._clock()))

    def _next(self) -> _Running:
        oldest = self._running[0]
        if self._clock() - oldest.ended >= PATIENCE * oldest.seconds:
            return oldest
        return min(self._running, key=_Running.seconds_left)

    def _advance(self, running: _Running) -> None:
        active, started = running.active(), self._clock()
        with self._report_failures(running.tickets):
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
    def _report_failures(self, tickets: Sequence[_Ticket]) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
            with self._lock:
                for ticket in tickets:
                    ticket.end(None, error)


def _closed() -> RuntimeError:
    return RuntimeError("The scheduler is closed.")


def _lower_priority() -> None:
    """Lower the priority of this thread and the workers that it will start; only Linux has priorities of threads."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, thread) + NICENESS, 19))
