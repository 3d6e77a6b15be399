"""Limits of a child process, enforced by the operating system."""

from __future__ import annotations


def limit_process(memory: int, processor_seconds: int) -> None:
    """Limit the memory and the size of written files, in bytes, and the processor time of this process.

    macOS does not enforce the memory limit and Windows has none: there the parent process checks the memory.
    """
    try:
        import resource
    except ImportError:
        return
    for kind, most in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_FSIZE, memory),
        (resource.RLIMIT_CPU, processor_seconds),
        (resource.RLIMIT_CORE, 0),  # A core dump could contain passwords or a user's data.
    ):
        _, hard = resource.getrlimit(kind)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (allowed, allowed))
