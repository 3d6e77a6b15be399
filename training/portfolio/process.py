"""Runs modules with process-global state in a separate process: Qlib, and quantstats' charts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
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
    with _started(module, work) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield line.strip()
        if process.wait():
            errors = (work / "errors.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            reason = errors[-1] if errors else str(process.returncode)
            raise TrainingError("{module} failed: {reason}", module=module.rpartition(".")[2], reason=reason)


@contextmanager
def _started(module: str, work: Path) -> Iterator[subprocess.Popen[str]]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    # A fixed hash seed fixes the order in which Qlib iterates over a set.
    environment = os.environ | {
        "PYTHONPATH": path,
        "PYTHONHASHSEED": "0",
        "PYTHONWARNINGS": "ignore",
        "MPLBACKEND": "agg",
    }
    with (work / "errors.txt").open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(  # noqa: S603  (this program's own module, and a folder made by it)
            [sys.executable, "-m", module, str(work)],
            cwd=work,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert process.stdout is not None
        with closing(process.stdout):
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait()
