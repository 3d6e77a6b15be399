"""Parquet and Feather files of users, rewritten by a child process: what is damaged in them cannot end the server."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from kronos_app.data.upload import decode
from kronos_app.data.upload.columnar_child import MB, TOO_LARGE, TOO_MANY_ROWS
from kronos_app.data.upload.table import too_large, too_many_rows

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[3]
SECONDS = 60  # processor time, and by the clock, that reading one file may take
ROOM = 3  # memory of the child in multiples of the limit: a batch, its check and its copy
LEAST_MEMORY = 600 * MB  # for Python and pyarrow alone


def rewrite(content: bytes, kind: decode.Kind, name: str, *, limit: int, max_rows: int) -> bytes:
    """Return the rows of a Parquet or Feather file as a checked Arrow stream.

    Parameters
    ----------
    limit
        Most bytes of all columns together after decompression.

    Raises
    ------
    InvalidInput
        The file is damaged.
    TooLarge
        It has more rows or bytes than the limits.
    """
    with tempfile.TemporaryDirectory(prefix="kronos-upload-", ignore_cleanup_errors=True) as folder:
        source, target = Path(folder) / "source", Path(folder) / "target"
        source.write_bytes(content)
        code = run_child(kind, source, target, max_rows, limit)
        if code == 0:
            return target.read_bytes()
    if code == TOO_MANY_ROWS:
        raise too_many_rows(name, max_rows)
    if code == TOO_LARGE:
        raise too_large(name, limit)
    raise decode.damaged(kind, name)


def run_child(kind: decode.Kind, source: Path, target: Path, max_rows: int, max_bytes: int) -> int:
    """Return the exit code of the process that rewrites a file; one that takes too long counts as too large."""
    limits = (max_rows, max_bytes, ROOM * max_bytes + LEAST_MEMORY, SECONDS)
    command = [sys.executable, "-P", "-m", "kronos_app.data.upload.columnar_child", kind, str(source), str(target)]
    try:
        ended = subprocess.run(  # noqa: S603 - our own module, and files in a folder made here
            [*command, *map(str, limits)], cwd=ROOT, capture_output=True, check=False, timeout=SECONDS,
            env=_environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return TOO_LARGE
    if ended.returncode:
        log.info("The process that read a %s file ended with %s: %s", kind, ended.returncode, ended.stderr[-500:])
    return ended.returncode


def _environment() -> dict[str, str]:
    """Return the variables that Python and pyarrow need; passwords and tokens are no business of a file's reader."""
    kept = ("PATH", "HOME", "LANG", "SYSTEMROOT", "LD_LIBRARY_PATH", "PYTHONHOME", "VIRTUAL_ENV")
    values = {name: os.environ[name] for name in kept if name in os.environ}
    return {**values, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
