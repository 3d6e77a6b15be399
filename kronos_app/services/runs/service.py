"""Runs that are a folder and, while they are made, a job.

A run continues when the browser tab closes and after a restart. A cancelled or failed run can be resumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Generic

from kronos_app.errors import Conflict
from kronos_app.services.runs.folders import Listed
from kronos_app.services.runs.run import AnyRun, RunFolders
from kronos_app.services.selection.training_files import check_room
from kronos_app.store.records import UnreadableRecords

if TYPE_CHECKING:
    from kronos_app.jobs import Job, JobRunner
    from kronos_app.settings import Settings


class RunService(Generic[AnyRun]):
    """Runs of one kind: listed, followed, resumed, deleted; every thread may use it.

    Parameters
    ----------
    most
        How many runs may be saved.
    """

    def __init__(self, settings: Settings, jobs: JobRunner, folders: RunFolders[AnyRun], most: int) -> None:
        self._settings = settings
        self._jobs = jobs
        self._folders = folders
        self._kind = folders.run.kind
        self._most = most
        self._starting = Lock()

    def list(self) -> Listed[AnyRun]:
        """Return all runs with their states, newest first."""
        jobs = self._newest_jobs()
        return [run.with_job(jobs.get(run.id)) for run in self._folders.list()]

    def any(self) -> bool:
        """Return whether there is a run, readable or not."""
        return self._folders.any()

    def unreadable(self) -> UnreadableRecords:
        """Return the runs that this version cannot read, with the reason."""
        return self._folders.unreadable()

    def get(self, run_id: str) -> AnyRun:
        """Return a run with its state.

        Raises NotFound (there is no run of this id) or Conflict (this version cannot read it).
        """
        return self._folders.get(run_id).with_job(self._newest_jobs().get(run_id))

    def cancel(self, run_id: str) -> AnyRun:
        """Cancel the job of a run; what it has done stays, and `resume` continues from there.

        Raises NotFound (there is no run of this id).
        """
        job_id = self.get(run_id).job_id
        if job_id is not None:
            self._jobs.cancel(job_id)
        return self.get(run_id)

    def resume(self, run_id: str) -> AnyRun:
        """Continue a run that was cancelled, has failed or lost its job.

        Raises NotFound (there is no run of this id) or Conflict (it is finished, or too many jobs wait).
        """
        run = self._folders.get(run_id)
        if run.report is not None:
            raise run.finished(run.id)
        self._submit(run)
        return self.get(run_id)

    def delete(self, run_id: str) -> None:
        """Cancel the job of a run and delete the run with its files.

        Raises NotFound (there is no run of this id).
        """
        path = self._folders.path(run_id)
        job = self._newest_jobs().get(path.name)
        if job is not None and job.active:
            self._jobs.cancel(job.id)
        self._folders.remove(path.name)

    def _check_room(self, size: int) -> None:
        """Refuse one run more than allowed, and `size` bytes if the disk lacks room."""
        count = len(self._folders.list())
        if count >= self._most:
            raise self._folders.run.too_many(count)
        self._folders.make_folder()
        check_room(self._folders.folder, self._settings, size)

    def _submit_new(self, run: AnyRun) -> AnyRun:
        """Queue the job of a new run and return the run; where too many jobs wait, the run is deleted."""
        try:
            self._submit(run)
        except Conflict:
            self._folders.remove(run.id)
            raise
        return self.get(run.id)

    def _submit(self, run: AnyRun) -> None:
        self._jobs.submit(self._kind, {"key": run.id, self._kind: run.id})

    def _newest_jobs(self) -> Mapping[str, Job]:
        return {job.request[self._kind]: job for job in reversed(self._jobs.list(kind=self._kind))}
