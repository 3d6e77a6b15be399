"""Work in the background, some jobs at a time, with records in the store that outlive the process.

Never imports streamlit, pages, api or services: what a job does is handed in as a function.
"""

from kronos_app.jobs.runner import Cancelled, Handler, JobRunner, OnStep
from kronos_app.store import Job, JobStatus

__all__ = ["Cancelled", "Handler", "Job", "JobRunner", "JobStatus", "OnStep"]
