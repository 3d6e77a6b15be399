"""Runs modules with process-global state in a separate process: Qlib, and quantstats' charts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

from training.errors import TrainingError

ROOT = Path(__file__).parents[2]


def run(module: str, work: Path) -> None:
    """Run a module of this program as `lines` does, without its output."""
    for _ in lines(module, work):
        pass


def lines(module: str, work: Path) -> Generator[str, None, None]:
    """Yield the output of `python -m MODULE WORK` line by line; the process ends with the iteration.

    `work` is its working folder, where its standard error goes to `errors.txt`. Raises TrainingError, with the last
    line of it, if the process fails.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    # A fixed hash seed fixes the order in which Qlib iterates over a set.
    fixed = {"PYTHONPATH": path, "PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore", "MPLBACKEND": "agg"}
    command = [sys.executable, "-m", module, str(work)]
    with (
        (work / "errors.txt").open("w", encoding="utf-8") as errors,
        subprocess.Popen(  # noqa: S603  (this program's own module, and a folder made by it)
            command, cwd=work, env=os.environ | fixed, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                yield line.strip()
        except BaseException:  # the iteration was closed
            process.kill()
            raise
    if process.returncode:
        complaints = (work / "errors.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        reason = complaints[-1] if complaints else str(process.returncode)
        raise TrainingError("{module} failed: {reason}", module=module.rpartition(".")[2], reason=reason)
