"""`torch.compile` as an option that cannot fail: without a compiler the function runs uncompiled."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)


class Compiled(Generic[P, T]):
    """A function compiled at its first call for each number of rows; compiling takes seconds."""

    def __init__(self, function: Callable[P, T]) -> None:
        self._plain = function
        self._fast: Callable[P, T] = torch.compile(function, dynamic=False)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the function's result."""
        try:
            return self._fast(*args, **kwargs)
        except (RuntimeError, OSError, ImportError) as error:  # the function's own error is raised again below
            log.warning("torch.compile failed, continuing without it: %s", str(error).partition("\n")[0])
            self._fast = self._plain
            return self._plain(*args, **kwargs)
