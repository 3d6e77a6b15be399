"""What the C library does with memory that is no longer used."""

from __future__ import annotations

import ctypes
import platform

M_MMAP_THRESHOLD = -3  # of mallopt(3)
LARGE = 1 << 20  # bytes


def give_back_freed() -> bool:
    """Have glibc hand large freed blocks back to the system at once; return whether it will, as only glibc does.

    By default it keeps ever larger ones for later. Activations come and go in many sizes, and the holes between them
    then make a process more than twice as large as what it holds. The price is that the system clears each block anew.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    return bool(ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE))
