"""What is freed goes back to the system where the C library can be told so."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from training.run.launch import ROOT

# Small blocks that stay keep what lies between them from going back, unless each large one has pages of its own.
HOLES = """
import sys
import psutil
from training.fit.memory import return_freed_memory

if sys.argv[1] == "told":
    assert return_freed_memory()
large, small = [], []
for _ in range(3):  # by the second round glibc's threshold has grown
    for _ in range(64):
        large.append(bytearray(2_000_000))
        small.append(bytearray(100_000))
    large.clear()
print(psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_freed_blocks_do_not_stay_with_the_process() -> None:
    def resident(told: str) -> int:
        return int(
            subprocess.run([sys.executable, "-c", HOLES, told], cwd=ROOT, check=True, capture_output=True).stdout
        )

    assert resident("told") < resident("not told") - 64 * 1_000_000
