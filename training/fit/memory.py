"""Limits of a run's memory, and how the C library returns freed memory."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from training.errors import Message, TrainingError, message

M_MMAP_THRESHOLD = -3  # of mallopt(3)
LARGE = 1 << 20  # bytes
VARIABLE = "KRONOS_RUN_MEMORY_MB"
MB = 1_000_000
SHARE = 0.8  # of the machine's memory
LIBRARIES = 500 * MB  # address space that libraries and threads reserve but do not use


def return_freed_memory() -> bool:
    """Make glibc return large freed blocks to the system at once; False with another C library.

    Otherwise the holes between activations of many sizes make a process more than twice as large as its data. The
    price is that the system clears each block anew.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    return bool(ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE))


def machine_bytes() -> int:
    """Return the memory of this machine, or of this process's container, in bytes."""
    limits = [psutil.virtual_memory().total]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # no container, or `max`
            limits.append(int(Path(path).read_text(encoding="ascii")))
    return min(limits)


def run_limit() -> int:
    """Return the memory limit of a run, all its processes together, in bytes.

    `KRONOS_RUN_MEMORY_MB` sets it; the default is 80 % of the machine's.
    """
    written = os.environ.get(VARIABLE, "")
    return int(written) * MB if written.isdecimal() else int(SHARE * machine_bytes())


def limit_memory(processes: int) -> None:
    """Limit this process to its share of `run_limit`, if the desk set one.

    Only on Linux: macOS does not enforce it and Windows has no such limit, so there the desk watches its trainers. Not
    with a graphics card, whose driver reserves more addresses than it uses.
    """
    if VARIABLE not in os.environ or sys.platform != "linux" or Path("/proc/driver/nvidia").exists():
        return
    import resource

    limit = run_limit() // processes + LIBRARIES
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out; torch raises a RuntimeError."""
    text = str(error).lower()
    of_torch = isinstance(error, RuntimeError) and ("out of memory" in text or "allocate memory" in text)
    return isinstance(error, MemoryError) or of_torch


def describe_failure(error: BaseException) -> Message:
    """Return the message of an error that ends a run or a trial."""
    if isinstance(error, TrainingError):
        return error.message
    if is_out_of_memory(error):
        return message("There was not enough memory: choose a smaller batch, or more gradient accumulation.")
    return message("{reason}", reason=str(error))
