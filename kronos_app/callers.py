"""The caller of the current thread or task, for limits of each caller."""

from __future__ import annotations

from contextvars import ContextVar

# A browser, or an API client by its address; empty for jobs that the program starts itself, such as updates.
CALLER: ContextVar[str] = ContextVar("caller", default="")
