"""Parquet and Feather files as tables, rewritten first by a child process: a damaged file cannot end the server."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from zoneinfo import available_timezones

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc

from kronos_app.data.upload.columns import shorten, unique_labels
from kronos_app.data.upload.files import decode
from kronos_app.data.upload.files.arrow_child import MB, READ_ERRORS, TOO_LARGE, TOO_MANY_ROWS
from kronos_app.data.upload.files.table import Selection, Table, check_columns, check_rows, text_at, too_large
from kronos_app.errors import TooLarge
from kronos_app.i18n import text
from kronos_app.settings import Settings

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[4]
SECONDS = 60  # processor time, and by the clock, that reading one file may take
ROOM = 3  # memory of the child in multiples of the limit: a batch, its check and its copy
LEAST_MEMORY = 600 * MB  # for Python and pyarrow alone
_READABLE: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_timestamp, pa.types.is_date,
    pa.types.is_time,
)  # fmt: skip
_TEXTS: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
)  # fmt: skip


def read(content: bytes, kind: decode.Kind, name: str, select: Selection, settings: Settings) -> Table:
    """Return the table in a Parquet or Feather file.

    Raises InvalidInput or TooLarge as `tables.read`.
    """
    stream = rewrite(content, kind, name, limit=settings.max_upload_mb * MB, max_rows=settings.max_rows)
    try:
        names = ipc.open_stream(stream).schema.names
        check_columns(len(names), name)
        labels = unique_labels(names)
        included = sorted(p for p in select(labels) if names.count(names[p]) == 1)
        options = ipc.IpcReadOptions(included_fields=included, use_threads=False)
        table = ipc.open_stream(stream, options=options).read_all()
        if table.nbytes > settings.max_upload_mb * MB:
            raise too_large(name, settings.max_upload_mb * MB)
        if table.num_columns:
            check_rows(table.num_rows, settings.max_rows, name)
        columns = {p: _usable(table.column(names[p])) for p in included}
    except READ_ERRORS as error:
        raise decode.damaged(kind, name) from error
    cells = {position: column for position, column in columns.items() if column is not None}
    unreadable = {p: str(table.column(names[p]).type) for p, column in columns.items() if column is None}
    return Table(name, labels, cells, np.arange(1, table.num_rows + 1), unreadable=unreadable)


def first_rows(content: bytes, kind: decode.Kind, name: str, count: int, settings: Settings) -> list[list[str]]:
    """Return the first rows of all columns as text."""
    stream = rewrite(content, kind, name, limit=settings.max_upload_mb * MB, max_rows=settings.max_rows)
    batch = next(iter(ipc.open_stream(stream)), None)
    if batch is None:
        return []
    rows = range(min(count, batch.num_rows))
    return [[shorten(text_at(column, row)) for column in batch.columns] for row in rows]


def _usable(cells: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return a column as numbers, times or short text; None for anything else."""
    kind = cells.type
    if pa.types.is_dictionary(kind):
        cells = cells.unify_dictionaries()
        values = cells.chunk(0).dictionary if cells.num_chunks else pa.array([], kind.value_type)
        if _is(values.type, _TEXTS) and (pc.max(pc.binary_length(values)).as_py() or 0) > 100:
            return None
        cells, kind = cells.cast(kind.value_type), kind.value_type
    if pa.types.is_null(kind):
        return cells.cast(pa.float64())
    if _is(kind, _TEXTS):
        return cells.cast(pa.string())
    if pa.types.is_float16(kind):
        return cells.cast(pa.float32())  # Arrow computes little with half a float
    if pa.types.is_timestamp(kind) and kind.tz and not _is_zone(kind.tz):
        return cells.cast(pa.timestamp(kind.unit, "UTC"))  # the instants are right, whatever the name of their zone
    return cells if _is(kind, _READABLE) else None


def _is(kind: pa.DataType, checks: tuple[Callable[[pa.DataType], bool], ...]) -> bool:
    return any(check(kind) for check in checks)


def _is_zone(name: str) -> bool:
    return name in available_timezones() or re.fullmatch(r"[+-]\d\d:\d\d", name) is not None


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
        message = text("“{name}” has more than {most} rows, the limit.", name=name, most=max_rows)
        raise TooLarge("too_many_rows", message, text("Upload a shorter range or a longer interval."))
    raise too_large(name, limit) if code == TOO_LARGE else decode.damaged(kind, name)


def run_child(kind: decode.Kind, source: Path, target: Path, max_rows: int, max_bytes: int) -> int:
    """Return the exit code of the process that rewrites a file; one that takes too long counts as too large."""
    limits = (max_rows, max_bytes, ROOM * max_bytes + LEAST_MEMORY, SECONDS)
    command = [sys.executable, "-P", "-m", "kronos_app.data.upload.files.arrow_child", kind, str(source), str(target)]
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
    """Return the variables that Python and pyarrow need, without passwords and tokens."""
    names = ("PATH", "HOME", "LANG", "SYSTEMROOT", "LD_LIBRARY_PATH", "PYTHONHOME", "VIRTUAL_ENV")
    values = {name: os.environ[name] for name in names if name in os.environ}
    return {**values, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
