"""A run of an evaluation or a backtest: one model for its folder, the page and the API."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Self, TypeVar
from uuid import uuid4

from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from kronos_app.errors import Conflict, NotFound, Unavailable
from kronos_app.i18n import Text, text
from kronos_app.jsonable import localised
from kronos_app.services.core.training_errors import to_text, training_errors
from kronos_app.services.runs.folders import DESK, Saved, SavedFolders
from kronos_app.store.records import now
from training.errors import Unreadable
from training.saved import load_json, parse_saved

if TYPE_CHECKING:
    from kronos_app.jobs import Job

REPORT = "report.json"
NAMED = 3  # series that `origin` names before it counts the rest

RunState = Literal["queued", "running", "finished", "failed", "cancelled", "interrupted"]
Request = TypeVar("Request", bound=BaseModel)
Copy = Callable[[Path], tuple[Sequence[str], dict[str, Any]]]


class Summary(BaseModel):
    """The fields of a report that a list shows."""

    notes: tuple[Text, ...] = ()
    warnings: tuple[Text, ...] = ()


class Run(Saved, Generic[Request]):
    """A run, its state and its summary.

    Attributes
    ----------
    kind, noun, nouns
        Name of the kind in jobs and error codes, and what messages call one and several of them.
    summary
        The part of the report that is copied to fields of the run.
    private
        Fields of the report that the API leaves out.
    done, total
        Steps of the job.
    report
        `report.json`, None until the run has finished.
    """

    kind: ClassVar[str]
    noun: ClassVar[Text]
    nouns: ClassVar[Text]
    summary: ClassVar[type[Summary]]
    private: ClassVar[frozenset[str]] = frozenset()

    request: Request
    origin: str = Field(description="The candles in words.")
    notes: tuple[Text, ...] = Field(description="What to know about the candles.")
    state: RunState = Field("interrupted", description="interrupted: its job is gone; resume it.")
    job_id: str | None = Field(None, description="To follow and to cancel.")
    progress: float = Field(0.0, description="0 to 1")
    remaining_seconds: float | None = None
    error: Text | None = None
    warnings: tuple[Text, ...] = Field((), description="Why the result may look better than it is.")
    done: SkipJsonSchema[int] = Field(0, exclude=True)
    total: SkipJsonSchema[int] = Field(0, exclude=True)
    report: SkipJsonSchema[dict[str, Any] | None] = Field(None, exclude=True)

    @property
    def active(self) -> bool:
        """Return whether the run is queued or running."""
        return self.state in {"queued", "running"}

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the run in a folder, as far as the folder alone shows its state."""
        run = super().read(path)
        file = path / REPORT
        if not file.exists():
            return run
        try:
            report = _read_report(file, file.stat().st_mtime_ns)
            summary = dict(parse_saved(cls.summary, report, file, partial=True))
        except Unreadable as error:
            return run.model_copy(update={"error": to_text(error.message)})
        summary["notes"] = (*run.notes, *summary["notes"])
        return run.model_copy(update={**summary, "state": "finished", "progress": 1.0, "report": report})

    def with_job(self, job: Job | None) -> Self:
        """Return the run with the state and the progress of its newest job."""
        if job is None:
            return self
        changes: dict[str, Any] = {"job_id": job.id, "done": job.done, "total": job.total}
        changes["remaining_seconds"] = job.remaining
        if self.report is None:
            changes["progress"] = job.progress
            if job.status != "succeeded":
                changes["state"] = job.status
            if job.error is not None:
                changes["error"] = Text.from_dict(job.error["message"])
        return self.model_copy(update=changes)

    def report_in(self, language: str) -> dict[str, Any] | None:
        """Return the report as the API has it, messages in `language`; None until the run has finished."""
        if self.report is None:
            return None
        return {name: localised(value, language) for name, value in self.report.items() if name not in self.private}

    def write_report(self, report: dict[str, Any], write: Callable[[], object]) -> None:
        """Write the files of the result, then the report, which marks the run as finished.

        Raises Unavailable (the folder cannot be written to).
        """
        from training.run.folder import write_json

        try:
            with training_errors():
                write()
                write_json(self.path / REPORT, report)
        except OSError as error:
            raise self.not_saved(error) from error

    @classmethod
    def not_saved(cls, error: OSError) -> Unavailable:
        """Return the error of a folder that cannot be written to."""
        return Unavailable(
            f"{cls.kind}_not_kept",
            text("The {kind} could not be saved: {reason}.", kind=cls.noun, reason=error.strerror or str(error)),
            text("Check the free space and the permissions of the app's home."),
        )

    @classmethod
    def finished(cls, run_id: str) -> Conflict:
        """Return the error of resuming a run that has finished."""
        return Conflict(
            f"{cls.kind}_finished",
            text("The {kind} {id} is finished.", kind=cls.noun, id=run_id),
            text("Start a new one instead."),
        )

    @classmethod
    def too_many(cls, count: int) -> Conflict:
        """Return the error of starting one more run than is allowed."""
        return Conflict(
            f"too_many_{cls.kind}s",
            text("{count} {kinds} are saved already.", count=count, kinds=cls.nouns),
            text("Delete some; {setting} sets the limit.", setting=f"KRONOS_MAX_{cls.kind.upper()}S"),
        )


AnyRun = TypeVar("AnyRun", bound=Run[Any])


class RunFolders(SavedFolders[AnyRun]):
    """The folders of all runs of one kind, `KINDs/ID` in the home folder; every thread may use it."""

    def __init__(self, home: Path, run: type[AnyRun]) -> None:
        super().__init__(home / f"{run.kind}s", run)

    @property
    def run(self) -> type[AnyRun]:
        """Return the class of the runs."""
        return self._record

    def make_folder(self) -> None:
        """Create the folder of all runs if it does not exist.

        Raises Unavailable (the home folder cannot be written to).
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self.run.not_saved(error) from error

    def make(self, request: BaseModel, notes: Sequence[Text], copy: Copy) -> AnyRun:
        """Create the folder of a new run and return the run.

        Parameters
        ----------
        copy
            Writes the candles to the given folder; returns their names and the other fields of `desk.json`.

        Raises Unavailable (the disk is full, or the folder cannot be written to).
        """
        from training.run.folder import write_json

        self.tidy()
        path = self.folder / uuid4().hex[:12]
        try:
            path.mkdir(parents=True)
            names, fields = copy(path / "candles")
            saved = {
                "created": now().isoformat(),
                "request": request.model_dump(mode="json"),
                "origin": ", ".join(names[:NAMED]) + (f" + {len(names) - NAMED}" if len(names) > NAMED else ""),
                **fields,
                "notes": [note.to_dict() for note in notes],
            }
            with training_errors():
                write_json(path / DESK, saved)
        except OSError as error:
            raise self.run.not_saved(error) from error
        finally:
            if not (path / DESK).exists():
                shutil.rmtree(path, ignore_errors=True)
        return self.get(path.name)

    def _not_found(self, record_id: str) -> NotFound:
        return NotFound(
            f"{self.run.kind}_not_found",
            text("There is no {kind} {id}.", kind=self.run.noun, id=record_id),
            text("It may have been deleted. Open the list again."),
        )


@lru_cache(maxsize=192)
def _read_report(path: Path, _modified: int) -> dict[str, Any]:
    return load_json(path)
