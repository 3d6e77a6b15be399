"""A queue of jobs, a thread for each job that runs, and a record in the store for each change of a job's state."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import Condition, Thread
from typing import Any
from uuid import uuid4

from kronos_app.callers import CALLER
from kronos_app.errors import AppError, Conflict, TooManyRequests, Unavailable, disk_error, require
from kronos_app.i18n import text
from kronos_app.store import Job, Store
from kronos_app.store.database import patience
from kronos_app.store.records import now

log = logging.getLogger(__name__)

OnStep = Callable[[int, int], None]
Handler = Callable[[dict[str, Any], OnStep], str]
JobPage = tuple[list[Job], int]

# Writing each step would make fast steps wait for the disk; after a crash the job starts again anyway.
SECONDS_BETWEEN_WRITES = 1.0
# While the database does not answer: between two attempts to read unfinished jobs or to write states.
SECONDS_BETWEEN_ATTEMPTS = 1.0
# A job that ends the process each time it runs must not run forever.
MAX_ATTEMPTS = 2
KEEP_FINISHED = timedelta(days=7)
SECONDS_TO_RETRY = 10


class Cancelled(Exception):
    """Raised inside a handler, from `on_step`, when its job was cancelled."""


class _Stopped(Cancelled):
    """The runner stops: the job returns to the queue for the next process."""


class JobRunner:
    """Runs jobs in the background in the order of submission, several of each kind at a time; thread-safe.

    A job that was running when a process died may be the cause. It is retried while no other job runs, so that it
    cannot interrupt others a second time.

    While the database does not answer, jobs wait for it in the call that needs it, and states are written later.

    Parameters
    ----------
    store
        Stores the records.
    handlers
        For each kind of job the function that does the work. It takes the request and `on_step(done, total)`, which it
        must call often and which raises `Cancelled`, and returns the id of its result.
    max_queued, max_per_caller
        Jobs that may wait, in total and of one caller; the default for one caller is half of them.
    parallel
        Jobs of one kind that may run at the same time.
    limits
        By kind, where another number than `parallel` is allowed.
    """

    def __init__(
        self,
        store: Store,
        handlers: Mapping[str, Handler],
        max_queued: int,
        parallel: int = 1,
        max_per_caller: int | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        self._store = store
        self._handlers = handlers
        self._max_queued = max_queued
        self._max_per_caller = max_per_caller or (max_queued + 1) // 2
        self._parallel = parallel
        self._limits = limits or {}
        self._callers: dict[str, str] = {}  # by id, of the jobs submitted to this process
        self._jobs: dict[str, Job] = {}  # jobs of this process in order of submission; newer than the store
        self._cancelling: set[str] = set()
        self._unsaved: set[str] = set()  # ids of jobs whose state is not in the store yet
        self._recovered = False
        self._next_attempt = 0.0  # time of the next attempt after the database failed
        self._changed = Condition()
        self._stopping = False
        self._dispatcher: Thread | None = None
        self._threads: list[Thread] = []  # one for each running job

    def start(self) -> None:
        """Queue what an earlier process left unfinished and begin to run jobs; a second call does nothing."""
        with self._changed:
            self._stopping = False
            if self._dispatcher is not None and self._dispatcher.is_alive():
                return
            if not any(thread.is_alive() for thread in self._threads):
                self._recovered = False
                self._recover()
            self._dispatcher = Thread(target=self._dispatch, name="kronos-jobs", daemon=True)
            self._dispatcher.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Stop all jobs at their next step, at most after `timeout` seconds; unfinished jobs stay queued."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        end = time.monotonic() + timeout
        if self._dispatcher is not None:
            self._dispatcher.join(timeout)
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def submit(self, kind: str, request: dict[str, Any]) -> Job:
        """Queue a job, or return the unfinished job of an equal request.

        Requests are equal if their `key` is equal, or without a key, if all fields are.

        Raises
        ------
        Conflict
            `queue_full`, if `max_queued` jobs are waiting.
        TooManyRequests
            `too_many_jobs`, if `max_per_caller` jobs of this caller are waiting.
        Unavailable
            If the record cannot be stored.
        """
        key = _key(request)
        with self._changed:
            for job in self._jobs.values():
                if job.active and job.kind == kind and job.id not in self._cancelling and _key(job.request) == key:
                    return job
            self._check_queue()
            job = Job(uuid4().hex, kind, request)
            self._store.jobs.put(job)
            self._jobs[job.id] = job
            self._callers[job.id] = CALLER.get()
            self._changed.notify_all()
            return job

    def working(self) -> bool:
        """Return whether queued jobs will be started."""
        return self._dispatcher is not None and self._dispatcher.is_alive()

    def _check_queue(self) -> None:
        waiting = [job.id for job in self._jobs.values() if job.status == "queued"]
        if len(waiting) >= self._max_queued:
            raise Conflict(
                "queue_full",
                text("{waiting} jobs are waiting already.", waiting=len(waiting)),
                text("Wait until one has finished, or cancel one."),
                retry_after=SECONDS_TO_RETRY,
            )
        caller = CALLER.get()  # empty for jobs that the program starts by itself
        own = sum(self._callers.get(job_id) == caller for job_id in waiting) if caller else 0
        if own >= self._max_per_caller:
            raise TooManyRequests(
                "too_many_jobs",
                text("{waiting} of your jobs are waiting already.", waiting=own),
                text("Wait until one has finished, or cancel one; the other places are for others."),
                retry_after=SECONDS_TO_RETRY,
            )

    def get(self, job_id: str) -> Job:
        """Return the job as it is now.

        Raises NotFound: there is no job of this id.
        """
        with self._changed:
            job = self._jobs.get(job_id)
        return require(
            job or self._store.jobs.get(job_id),
            "job_not_found",
            text("There is no job {id}.", id=job_id),
            text("Records of finished jobs are kept for {days} days.", days=KEEP_FINISHED.days),
        )

    def wait(self, job_id: str, seconds: float) -> Job:
        """Return the job once it has ended, or as it is after `seconds`.

        Raises NotFound: there is no job of this id.
        """
        with self._changed:
            self._changed.wait_for(lambda: job_id not in self._jobs or not self._jobs[job_id].active, seconds)
        return self.get(job_id)

    def list(self, *, active_only: bool = False, kind: str | None = None) -> list[Job]:
        """Return the jobs, newest first; with `active_only` those that are queued or running."""
        with self._changed:
            current = {job.id: job for job in self._jobs.values() if kind in {None, job.kind}}
        stored = {} if active_only else {job.id: job for job in self._store.jobs.list(kind=kind)}
        jobs = [job for job in (stored | current).values() if job.active or not active_only]
        return sorted(jobs, key=lambda job: job.created, reverse=True)

    def page(self, *, active_only: bool = False, kind: str | None = None, limit: int, offset: int = 0) -> JobPage:
        """Return at most `limit` jobs from `offset` on, newest first, and the number of all jobs."""
        with self._changed:
            current = dict(self._jobs)
        stored = self._store.jobs.list(active_only=active_only, kind=kind, limit=limit, offset=offset)
        return [current.get(job.id, job) for job in stored], self._store.jobs.count(active_only=active_only, kind=kind)

    def cancel(self, job_id: str) -> Job:
        """Cancel a queued job at once and a running one at its next step; a finished one stays as it is.

        Raises NotFound: there is no job of this id.
        """
        with self._changed:
            job = self._jobs.get(job_id)
            if job is not None and job.status == "queued":
                self._changed.notify_all()  # it may have been at the head of the queue, waiting to run alone
                return self._update(job, status="cancelled", finished=now())
            if job is not None and job.status == "running":
                self._cancelling.add(job_id)
        return job or self.get(job_id)

    def _recover(self) -> None:
        """Queue unfinished jobs of an earlier process before those of this one; try again later if the store fails."""
        try:
            self._prune()
            unfinished = self._store.jobs.list(active_only=True)
        except Unavailable as error:
            log.debug("Unfinished jobs could not be read, and will be later: %s", error)
            return
        self._recovered = True
        own, self._jobs = self._jobs, {}
        for job in sorted((job for job in unfinished if job.id not in own), key=lambda job: job.created):
            if job.status == "running" and job.attempts >= MAX_ATTEMPTS:
                self._update(job, status="failed", finished=now(), error=_interrupted(job).to_dict())
            else:
                self._update(job, status="queued", started=None, done=0)
        self._jobs.update(own)

    def _dispatch(self) -> None:
        """Start a thread for each job that may begin, until the runner stops."""
        while (job := self._next()) is not None:
            thread = Thread(target=self._run, args=(job,), name=f"kronos-job-{job.kind}", daemon=True)
            self._threads = [*(other for other in self._threads if other.is_alive()), thread]
            thread.start()

    def _run(self, job: Job) -> None:
        try:
            with patience(partial(self._check, job.id)):
                result_id = self._handlers[job.kind](job.request, self._on_step(job.id))
            end: dict[str, Any] = {"status": "succeeded", "result_id": result_id}
        except _Stopped:
            end = {"status": "queued", "started": None, "done": 0, "attempts": job.attempts - 1}
        except Cancelled:
            end = {"status": "cancelled"}
        except AppError as error:
            end = {"status": "failed", "error": error.to_dict()}
        except Exception as error:  # Whatever a handler raises, the job must end.
            log.exception("Job %s (%s) failed", job.id, job.kind)
            problem = disk_error(error) if isinstance(error, OSError) else None
            end = {"status": "failed", "error": (problem or _unexpected()).to_dict()}
        self._finish(job.id, end)

    def _next(self) -> Job | None:
        """Wait for a job that may begin and mark it as running; None when the runner stops."""
        with self._changed:
            while not self._stopping:
                self._catch_up()
                job = self._select() if self._recovered else None
                if job is not None:
                    return self._update(job, status="running", started=now(), attempts=job.attempts + 1)
                self._changed.wait(None if self._recovered and not self._unsaved else SECONDS_BETWEEN_ATTEMPTS)
            return None

    def _select(self) -> Job | None:
        """Return the first job that may begin; an interrupted job runs alone, and no later job overtakes it."""
        running = [job for job in self._jobs.values() if job.status == "running"]
        if any(job.attempts > 1 for job in running):
            return None
        busy = Counter(job.kind for job in running)
        for job in self._jobs.values():
            if job.status == "queued" and job.attempts:
                return None if running else job
            if job.status == "queued" and busy[job.kind] < self._limits.get(job.kind, self._parallel):
                return job
        return None

    def _on_step(self, job_id: str) -> OnStep:
        written = time.monotonic()

        def on_step(done: int, total: int) -> None:
            nonlocal written
            with self._changed:
                self._check(job_id)
                job = self._jobs[job_id]
                due = time.monotonic() - written >= SECONDS_BETWEEN_WRITES and (done, total) != (job.done, job.total)
                self._update(job, write=due, done=done, total=total)
                written = time.monotonic() if due else written

        return on_step

    def _check(self, job_id: str) -> None:
        """Raise `Cancelled` if a job must stop."""
        if job_id in self._cancelling:
            raise Cancelled
        if self._stopping:
            raise _Stopped

    def _finish(self, job_id: str, end: dict[str, Any]) -> None:
        with self._changed:
            self._cancelling.discard(job_id)
            finished = None if end["status"] == "queued" else now()
            self._update(self._jobs[job_id], finished=finished, **end)
            self._changed.notify_all()
            try:
                self._prune()
            except Unavailable:
                log.warning("Records of old jobs could not be removed")

    def _update(self, job: Job, *, write: bool = True, **values: Any) -> Job:
        job = self._jobs[job.id] = replace(job, **values)
        if write:
            self._save(job)
        return job

    def _save(self, job: Job) -> None:
        try:
            self._store.jobs.put(job)
            self._unsaved.discard(job.id)
        except Unavailable as error:
            # The job continues: this process still has its state and writes it later.
            log.warning("The state of job %s could not be stored: %s", job.id, error)
            self._unsaved.add(job.id)

    def _catch_up(self) -> None:
        """Read and write what failed while the database did not answer, if it is time for another attempt."""
        if (self._recovered and not self._unsaved) or time.monotonic() < self._next_attempt:
            return
        if not self._recovered:
            self._recover()
        for job_id in sorted(self._unsaved):
            self._save(self._jobs[job_id])
            if job_id in self._unsaved:
                break
        self._next_attempt = time.monotonic() + SECONDS_BETWEEN_ATTEMPTS

    def _prune(self) -> None:
        limit = now() - KEEP_FINISHED
        self._store.jobs.prune(limit)
        for job in [job for job in self._jobs.values() if job.finished is not None and job.finished < limit]:
            del self._jobs[job.id]
            self._callers.pop(job.id, None)
            self._unsaved.discard(job.id)


def _key(request: dict[str, Any]) -> Any:
    return request.get("key", request)


def _interrupted(job: Job) -> AppError:
    return AppError(
        "job_interrupted",
        text("The program ended {attempts} times while it worked on this.", attempts=job.attempts),
        text("It may need more memory than there is: ask for fewer samples or a smaller model."),
    )


def _unexpected() -> AppError:
    return AppError(
        "job_failed",
        text("Something unexpected went wrong; the log has the details."),
        text("Try again; if it fails again, report it with the log."),
    )
