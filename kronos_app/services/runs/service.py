"""The life of work that is a folder and, while it is done, a job.

It goes on when the tab closes, and after a restart where it was. What was cancelled or failed can be resumed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kronos_app.errors import Conflict
from kronos_app.services.runs.folders import KeptWork, WorkFolders
from kronos_app.services.runs.views import WorkView
from kronos_app.services.selection.training_files import check_room
from kronos_app.store.records import UnreadableRecords

if TYPE_CHECKING:
    from kronos_app.jobs import Job, JobRunner
    from kronos_app.settings import Settings

View = TypeVar("View", bound=WorkView[Any])
Views = list[View]


class WorkService(ABC, Generic[KeptWork, View]):
    """Work of one kind: listed, followed, resumed, deleted; every thread may use it.

    Parameters
    ----------
    kind
        Of its jobs, whose requests name the work under it.
    """

    def __init__(self, kind: str, settings: Settings, jobs: JobRunner, folders: WorkFolders[KeptWork]) -> None:
        self._kind = kind
        self._settings = settings
        self._jobs = jobs
        self._folders = folders
        self._starting = Lock()

    def list(self) -> Views[View]:
        """Return all as they stand, newest first."""
        jobs = self._job_of()
        return [self._view(one, jobs.get(one.id)) for one in self._folders.list()]

    def any(self) -> bool:
        """Return whether there is one, readable or not."""
        return self._folders.any()

    def unreadable(self) -> UnreadableRecords:
        """Return those that this version cannot read, with the reason."""
        return self._folders.unreadable()

    def get(self, work_id: str) -> View:
        """Return one as it stands.

        Raises
        ------
        NotFound
            There is none of this id.
        Conflict
            This version cannot read it.
        """
        return self._view(self._folders.get(work_id), self._job_of().get(work_id))

    def cancel(self, work_id: str) -> View:
        """Have one stop soon; what it did is kept, and `resume` goes on from there.

        Raises
        ------
        NotFound
            There is none of this id.
        """
        job = self._job_of().get(self._folders.get(work_id).id)
        if job is not None:
            self._jobs.cancel(job.id)
        return self.get(work_id)

    def resume(self, work_id: str) -> View:
        """Go on with one that was cancelled, failed or is without its job.

        Raises
        ------
        NotFound
            There is none of this id.
        Conflict
            It is finished, or too many jobs wait.
        """
        found = self._folders.get(work_id)
        if found.report() is not None:
            raise self._finished(found.id)
        self._submit(found)
        return self.get(work_id)

    def delete(self, work_id: str) -> None:
        """End one and delete it with all it has.

        Raises
        ------
        NotFound
            There is none of this id.
        """
        path = self._folders.path(work_id)
        job = self._job_of().get(path.name)
        if job is not None and job.active:
            self._jobs.cancel(job.id)
        self._folders.remove(path.name)

    @abstractmethod
    def _view(self, work: KeptWork, job: Job | None) -> View:
        """Return one with what its job and its report say."""

    @abstractmethod
    def _finished(self, work_id: str) -> Conflict:
        """Return what tells that one is finished and cannot be resumed."""

    @abstractmethod
    def _too_many(self, kept: int) -> Conflict:
        """Return what tells that so many are kept already."""

    def _check_room(self, most: int, wanted: int) -> None:
        """Refuse one more than `most`, and `wanted` bytes that the disk has no room for."""
        kept = len(self._folders.list())
        if kept >= most:
            raise self._too_many(kept)
        self._folders.make_folder()
        check_room(self._folders.folder, self._settings, wanted)

    def _submit_new(self, made: KeptWork) -> None:
        """Queue what was made just now; it goes again where too many jobs wait."""
        try:
            self._submit(made)
        except Conflict:
            self._folders.remove(made.id)
            raise

    def _submit(self, work: KeptWork) -> None:
        self._jobs.submit(self._kind, {"key": work.id, self._kind: work.id})

    def _job_of(self) -> Mapping[str, Job]:
        """Return the newest job of each."""
        return {job.request[self._kind]: job for job in reversed(self._jobs.list(kind=self._kind))}
