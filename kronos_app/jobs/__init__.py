"""Background jobs with records in the store.

Never imports streamlit, pages, api or services: the work of a job is a function that its caller passes.
"""

from kronos_app.jobs.runner import Cancelled, Handler, JobRunner, OnStep
from kronos_app.store import Job, JobStatus

__all__ = ["Cancelled", "Handler", "Job", "JobRunner", "JobStatus", "OnStep"]
