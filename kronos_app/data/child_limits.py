"""What a child process of ours may take, enforced by the system where it can."""

from __future__ import annotations


def limit_process(memory: int, processor_seconds: int) -> None:
    """Hold this process to bytes of memory and of each file that it writes, and to its processor time.

    macOS does not enforce the limit of memory, Windows has none: there the process that started this one looks after
    it.
    """
    try:
        import resource
    except ImportError:
        return
    for kind, most in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_FSIZE, memory),
        (resource.RLIMIT_CPU, processor_seconds),
        (resource.RLIMIT_CORE, 0),  # A dump would hold passwords or a user's data.
    ):
        _, hard = resource.getrlimit(kind)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (allowed, allowed))
