"""Frames and arrays as bytes in Parquet and safetensors, which cannot contain code."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import numpy.typing as npt
import pandas as pd


def frame_to_bytes(frame: pd.DataFrame) -> bytes:
    """Return `frame` as a parquet file."""
    import pyarrow as pa
    from pyarrow import parquet

    buffer = BytesIO()
    # No dictionary or statistics: prices hardly repeat, and the file is always read whole. No metadata of pandas, which
    # takes more time and space than a short series.
    table = pa.table({name: pa.array(column.to_numpy()) for name, column in frame.items()})
    parquet.write_table(table, buffer, use_dictionary=False, write_statistics=False)
    return buffer.getvalue()


def frame_from_bytes(content: bytes) -> pd.DataFrame:
    """Return the frame of `frame_to_bytes`.

    Raises ValueError: the bytes are damaged.
    """
    import pyarrow as pa

    try:
        return pd.read_parquet(BytesIO(content))
    except (pa.ArrowException, OSError) as error:
        raise ValueError(str(error)) from error


def arrays_to_bytes(
    paths: npt.NDArray[np.float64], raw_paths: npt.NDArray[np.float64], timestamps: pd.DatetimeIndex
) -> bytes:
    """Return a forecast's arrays as a safetensors file; times become int64 nanoseconds."""
    from safetensors.numpy import save

    tensors = {
        "paths": np.ascontiguousarray(paths, dtype=np.float64),
        "raw_paths": np.ascontiguousarray(raw_paths, dtype=np.float64),
        "timestamps": timestamps.as_unit("ns").to_numpy().astype(np.int64),
    }
    return bytes(save(tensors))


def arrays_from_bytes(content: bytes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], pd.DatetimeIndex]:
    """Return paths, raw paths and times of `arrays_to_bytes`.

    Raises ValueError: the bytes are damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = load(content)
        timestamps = pd.DatetimeIndex(tensors["timestamps"].astype("datetime64[ns]"))
        return tensors["paths"], tensors["raw_paths"], timestamps
    except (SafetensorError, KeyError) as error:
        raise ValueError(str(error)) from error
