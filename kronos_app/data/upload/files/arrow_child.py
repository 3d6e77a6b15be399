"""The process that `arrow_table` starts to rewrite one Parquet or Feather file as a plain, checked Arrow stream.

Damaged files can crash pyarrow; then this process ends, and the server goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pyarrow as pa
from pyarrow import ipc, parquet

from kronos_app.data.child_limits import limit_process

TOO_MANY_ROWS, TOO_LARGE, DAMAGED = 10, 11, 12
"""Exit codes; any other that is not 0 is a crash."""
READ_ERRORS = (
    pa.ArrowException, OSError, ValueError, KeyError, IndexError, TypeError, NotImplementedError, OverflowError,
)  # fmt: skip
MB = 1_000_000
BATCH = 65_536  # rows


def rewrite(kind: str, source: str, target: str, max_rows: int, max_bytes: int) -> int:
    """Write the rows of a file as an Arrow stream and return the exit code."""
    rows = size = 0
    try:
        schema, batches = _open_parquet(source) if kind == "parquet" else _open_feather(source)
        with ipc.new_stream(target, schema) as stream:
            for batch in batches:
                rows, size = rows + batch.num_rows, size + batch.nbytes
                if rows > max_rows:
                    return TOO_MANY_ROWS
                if size > max_bytes:
                    return TOO_LARGE
                batch.validate(full=True)
                stream.write_batch(batch)
    except (MemoryError, pa.ArrowMemoryError):
        return TOO_LARGE
    except READ_ERRORS:
        return DAMAGED
    return 0


def _open_parquet(source: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    file = parquet.ParquetFile(source)
    # Text stays in dictionaries, so that one long value repeated a million times does not unfold.
    texts = [field.name for field in file.schema_arrow if pa.types.is_string(field.type)]
    file = parquet.ParquetFile(source, read_dictionary=texts)
    return file.schema_arrow, file.iter_batches(batch_size=BATCH, use_threads=False)


def _open_feather(source: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    file = ipc.open_file(source, options=ipc.IpcReadOptions(use_threads=False))
    return file.schema, (file.get_batch(number) for number in range(file.num_record_batches))


if __name__ == "__main__":
    kind, source, target, *numbers = sys.argv[1:]
    max_rows, max_bytes, memory, seconds = map(int, numbers)
    limit_process(memory, seconds)
    sys.exit(rewrite(kind, source, target, max_rows, max_bytes))
