"""Who asked for the work that the current thread or task does, for limits that hold for each caller."""

from __future__ import annotations

from contextvars import ContextVar

# A browser, or an API client by its address; empty for work that the program starts by itself, such as updates.
CALLER: ContextVar[str] = ContextVar("caller", default="")
