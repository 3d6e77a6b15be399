"""Lists of names and previews as Arrow IPC, so that nothing that a child process sends can run code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from kronos_app.data.sql.reader import Preview

_KEY = b"kronos.preview"


def from_names(names: Sequence[str]) -> bytes:
    """Return names as an Arrow stream."""
    return _write(pa.table({"name": pa.array(names, pa.string())}))


def to_names(content: bytes) -> list[str]:
    """Return the names of which `from_names` made `content`."""
    names: list[str] = _read(content).column("name").to_pylist()
    return names


def from_preview(preview: Preview) -> bytes:
    """Return a preview as an Arrow stream; a column of several types becomes text."""
    columns = list(zip(*preview.rows, strict=True)) or [()] * len(preview.headers)
    table = pa.Table.from_arrays([_array(values) for values in columns], [str(n) for n in range(len(columns))])
    about = {"headers": preview.headers, "guessed": dict(preview.guessed)}
    return _write(table.replace_schema_metadata({_KEY: json.dumps(about).encode()}))


def to_preview(content: bytes) -> Preview:
    """Return the preview of which `from_preview` made `content`."""
    table = _read(content)
    about = json.loads(table.schema.metadata[_KEY])
    rows = tuple(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return Preview(tuple(about["headers"]), rows, about["guessed"])


def _array(values: Sequence[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _write(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _read(content: bytes) -> pa.Table:
    with pa.ipc.open_stream(content) as stream:
        return stream.read_all()
