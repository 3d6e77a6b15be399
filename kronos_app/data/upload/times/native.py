"""Columns whose type is a time already, as Parquet and Feather have them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kronos_app.data.upload.times import zone_names, zones
from kronos_app.data.upload.times.values import EARLIEST, LATEST, NAT, Reading, nulls, on_the_clock

_UNITS = {"s": "s", "ms": "ms", "us": "us", "ns": "ns"}


def is_native(kind: pa.DataType) -> bool:
    """Return whether cells of this type are times or days."""
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def read(column: pa.ChunkedArray) -> Reading:
    """Return timestamps or dates; those of a named zone as its time on the clock, with their offsets."""
    kind = column.type
    unit = "D" if pa.types.is_date32(kind) else "ms" if pa.types.is_date(kind) else _UNITS[kind.unit]
    integers = pa.int32() if unit == "D" else pa.int64()
    numbers = np.array(pc.fill_null(pc.cast(column, integers), 0).to_numpy(), dtype=np.int64)
    times = numbers.astype(f"datetime64[{unit}]")
    # Compared in the column's own unit: the year 1500 does not fit into nanoseconds.
    good = (times >= EARLIEST.astype(times.dtype)) & (times < LATEST.astype(times.dtype)) & ~nulls(column)
    values = np.where(good, np.where(good, times, NAT.astype(times.dtype)).astype("datetime64[ns]"), NAT)
    bad = ~good & ~nulls(column)
    zone = getattr(kind, "tz", None)
    if zone is None:
        return on_the_clock(values, bad)
    fixed, name = zone_names.offset(zone), zones.check(zone)
    if fixed is not None or name is None:
        offsets = np.full(len(values), fixed or 0, dtype=np.int64)
        return Reading(values + offsets.astype("timedelta64[ns]"), bad, offsets, good)
    local = zones.to_local(values, name)
    offsets = np.where(good, (local - values).astype(np.int64), 0)
    return Reading(local, bad, offsets, good, name)
