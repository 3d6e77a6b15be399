"""A draft as a Parquet file, with everything but the table in its metadata: reading it back cannot run code."""

from __future__ import annotations

import json
from dataclasses import asdict
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq

from kronos_app.data.draft import Draft
from training.saved import parse_saved

_KEY = b"kronos.draft"


def to_bytes(draft: Draft) -> bytes:
    """Return `draft` as a Parquet file."""
    about = {
        "name": draft.name,
        "source": draft.source,
        "timezone": draft.timezone,
        "columns": dict(draft.columns),
        "needs_timestamps": draft.needs_timestamps,
        "bad_cells": [asdict(cell) for cell in draft.bad_cells],
        "unreadable": draft.unreadable,
        "findings": [finding.to_dict() for finding in draft.findings],
        "about": draft.about.to_dict(),
    }
    table = pa.Table.from_pandas(draft.frame, preserve_index=True)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _KEY: json.dumps(about).encode()})
    buffer = BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def from_bytes(content: bytes) -> Draft:
    """Return the draft that `to_bytes` was given.

    Raises ValueError: the bytes are damaged, or this version cannot read them.
    """
    try:
        table = pq.read_table(BytesIO(content))
        about = json.loads(table.schema.metadata[_KEY])
        return parse_saved(Draft, {**about, "frame": table.to_pandas()}, "a saved draft")
    except (pa.ArrowException, OSError, KeyError, TypeError) as error:
        raise ValueError(str(error)) from error
