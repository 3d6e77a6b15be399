"""`torch.compile` as an option that cannot fail: without a compiler, what was to be compiled runs as it is."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)


class Compiled(Generic[P, T]):
    """A function compiled at its first call for each number of rows, which takes seconds each time."""

    def __init__(self, function: Callable[P, T]) -> None:
        self._plain = function
        self._fast: Callable[P, T] = torch.compile(function, dynamic=False)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what the function returns."""
        try:
            return self._fast(*args, **kwargs)
        except (RuntimeError, OSError, ImportError) as error:  # an error of the function itself comes again below
            log.warning("torch.compile failed, going on without it: %s", str(error).partition("\n")[0])
            self._fast = self._plain
            return self._plain(*args, **kwargs)
