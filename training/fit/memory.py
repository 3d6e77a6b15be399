"""How much memory a run may take, and what the C library does with memory that is no longer used."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from contextlib import suppress
from pathlib import Path

import psutil

M_MMAP_THRESHOLD = -3  # of mallopt(3)
LARGE = 1 << 20  # bytes
VARIABLE = "KRONOS_RUN_MEMORY_MB"
MB = 1_000_000
SHARE = 0.8  # of the machine's memory
LIBRARIES = 500 * MB  # that libraries and threads reserve beside what they use


def give_back_freed() -> bool:
    """Have glibc hand large freed blocks back to the system at once; return whether it will, as only glibc does.

    By default it keeps ever larger ones for later. Activations come and go in many sizes, and the holes between them
    then make a process more than twice as large as what it holds. The price is that the system clears each block anew.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    return bool(ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE))


def machine_bytes() -> int:
    """Return the memory of this machine, or of the container that this process is in, in bytes."""
    limits = [psutil.virtual_memory().total]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # no container, or `max`
            limits.append(int(Path(path).read_text(encoding="ascii")))
    return min(limits)


def run_limit() -> int:
    """Return the most memory that a run may take on this machine, all its processes together, in bytes.

    `KRONOS_RUN_MEMORY_MB` sets it; else it is 80 % of the machine's.
    """
    written = os.environ.get(VARIABLE, "")
    return int(written) * MB if written.isdecimal() else int(SHARE * machine_bytes())


def hold_to_limit(processes: int) -> None:
    """Have the system refuse this process more than its share of `run_limit`, where the desk set one.

    On Linux alone: macOS does not enforce it and Windows has no such limit, so there the desk watches its trainers. A
    graphics card has its own memory, and its driver reserves more addresses than it uses: nothing is limited there.
    """
    if VARIABLE not in os.environ or sys.platform != "linux" or Path("/proc/driver/nvidia").exists():
        return
    import resource

    most = run_limit() // processes + LIBRARIES
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that there was not enough memory; torch has no class of its own for that."""
    said = str(error).lower()
    torchs = isinstance(error, RuntimeError) and ("out of memory" in said or "allocate memory" in said)
    return isinstance(error, MemoryError) or torchs
