"""What keeps its state process-global is run in a process of its own: Qlib, and quantstats' pictures."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from training.errors import TrainingError, message

ROOT = Path(__file__).parents[2]


def run(module: str, work: Path) -> None:
    """Run a module of this program as `lines` does, whatever it prints."""
    for _ in lines(module, work):
        pass


def lines(module: str, work: Path) -> Generator[str, None, None]:
    """Yield what `python -m MODULE WORK` prints, line by line; the process ends with the iteration.

    Parameters
    ----------
    work
        Folder that it works in; what it complains of is kept in `errors.txt` there.

    Raises
    ------
    TrainingError
        The process failed; says why.
    """
    with _started(module, work) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield line.strip()
        if process.wait():
            told = (work / "errors.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            reason = told[-1] if told else str(process.returncode)
            raise TrainingError(
                message("{module} broke off: {reason}", module=module.rpartition(".")[2], reason=reason)
            )


@contextmanager
def _started(module: str, work: Path) -> Iterator[subprocess.Popen[str]]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    # A fixed hash keeps the order in which Qlib goes through a set.
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
