"""A run that a job of this process makes: evaluation and backtest."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from kronos_app.i18n import Text
from kronos_app.services.core.training_errors import training_errors
from kronos_app.services.runs.run import REPORT, Request, Run, Summary

if TYPE_CHECKING:
    from kronos_app.jobs import Job


class JobSummary(Summary):
    """The fields of a report that a list shows."""

    warnings: tuple[Text, ...] = ()


class JobRun(Run[Request]):
    """A run with the state and the progress of its job; the report marks it as finished.

    Attributes
    ----------
    done, total
        Steps of the job.
    """

    origin: str = Field(description="The candles in words.")
    state: Literal["queued", "running", "finished", "failed", "cancelled", "interrupted"] = Field(
        "interrupted", description="interrupted: its job is gone; resume it."
    )
    job_id: str | None = Field(None, description="To follow and to cancel.")
    remaining_seconds: float | None = None
    warnings: tuple[Text, ...] = Field((), description="Why the result may look better than it is.")
    done: SkipJsonSchema[int] = Field(0, exclude=True)
    total: SkipJsonSchema[int] = Field(0, exclude=True)

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


AnyJobRun = TypeVar("AnyJobRun", bound=JobRun[Any])
