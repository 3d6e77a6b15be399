"""Runs of one kind: listed, followed, resumed, deleted.

A run continues when the browser tab closes and after a restart. One that was stopped or has failed can be resumed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic

from kronos_app.errors import Conflict
from kronos_app.i18n import Text
from kronos_app.services.runs.job_run import AnyJobRun
from kronos_app.services.runs.run import AnyRun, Listed, RunFolders
from kronos_app.services.selection.training_files import check_room
from kronos_app.store.records import UnreadableRecords

if TYPE_CHECKING:
    from pydantic import BaseModel

    from kronos_app.jobs import Job, JobRunner
    from kronos_app.settings import Settings

NAMED = 3  # series that `origin` names before it counts the rest


class RunService(ABC, Generic[AnyRun]):
    """What every kind of run shares; every thread may use it.

    Where a method takes the id of a run, it raises NotFound (there is none of this id) or Conflict (this version
    cannot read it; `delete` deletes it).

    Parameters
    ----------
    most
        How many runs may be saved.
    """

    def __init__(self, settings: Settings, folders: RunFolders[AnyRun], most: int) -> None:
        self._settings = settings
        self._folders = folders
        self._most = most
        self._starting = Lock()

    def read_all(self) -> tuple[Listed[AnyRun], UnreadableRecords]:
        """Return all runs with their states, newest first, and those that this version cannot read."""
        runs, unreadable = self._folders.read_all()
        return self._with_states(runs), unreadable

    def list(self) -> Listed[AnyRun]:
        """Return all runs with their states, newest first."""
        return self.read_all()[0]

    def any(self) -> bool:
        """Return whether there is a run, readable or not."""
        return self._folders.any()

    def get(self, run_id: str) -> AnyRun:
        """Return a run with its state."""
        return self._with_states([self._folders.get(run_id)])[0]

    @abstractmethod
    def resume(self, run_id: str) -> AnyRun:
        """Continue a run that was stopped, has failed or was interrupted."""

    @abstractmethod
    def delete(self, run_id: str) -> None:
        """End a run and delete it with its files."""

    @abstractmethod
    def _with_states(self, runs: Sequence[AnyRun]) -> Listed[AnyRun]:
        """Return runs with their states and their progress."""

    def _get_compared(self, run_ids: Sequence[str], fewest: int, most: int) -> Listed[AnyRun]:
        """Return different runs with their states; raises InvalidInput for too few or too many."""
        ids = list(dict.fromkeys(run_ids))
        if not fewest <= len(ids) <= most:
            raise self._folders.run.not_comparable(fewest, most)
        return self._with_states([self._folders.get(run_id) for run_id in ids])

    def _check_count(self, count: int) -> None:
        """Refuse one run more than allowed."""
        if count >= self._most:
            raise self._folders.run.too_many(count)


class JobRunService(RunService[AnyJobRun]):
    """Runs that jobs of this process make; every thread may use it."""

    def __init__(self, settings: Settings, jobs: JobRunner, folders: RunFolders[AnyJobRun], most: int) -> None:
        super().__init__(settings, folders, most)
        self._jobs = jobs
        self._kind = folders.run.kind

    def cancel(self, run_id: str) -> AnyJobRun:
        """Cancel the job of a run; what it has done stays, and `resume` continues from there."""
        job_id = self.get(run_id).job_id
        if job_id is not None:
            self._jobs.cancel(job_id)
        return self.get(run_id)

    def resume(self, run_id: str) -> AnyJobRun:
        """Continue a run that was cancelled, has failed or lost its job.

        Raises Conflict (it is finished, or too many jobs wait).
        """
        run = self._folders.get(run_id)
        if run.report is not None:
            raise run.finished(run.id)
        self._submit(run)
        return self.get(run_id)

    def delete(self, run_id: str) -> None:
        """Cancel the job of a run and delete the run with its files."""
        path = self._folders.path(run_id)
        job = self._newest_jobs().get(path.name)
        if job is not None and job.active:
            self._jobs.cancel(job.id)
        self._folders.remove(path.name)

    def _check_room(self, size: int) -> None:
        """Refuse one run more than allowed, and `size` bytes if the disk lacks room."""
        self._check_count(len(self._folders.list()))
        try:
            self._folders.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._folders.run.not_saved(error) from error
        check_room(self._folders.folder, self._settings, size)

    def _start(
        self,
        request: BaseModel,
        notes: Sequence[Text],
        copy: Callable[[Path], tuple[Sequence[str], dict[str, Any]]],
    ) -> AnyJobRun:
        """Create a run, queue its job and return the run; where too many jobs wait, the run is deleted.

        Parameters
        ----------
        copy
            Writes the candles to the given folder; returns their names and the other fields of `desk.json`.
        """

        def write(path: Path) -> dict[str, Any]:
            names, fields = copy(path / "candles")
            origin = ", ".join(names[:NAMED]) + (f" + {len(names) - NAMED}" if len(names) > NAMED else "")
            return {"origin": origin, **fields, "notes": [note.to_dict() for note in notes]}

        run = self._folders.make(request, write)
        try:
            self._submit(run)
        except Conflict:
            self._folders.remove(run.id)
            raise
        return self.get(run.id)

    def _submit(self, run: AnyJobRun) -> None:
        self._jobs.submit(self._kind, {"key": run.id, self._kind: run.id})

    def _with_states(self, runs: Sequence[AnyJobRun]) -> Listed[AnyJobRun]:
        jobs = self._newest_jobs()
        return [run.with_job(jobs.get(run.id)) for run in runs]

    def _newest_jobs(self) -> Mapping[str, Job]:
        return {job.request[self._kind]: job for job in reversed(self._jobs.list(kind=self._kind))}
